"""Reranking: whether the right ones of each question's candidates come first."""

from __future__ import annotations

from isogloss.corpus.examples import Candidates
from isogloss.evaluation.metrics.ranking import measure
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.tasks.candidates import check, encoder_scores, rank_candidates
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.evaluation.tasks.retrieval import DEPTHS
from isogloss.protocols import Encoder, Progress, Silent

METRICS = (
    "map@1000",
    *(f"{kind}@{depth}" for kind in ("map", "mrr", "ndcg", "recall", "precision", "hits") for depth in DEPTHS),
)
"""The metrics of reranking tasks; the first one counts."""


def run(
    encoder: Encoder, data: Candidates, *, name: str, seed: int = 0, progress: Progress | None = None
) -> TaskResult:
    """Measure an encoder as a reranker, as MTEB's reranking tasks do.

    Parameters
    ----------
    encoder, name, seed, progress
        As for :func:`isogloss.evaluation.tasks.sts.run`, in the roles ``query`` and ``document``; nothing is random.
    data
        Questions with candidates and their grades; a question whose candidates are all right, or all wrong, is left
        out and counted. Of equal scores the wrong candidates come first.

    Returns
    -------
    TaskResult
        ``map@K``, ``mrr@K``, ``ndcg@K`` and others, an item a question; ``map@1000`` counts.

    Raises
    ------
    IsoglossError
        Where candidates and grades do not pair up or no question is left.

    Warns
    -----
    IsoglossWarning
        Where all candidates of each question score the same.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.encoders.lexical import WordEncoder
    >>> data = Candidates(["cold water"], [["hot stones", "a cold lake"]], [np.array([0.0, 1.0])])
    >>> run(WordEncoder(), data, name="one question").scores()["map@1000"]
    1.0
    """
    check(data)
    encoding = Encoding(encoder, progress or Silent())
    ranked = rank_candidates(encoder_scores(encoding, data), data, need_wrong=True)
    samples = measure(ranked.run, ranked.qrels, METRICS)
    details = {
        "questions": len(ranked.run),
        "candidates": sum(map(len, data.texts)),
        "left out": ranked.left_out,
        **encoding.details(),
    }
    return TaskResult(name, "reranking", METRICS[0], samples, details, encoding.seconds)
