"""Ranking of fixed candidates, as in answer selection: by an encoder, or by a reranker that reads both texts."""

from __future__ import annotations

import time

import numpy as np

from isogloss.corpus.examples import Candidates
from isogloss.evaluation.metrics.ranking import measure
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.tasks.candidates import Numbers, Scorer, check, encoder_scores, rank_candidates
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.protocols import Encoder, Progress, Silent

METRICS = ("map", "mrr", "ndcg@10", "ndcg", "hits@1", "recall@10", "rprec")
"""The metrics of candidate ranking; the first one counts."""


def run(
    encoder: Encoder | Scorer, data: Candidates, *, name: str, seed: int = 0, progress: Progress | None = None
) -> TaskResult:
    """Measure how well fixed candidates are ranked.

    Parameters
    ----------
    encoder
        An encoder, compared by its own similarity (counts of words by BM25 over all candidates), or a reranker with
        ``score(query, documents)``.
    data
        Questions with candidates and grades; a question without a right candidate is left out and counted. Of equal
        scores the wrong candidates come first.
    name, seed, progress
        As for :func:`isogloss.evaluation.tasks.sts.run`; nothing is random.

    Returns
    -------
    TaskResult
        ``map`` (which counts), ``mrr``, ``ndcg@10``, ``ndcg``, ``hits@1``, ``recall@10``, ``rprec``, an item a
        question.

    Raises
    ------
    IsoglossError
        Where candidates and grades do not pair up, scores are not finite, or no question is left.

    Warns
    -----
    IsoglossWarning
        Where all candidates of each question score the same.

    Examples
    --------
    >>> class Longest:
    ...     def score(self, query, documents):
    ...         return [len(document) for document in documents]
    >>> data = Candidates(["Who?"], [["Ada", "Ada Lovelace"]], [np.array([0.0, 1.0])])
    >>> run(Longest(), data, name="one question").scores()["mrr"]
    1.0
    """
    check(data)
    shown = progress or Silent()
    details: dict[str, object] = {}
    if isinstance(encoder, Scorer):
        started = time.perf_counter()
        scores = _scored(encoder, data, shown)
        seconds = time.perf_counter() - started
    else:
        encoding = Encoding(encoder, shown)
        scores = encoder_scores(encoding, data)
        seconds, details = encoding.seconds, encoding.details()
    ranked = rank_candidates(scores, data, need_wrong=False)
    samples = measure(ranked.run, ranked.qrels, METRICS)
    counts = {"questions": len(ranked.run), "candidates": sum(map(len, data.texts)), "left out": ranked.left_out}
    return TaskResult(name, "candidate_ranking", METRICS[0], samples, {**counts, **details}, seconds)


def _scored(scorer: Scorer, data: Candidates, progress: Progress) -> list[Numbers]:
    progress.start("scoring", len(data.queries), "questions")
    out = []
    try:
        for query, texts in zip(data.queries, data.texts, strict=True):
            out.append(np.asarray(scorer.score(query, texts), np.float64))
            progress.advance(1)
    finally:
        progress.finish()
    return out
