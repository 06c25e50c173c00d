"""Test collections: questions, judgements (qrels) and ranked runs, as plain data that readers fill and metrics read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import CorpusError
from isogloss.protocols import Record

Qrels: TypeAlias = dict[str, dict[str, float]]
"""``qrels[query][document]`` is the judged relevance; 0 or less: judged and not relevant."""


@dataclass(frozen=True, slots=True)
class RankedRun:
    """What one system answered: for each question its documents, best first.

    Attributes
    ----------
    queries
        Ids of the questions, distinct.
    documents
        For each question the ids of the documents, ordered as trec_eval orders them: by falling score, equal scores
        by falling id.
    scores
        For each question the scores in the same order, float64.
    name
        Name of the system (the tag of a TREC run).
    """

    queries: list[str]
    documents: list[list[str]]
    scores: list[NDArray[np.float64]]
    name: str = ""

    def __len__(self) -> int:
        return len(self.queries)

    @classmethod
    def from_scores(cls, found: Mapping[str, Mapping[str, float]], name: str = "") -> RankedRun:
        """Order ``found[query][document] = score`` as trec_eval does.

        Raises
        ------
        CorpusError
            Where a score is NaN or infinite; the message names the question and the document.

        Examples
        --------
        >>> RankedRun.from_scores({"q": {"a": 1.0, "b": 2.0, "c": 1.0}}).documents
        [['b', 'c', 'a']]
        """
        documents, scores = [], []
        for query, answers in found.items():
            ranked = sorted(answers.items(), key=lambda pair: pair[0], reverse=True)
            ranked.sort(key=lambda pair: -_finite(pair[1], query, pair[0], name))
            documents.append([document for document, _ in ranked])
            scores.append(np.array([score for _, score in ranked], np.float64))
        return cls(list(found), documents, scores, name)


def _finite(score: float, query: str, document: str, name: str) -> float:
    if not np.isfinite(score):
        raise CorpusError(
            f"the run {name} holds a score that is no number".replace("  ", " "),
            f"question {query}, document {document}: {score}",
            "repair the system that wrote it; a rank cannot be guessed",
        )
    return float(score)


@dataclass(slots=True)
class TestCollection:
    """Documents, questions and judgements.

    Attributes
    ----------
    documents
        The documents; ids are distinct.
    queries
        Text of each question by its id, in the order of the file.
    qrels
        Judgements; every id in it is known (readers count and report those that are not).
    name
        Name for reports.
    unknown
        Judgements that were left out, by reason, such as ``{"unknown document": 3}``.
    """

    __test__ = False  # not a test class, whatever pytest thinks of its name

    documents: list[Record]
    queries: dict[str, str]
    qrels: Qrels
    name: str = ""
    unknown: dict[str, int] = field(default_factory=dict)


def judged_queries(qrels: Qrels) -> list[str]:
    """Return the questions that have at least one relevant document, in order: the ones that metrics average over.

    Examples
    --------
    >>> judged_queries({"a": {"d": 1.0}, "b": {"d": 0.0}})
    ['a']
    """
    return [query for query, judged in qrels.items() if any(grade > 0 for grade in judged.values())]


def distinct(ids: Iterable[str], what: str) -> list[str]:
    """Return the ids as a list, or say which one occurs twice.

    Raises
    ------
    CorpusError
        Where an id occurs twice.

    Examples
    --------
    >>> distinct(["a", "b"], "question")
    ['a', 'b']
    """
    found: dict[str, int] = {}
    for id in ids:
        found[id] = found.get(id, 0) + 1
    twice = [id for id, count in found.items() if count > 1]
    if twice:
        raise CorpusError(
            f"{len(twice)} {what} ids occur more than once", f"the first is {twice[0]}", "give each its own id"
        )
    return list(found)
