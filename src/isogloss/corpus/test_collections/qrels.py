"""Judgements of relevance: TREC qrels, BEIR's three columns, tables with a header."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

from isogloss.corpus.judgements import Qrels
from isogloss.corpus.test_collections.tables import Layout, fault, identifier, number, read_columns
from isogloss.errors import CorpusError, IsoglossWarning

QUERY = ("query-id", "query_id", "queryid", "qid", "query", "topic", "question", "question-id", "question_id")
DOCUMENT = (
    "corpus-id", "corpus_id", "doc-id", "doc_id", "docid", "docno", "document-id", "document_id", "document", "doc",
    "pid", "passage_id", "id",
)  # fmt: skip
GRADE = ("score", "grade", "relevance", "rel", "label", "judgement", "judgment", "relevant")
LAYOUT = Layout(
    {"question": QUERY, "document": DOCUMENT, "grade": GRADE},
    {3: (0, 1, 2), 4: (0, 2, 3)},
    "question, document, grade (BEIR), or question, 0, document, grade (TREC), or a header that names them",
    blanks=True,
)


def read_qrels(path: str | Path) -> Qrels:
    r"""Read judgements.

    Parameters
    ----------
    path
        TREC qrels (``question 0 document grade``, parted by blanks or tabs), BEIR's TSV (``query-id corpus-id score``
        with or without its header), or TSV, CSV or JSON Lines with fields named so; plain or gzip.

    Returns
    -------
    dict
        ``qrels[question][document]`` is the grade, in the order of the file.

    Raises
    ------
    CorpusError
        For an empty file, other columns, a grade that is no finite number, or two grades for one document; the
        message names file, line and what was expected. A judgement that stands twice alike is counted in a warning.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "q.trec"
    >>> _ = file.write_text("1 0 d7 2\n1 0 d9 0\n")
    >>> read_qrels(file)
    {'1': {'d7': 2.0, 'd9': 0.0}}
    """
    qrels: Qrels = {}
    twice = 0
    for line, (query, document, grade) in read_columns(path, LAYOUT):
        query = identifier(query, path, line, "question")
        document = identifier(document, path, line, "document")
        grade = number(grade, path, line, "grade")
        judged = qrels.setdefault(query, {})
        if document in judged:
            twice += 1
            if judged[document] != grade:
                raise fault(
                    path, line, f"question {query}, document {document} is graded {judged[document]:g} and {grade:g}",
                    "one grade for each document of a question",
                )  # fmt: skip
        judged[document] = grade
    if not qrels:
        raise fault(path, 0, "a header and no judgements", LAYOUT.expected)
    if twice:
        warnings.warn(f"{path}: {twice:,} judgements stand more than once; each counts once", IsoglossWarning, 2)
    return qrels


def write_qrels(qrels: Qrels, path: str | Path) -> None:
    """Write judgements as TREC qrels, readable by ``trec_eval`` and by :func:`read_qrels`.

    Raises
    ------
    CorpusError
        Where an id holds a blank (TREC files are parted by blanks) or a grade is no whole number.
    """
    lines = []
    for query, judged in qrels.items():
        for document, grade in judged.items():
            if grade != int(grade):
                raise CorpusError(
                    f"the grade {grade} of question {query}, document {document} is no whole number",
                    "TREC qrels hold whole numbers",
                    "scale the grades first",
                )
            lines.append(f"{solid(query)} 0 {solid(document)} {int(grade)}\n")
    Path(path).write_text("".join(lines), encoding="utf-8")


def solid(id: str) -> str:
    """Return an id that can stand in a TREC file.

    Raises
    ------
    CorpusError
        Where it is empty or holds a blank.

    Examples
    --------
    >>> solid("doc/7")
    'doc/7'
    """
    if not id or id.split() != [id]:
        raise CorpusError(
            f"the id {id!r} cannot stand in a TREC file", "its columns are parted by blanks", "give it another id"
        )
    return id


def keep_known(
    qrels: Qrels, queries: Iterable[str], documents: Iterable[str], name: str = "the judgements"
) -> tuple[Qrels, dict[str, int]]:
    """Leave out judgements of unknown questions and documents, and say how many with a warning.

    Parameters
    ----------
    qrels
        Judgements as read.
    queries, documents
        The ids that are known.
    name
        Where the judgements come from, for the message.

    Returns
    -------
    tuple
        The judgements left, and the counts left out: ``{"unknown question": 2, "unknown document": 1}`` (only what
        occurs).

    Raises
    ------
    CorpusError
        Where nothing is left: then questions, documents and judgements do not belong together.

    Examples
    --------
    >>> keep_known({"q": {"a": 1.0}}, ["q"], ["a", "b"])
    ({'q': {'a': 1.0}}, {})
    """
    asked, known = set(queries), set(documents)
    kept: Qrels = {}
    lost: dict[str, str] = {}
    unknown: dict[str, int] = {}
    for query, judged in qrels.items():
        for document, grade in judged.items():
            if query in asked and document in known:
                kept.setdefault(query, {})[document] = grade
                continue
            reason, id = ("unknown document", document) if query in asked else ("unknown question", query)
            unknown[reason] = unknown.get(reason, 0) + 1
            lost.setdefault(reason, id)
    if unknown:
        said = ", ".join(f"{unknown[reason]:,} with an {reason} (the first is {lost[reason]})" for reason in unknown)
        total = sum(len(judged) for judged in qrels.values())
        if not kept:
            raise CorpusError(
                f"none of the {total:,} judgements of {name} can be used",
                said,
                "pass questions, documents and judgements of one test collection, with the same ids",
            )
        warnings.warn(f"{name}: {sum(unknown.values()):,} of {total:,} judgements left out: {said}", IsoglossWarning, 2)
    return kept, unknown
