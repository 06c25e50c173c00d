"""Ranking of candidates that each question brings along: what reranking and answer selection share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR
from isogloss.corpus.examples import Candidates
from isogloss.corpus.judgements import Qrels, RankedRun
from isogloss.errors import IsoglossError
from isogloss.evaluation.metrics.correlation import finite
from isogloss.evaluation.ranking import fitting_index
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.evaluation.tasks.pairwise import alike

Numbers = NDArray[np.float64]


@runtime_checkable
class Scorer(Protocol):
    """A reranker: scores documents for one query, higher is better."""

    def score(self, query: str, documents: list[str]) -> Any:
        """Return one number a document."""
        ...


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates as a run with judgements, and how many questions were left out.

    Attributes
    ----------
    run, qrels
        Questions are numbered as given.
    left_out
        Number of questions by reason.
    """

    run: RankedRun
    qrels: Qrels
    left_out: dict[str, int]


def rank_candidates(scores: list[Numbers], data: Candidates, *, need_wrong: bool) -> Ranked:
    """Order the candidates of each question by their scores; of equal scores the wrong candidates come first.

    So a system that tells nothing apart gets the worst result, not the order of the file, as in MTEB, whose ids put
    wrong candidates first among equals.

    Parameters
    ----------
    scores
        For each question a finite number a candidate.
    data
        Questions without a right candidate are left out.
    need_wrong
        Leave out questions without a wrong candidate too.

    Raises
    ------
    IsoglossError
        Where scores are not finite or not as many as candidates, or no question is left.

    Examples
    --------
    >>> data = Candidates(["q"], [["yes", "no"]], [np.array([1.0, 0.0])])
    >>> rank_candidates([np.array([0.5, 0.5])], data, need_wrong=True).run.documents
    [['n00001', 'a00000']]
    """
    left_out = {"without a right candidate": 0, "without a wrong candidate": 0}
    found: dict[str, dict[str, float]] = {}
    qrels: Qrels = {}
    for i, (scored, grades) in enumerate(zip(scores, data.grades, strict=True)):
        right = grades > 0
        if not right.any():
            left_out["without a right candidate"] += 1
        elif right.all() and need_wrong:
            left_out["without a wrong candidate"] += 1
        else:
            if len(scored) != len(grades):
                raise IsoglossError("scores and candidates differ", f"question {i}: {len(scored)} and {len(grades)}")
            ids = [f"{'a' if good else 'n'}{place:05}" for place, good in enumerate(right)]
            found[str(i)] = dict(zip(ids, finite(scored, "scored").tolist(), strict=True))
            qrels[str(i)] = dict(zip(ids, grades.tolist(), strict=True))
    if not found:
        raise IsoglossError("no question is left to rank", f"{left_out}", "check the grades of the candidates")
    return Ranked(RankedRun.from_scores(found), qrels, left_out)


def check(data: Candidates) -> None:
    """Say what is wrong with candidates.

    Raises
    ------
    IsoglossError
        Where lists are not equally long, grades are not finite, or there is no question.

    Examples
    --------
    >>> check(Candidates(["q"], [["yes", "no"]], [np.array([1.0, 0.0])]))
    """
    if not data.queries or not len(data.queries) == len(data.texts) == len(data.grades):
        why = f"{len(data.queries)} questions, {len(data.texts)} lists of candidates, {len(data.grades)} of grades"
        raise IsoglossError("there is nothing to rank", why, "give each question its candidates and their grades")
    for i, (texts, grades) in enumerate(zip(data.texts, data.grades, strict=True)):
        if len(texts) != len(grades):
            why = f"question {i} has {len(texts)} candidates and {len(grades)} grades"
            raise IsoglossError("candidates and grades differ", why, "give each candidate a grade")
        finite(grades, "graded")


def encoder_scores(encoding: Encoding, data: Candidates) -> list[Numbers]:
    """Return the similarity of each question to each of its candidates.

    Counts of words are compared by BM25, with the statistics of all candidates.
    """
    flat = [text for texts in data.texts for text in texts]
    ends = np.cumsum([len(texts) for texts in data.texts])
    documents, queries = encoding.of(flat, "document"), encoding.of(data.queries, "query")
    if isinstance(queries, CSR):
        index = fitting_index(encoding.encoder, documents)
        index.add(np.arange(len(flat)), documents)
        scores = [index.score_all(queries.take(np.array([i])))[1] for i in range(len(queries))]
        return [one[start:end].astype(np.float64) for one, start, end in zip(scores, [0, *ends], ends, strict=False)]
    owners = np.repeat(np.arange(len(data.queries)), [len(texts) for texts in data.texts])
    asked = encoding.of([data.queries[owner] for owner in owners], "query")
    return np.split(alike(asked, documents, encoding.encoder.similarity), ends[:-1])
