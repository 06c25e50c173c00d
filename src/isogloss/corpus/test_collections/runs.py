"""Ranked answers of a system: TREC runs and tables with a header."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import Any

from isogloss.corpus.judgements import RankedRun
from isogloss.corpus.test_collections.qrels import DOCUMENT, QUERY, solid
from isogloss.corpus.test_collections.tables import Layout, fault, identifier, number, read_columns, text_lines
from isogloss.errors import IsoglossWarning

_EXPECTED = "six columns: question Q0 document rank score tag (TREC), or a header that names question, document, score"
_TREC = Layout(
    {"question": QUERY, "document": DOCUMENT, "rank": ("rank",), "score": ("score",), "tag": ("tag", "system", "run")},
    {6: (0, 2, 3, 4, 5)},
    _EXPECTED,
    blanks=True,
)
_NAMED = Layout(
    {"question": QUERY, "document": DOCUMENT, "score": ("score", "similarity", "scores")},
    {6: (0, 2, 4)},
    _EXPECTED,
    blanks=True,
)


def read_run(path: str | Path, name: str = "") -> RankedRun:
    r"""Read what one system answered.

    Parameters
    ----------
    path
        A TREC run (``question Q0 document rank score tag``), or TSV, CSV or JSON Lines whose header names question,
        document and score; plain or gzip.
    name
        Name of the system; the tag of the run, or else the file's name, where empty.

    Returns
    -------
    RankedRun
        Ordered by the scores as ``trec_eval`` does it: the ranks of the file do not count. Warnings say for how many
        questions ranks and scores contradict each other, and whether all scores of each question are equal.

    Raises
    ------
    CorpusError
        For an empty file, other columns, a rank or score that is no finite number, a document that stands twice in
        one question, or tags of several systems; the message names file and line.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "a.run"
    >>> _ = file.write_text("1 Q0 d7 1 0.5 mine\n1 Q0 d9 2 0.25 mine\n")
    >>> read_run(file).documents, read_run(file).name
    ([['d7', 'd9']], 'mine')
    """
    trec = _is_trec(path)
    found: dict[str, dict[str, float]] = {}
    ranks: dict[str, list[tuple[float, float]]] = {}
    tag = ""
    for line, row in read_columns(path, _TREC if trec else _NAMED):
        query, document = identifier(row[0], path, line, "question"), identifier(row[1], path, line, "document")
        answers = found.setdefault(query, {})
        if document in answers:
            raise fault(path, line, f"document {document} stands twice in question {query}", "each document once")
        answers[document] = number(row[3 if trec else 2], path, line, "score")
        if trec:
            ranks.setdefault(query, []).append((number(row[2], path, line, "rank"), answers[document]))
            if tag and row[4] != tag:
                raise fault(path, line, f"the tag {row[4]} after {tag}", "the run of one system in a file")
            tag = row[4]
    if not found:
        raise fault(path, 0, "a header and no answers", _EXPECTED)
    _warn(path, found, ranks)
    return RankedRun.from_scores(found, name or tag or Path(path).name.removesuffix(".gz"))


def _is_trec(path: str | Path) -> bool:
    first = next((line for _, line in text_lines(path) if line.strip()), "")
    if first.lstrip().startswith("{"):
        return False
    return len(first.split()) == 6 and "document" not in first.lower().split() and "score" not in first.lower().split()


def _warn(path: str | Path, found: dict[str, dict[str, float]], ranks: dict[str, list[tuple[float, float]]]) -> None:
    against = sum(_contradicts(pairs) for pairs in ranks.values())
    if against:
        warnings.warn(
            f"{path}: in {against:,} of {len(found):,} questions the ranks contradict the scores; the scores count",
            IsoglossWarning,
            3,
        )
    several = [set(answers.values()) for answers in found.values() if len(answers) > 1]
    if several and all(len(scores) == 1 for scores in several):
        warnings.warn(
            f"{path}: in each of {len(several):,} questions all documents have the same score: their order is that of "
            "their ids and says nothing of the system",
            IsoglossWarning,
            3,
        )


def _contradicts(pairs: list[tuple[float, float]]) -> bool:
    scores = [score for _, score in sorted(pairs, key=lambda pair: pair[0])]
    return any(later > earlier for earlier, later in itertools.pairwise(scores))


def write_run(run: RankedRun, path: str | Path, depth: int | None = None) -> None:
    """Write a TREC run: ``question Q0 document rank score tag``, ranks from 1, scores that read back bit-equal.

    Parameters
    ----------
    run
        What a system answered.
    path
        The file to write.
    depth
        Documents for each question; all where None.

    Raises
    ------
    CorpusError
        Where an id holds a blank.
    """
    tag = "_".join(run.name.split()) or "isogloss"
    lines: list[Any] = []
    for query, documents, scores in zip(run.queries, run.documents, run.scores, strict=True):
        for rank, (document, score) in enumerate(zip(documents[:depth], scores[:depth], strict=True), 1):
            lines.append(f"{solid(query)} Q0 {solid(document)} {rank} {float(score)!r} {tag}\n")
    Path(path).write_text("".join(lines), encoding="utf-8")
