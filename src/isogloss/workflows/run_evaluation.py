"""What people already run, judged: TREC runs and arrays of vectors."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from isogloss.arrays import Dense, Similarity
from isogloss.corpus.judgements import Qrels, RankedRun, distinct
from isogloss.errors import CorpusError, NonFiniteError, UsageError
from isogloss.evaluation.report.content import Questions
from isogloss.evaluation.run_file import SystemSettings, hash_file, hash_qrels
from isogloss.protocols import Progress
from isogloss.workflows.requests import Evaluated, Request
from isogloss.workflows.scoring import Judgement, asked, assemble, depth_of

LOOKED = 10
"""Answers whose share of judged documents is reported."""
UNIT = 1e-3
"""Vectors whose lengths differ from one by less are taken as normalised."""


def run(request: Request, threads: int | None, progress: Progress) -> Evaluated:
    """Judge runs or vectors."""
    if not request.qrels:
        raise UsageError("runs and vectors are judged by judgements", "--qrels FILE is missing", "add --qrels FILE")
    return _runs(request) if request.kind == "runs" else _vectors(request)


def _runs(request: Request) -> Evaluated:
    from isogloss.corpus.test_collections.qrels import read_qrels
    from isogloss.corpus.test_collections.runs import read_run

    qrels = read_qrels(request.qrels)
    read = [read_run(path) for path in request.runs]
    runs = dict(zip(_names(request.runs, [one.name for one in read]), read, strict=True))
    notes = [_known(name, one, qrels) for name, one in runs.items()]
    judged = _judgement(request, qrels, _texts(request), sum(map(len, qrels.values())))
    judged.data += [hash_file(path, f"run {name}") for name, path in zip(runs, request.runs, strict=True)]
    settings = [
        SystemSettings(name, options={"file": os.path.basename(path)})
        for name, path in zip(runs, request.runs, strict=True)
    ]
    title = f"{len(runs)} run{'s' if len(runs) > 1 else ''}, {len(judged.queries):,} judged questions"
    named = {name: RankedRun(one.queries, one.documents, one.scores, name) for name, one in runs.items()}
    return assemble(request, title, named, judged, settings=settings, notes=[note for note in notes if note])


def _names(paths: Sequence[str], tags: Sequence[str]) -> list[str]:
    """Name runs by their tags, or by their files where tags are the same; equal names get numbers."""
    names = list(tags) if len(set(tags)) == len(tags) else [os.path.basename(path) for path in paths]
    return [name if names.count(name) == 1 else f"{name}#{i + 1}" for i, name in enumerate(names)]


def _known(name: str, run: RankedRun, qrels: Qrels) -> str:
    """Say how many of the first answers are judged at all; none is an error.

    A run whose ids are not those of the judgements scores zero, which looks like a bad system.
    """
    first = [
        (query, document)
        for query, documents in zip(run.queries, run.documents, strict=True) if query in qrels
        for document in documents[:LOOKED]
    ]  # fmt: skip
    if not first:
        return ""
    known = sum(document in qrels[query] for query, document in first)
    somewhere = {document for judged in qrels.values() for document in judged}
    if not known and not any(document in somewhere for _, document in first):
        raise CorpusError(
            f"no answer of the run {name} is judged, for any question",
            f"it answers with {first[0][1]!r}; judged are such as {next(iter(somewhere))!r}",
            "use the same document ids in runs and judgements",
        )
    alien = sum(query not in qrels for query in run.queries)
    said = f"{name}: {known / len(first):.0%} of its first {LOOKED} answers are judged; the others count as wrong"
    return said + (f"; {alien:,} of its questions are not judged and are left out" if alien else "")


def _texts(request: Request) -> dict[str, str]:
    """Return the texts of the questions where a file was named; ids stand for them otherwise."""
    from isogloss.corpus.test_collections.queries import read_queries

    return read_queries(request.queries) if request.queries else {}


def _judgement(request: Request, qrels: Qrels, texts: Mapping[str, str], judgements: int) -> Judgement:
    named = {query: texts.get(query, query) for query in qrels}
    kept, notes = asked(named, qrels)
    missing = sum(query not in texts for query in kept) if texts else 0
    if missing:
        notes.append(f"{missing:,} of {len(kept):,} judged questions are not in {os.path.basename(request.queries)}")
    qrels = {query: qrels[query] for query in kept}
    about = Questions(len(kept), how=f"{judgements:,} judgements of {os.path.basename(request.qrels)}")
    return Judgement(kept, qrels, about, data=[hash_qrels(qrels, request.qrels)], notes=notes)


def _vectors(request: Request) -> Evaluated:
    from isogloss.corpus.test_collections.qrels import keep_known, read_qrels

    documents, queries = (read_vectors(path) for path in request.vectors)
    if documents.shape[1] != queries.shape[1]:
        why = f"documents have {documents.shape[1]} dimensions, questions {queries.shape[1]}"
        raise UsageError("the two arrays do not belong together", why, "encode both with one model")
    texts = _texts(request)
    notes: list[str] = []
    ids = _ids(request.ids[0] if request.ids else "", request.vectors[0], len(documents), "document", notes)
    if texts and not request.ids and len(texts) == len(queries):
        query_ids = list(texts)
        notes.append(f"question i of the array is question i of {os.path.basename(request.queries)}")
    else:
        query_ids = _ids(request.ids[1] if request.ids else "", request.vectors[1], len(queries), "question", notes)
    read = read_qrels(request.qrels)
    if query_ids == _rows(len(queries)):
        _check_rows(set(read), len(queries), "question", request.vectors[1])
    if ids == _rows(len(documents)):
        _check_rows({one for some in read.values() for one in some}, len(documents), "document", request.vectors[0])
    qrels, _ = keep_known(read, query_ids, ids, os.path.basename(request.qrels))
    judged = _judgement(request, qrels, texts, sum(map(len, qrels.values())))
    judged.about = Questions(len(judged.queries), len(ids), how=judged.about.how)
    judged.data += [
        hash_file(path, f"vectors {what}")
        for what, path in zip(("documents", "questions"), request.vectors, strict=True)
    ]
    place = {query: row for row, query in enumerate(query_ids)}
    rows = np.array([place[query] for query in judged.queries])
    runs, settings = {}, []
    for similarity in _similarities(documents, queries, notes):
        found = rank_vectors(documents, queries[rows], ids, list(judged.queries), depth_of(request), similarity)
        runs[similarity.value] = found
        settings.append(_settings(similarity, documents))
    title = f"{len(documents):,} vectors, {len(judged.queries):,} judged questions"
    return assemble(request, title, runs, judged, settings=settings, notes=notes)


def _settings(similarity: Similarity, documents: Dense) -> SystemSettings:
    dimensions = int(documents.shape[1])
    return SystemSettings(
        similarity.value, dimensions=dimensions, dtype=str(documents.dtype), similarity=similarity.value
    )


def read_vectors(path: str) -> Dense:
    """Read an array of vectors ``(n, d)`` from a ``.npy`` file.

    Raises
    ------
    UsageError
        Where it is no such array.
    NonFiniteError
        Where it holds NaN or infinity; the message counts the rows.
    """
    try:
        array: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", "", "check the path") from None
    except (ValueError, EOFError, OSError) as error:
        raise UsageError(f"{path} is no array of NumPy", str(error), "save it with numpy.save") from error
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "fiu" or not array.size:
        found = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        raise UsageError(f"{path} holds no vectors", f"it is {found}", "a table of numbers (n, d) is needed")
    vectors = np.asarray(array, np.float32)
    bad = np.flatnonzero(~np.isfinite(vectors).all(1))
    if len(bad):
        raise NonFiniteError(
            f"{len(bad):,} of {len(vectors):,} vectors in {path} are not finite", f"the first is row {bad[0]}",
            "encode those texts again; isogloss doctor MODEL finds causes",
        )  # fmt: skip
    return vectors


def _ids(named: str, vectors: str, count: int, what: str, notes: list[str]) -> list[str]:
    """Read ids, one a line, from the file named or from ``NAME.ids.txt`` beside the array; else count rows from 0."""
    beside = vectors.removesuffix(".npy") + ".ids.txt"
    path = named or (beside if os.path.isfile(beside) else "")
    if not path:
        notes.append(
            f"no ids for {os.path.basename(vectors)} ({os.path.basename(beside)} is not there): rows count from 0"
        )
        return _rows(count)
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"{path} cannot be read", str(error.strerror), "give the file of the ids") from error
    ids = [line.strip() for line in lines if line.strip()]
    if len(ids) != count:
        raise UsageError(
            f"ids and vectors do not belong together: {path}", f"{len(ids):,} ids, {count:,} vectors of {what}s",
            "give one id a line, in the order of the vectors",
        )  # fmt: skip
    return distinct(ids, what)


def _rows(count: int) -> list[str]:
    return [str(row) for row in range(count)]


def _check_rows(judged: set[str], count: int, what: str, vectors: str) -> None:
    """Refuse row numbers as ids where the judgements do not name rows from 0: one row off looks like a bad model.

    Raises
    ------
    UsageError
        Where a judged id is no row, or questions are numbered from 1.
    """
    alien = judged - set(_rows(count))
    from_one = judged <= {str(row + 1) for row in range(count)} and "0" not in judged
    if alien or (from_one and what == "question"):
        odd = sorted(alien)[0] if alien else "0"
        why = f"{odd!r} is judged and no row" if alien else "no judgement names row 0"
        raise UsageError(
            f"rows of {vectors} cannot be told by number",
            f"there are {count:,} rows from 0, and {why}"
            + ("; the judgements seem to count from 1" if from_one else ""),
            f"write the ids of the {what}s, one a line, to {vectors.removesuffix('.npy')}.ids.txt",
        )


def _similarities(documents: Dense, queries: Dense, notes: list[str]) -> list[Similarity]:
    """Return cosine, and dot too where lengths differ and so rankings may; say what is odd."""
    lengths = [np.linalg.norm(one.astype(np.float64), axis=1) for one in (documents, queries)]
    for what, some in zip(("document", "question"), lengths, strict=True):
        zeros = int((some == 0).sum())
        if zeros:
            notes.append(f"{zeros:,} of {len(some):,} {what} vectors are all zeros: similarity 0 to everything")
    if np.ptp(documents, axis=0).max() == 0 and len(documents) > 1:
        notes.append(f"all {len(documents):,} document vectors are the same: rankings are the order of ids")
    if np.abs(lengths[0][lengths[0] > 0] - 1).max(initial=0.0) < UNIT:
        return [Similarity.COSINE]
    notes.append("document vectors are not of length one: cosine and dot rank differently, and both are shown")
    return [Similarity.COSINE, Similarity.DOT]


def rank_vectors(
    documents: Dense, queries: Dense, owners: Sequence[str], query_ids: Sequence[str], k: int, similarity: Similarity
) -> RankedRun:
    """Rank documents by their best vector; ``owners`` names the document of each row.

    Examples
    --------
    >>> rows, question = np.eye(2, dtype=np.float32), np.array([[0.1, 1.0]], np.float32)
    >>> rank_vectors(rows, question, ["a", "b"], ["q"], 2, Similarity.DOT).documents
    [['b', 'a']]
    """
    from isogloss.index.exact import Exact

    index = Exact(similarity=similarity)
    index.add(np.arange(len(documents)), documents)
    found: dict[str, dict[str, float]] = {}
    waiting, depth = np.arange(len(queries)), min(len(documents), k)
    while len(waiting):
        hits = index.search(queries[waiting], depth)
        short = []
        for place, i in enumerate(waiting.tolist()):
            best: dict[str, float] = {}
            for row, score in zip(hits.rows[place].tolist(), hits.scores[place].tolist(), strict=True):
                if row >= 0:
                    best.setdefault(owners[row], score)
            found[query_ids[i]] = dict(islice(best.items(), k))
            if len(best) < k and depth < len(documents):
                short.append(i)
        waiting, depth = np.array(short, np.int64), min(len(documents), 4 * depth)
    ordered = {query: found[query] for query in query_ids}
    return RankedRun.from_scores(ordered, similarity.value)
