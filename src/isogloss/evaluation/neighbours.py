"""Judges of vectors and scores: where the one right neighbour stands, and how many of the true best are found."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Similarity
from isogloss.errors import UsageError
from isogloss.evaluation.sample import Sample

Grouping = NDArray[np.int64] | None


def gold_ranks(scores: NDArray[Any], gold: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rank of each question's right item, from 0; equal scores count against it.

    A constant answer is therefore the worst one, and no accident of order can look like knowledge.

    Parameters
    ----------
    scores
        ``(questions, items)``.
    gold
        ``(questions,)`` number of the right item.

    Raises
    ------
    UsageError
        Where shapes do not fit or a score is NaN.

    Examples
    --------
    >>> gold_ranks(np.array([[0.1, 0.9], [0.5, 0.5]]), np.array([1, 0])).tolist()
    [0, 1]
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or len(scores) != len(gold):
        raise UsageError("scores and questions do not match", f"scores {scores.shape}, {len(gold)} right items")
    if np.isnan(scores).any():
        raise UsageError("a score is no number", f"{int(np.isnan(scores).sum())} of {scores.size} are NaN")
    own = scores[np.arange(len(gold)), gold][:, None]
    return np.asarray((scores >= own).sum(1) - 1, np.int64)  # (questions, items) -> (questions,)


def known_item(scores: NDArray[Any], gold: NDArray[np.int64], *, k: int = 10, groups: Grouping = None) -> Sample:
    """Return nDCG@k where each question has one right item: ``1 / log2(rank + 2)`` within the first ``k``.

    Examples
    --------
    >>> known_item(np.array([[0.1, 0.9], [0.7, 0.5]]), np.array([1, 0])).value()
    1.0
    """
    ranks = gold_ranks(scores, gold)
    return Sample.of(np.where(ranks < k, 1 / np.log2(ranks + 2), 0.0), groups=groups, name=f"ndcg@{k}")


def hits_at(scores: NDArray[Any], gold: NDArray[np.int64], *, k: int = 10, groups: Grouping = None) -> Sample:
    """Return the share of questions whose one right item is among the first ``k``.

    Examples
    --------
    >>> hits_at(np.array([[0.1, 0.9], [0.7, 0.5]]), np.array([0, 0]), k=1).items.tolist()
    [0.0, 1.0]
    """
    return Sample.of((gold_ranks(scores, gold) < k).astype(float), groups=groups, name=f"hits@{k}")


def recall_of_best(
    scores: NDArray[Any], truth: NDArray[Any], *, best: int = 10, within: int = 20, groups: Grouping = None
) -> Sample:
    """Return for each question the share of the ``best`` items by ``truth`` among the first ``within`` by ``scores``.

    Both are ``(questions, items)``; equal scores are ordered by item, in both.

    Examples
    --------
    >>> recall_of_best(np.array([[1, 2, 3, 0]]), np.array([[0, 3, 2, 1]]), best=2, within=1).items.tolist()
    [0.5]
    """
    if np.shape(scores) != np.shape(truth):
        raise UsageError("scores and truth do not match", f"{np.shape(scores)} and {np.shape(truth)}")
    first = np.argsort(-np.asarray(scores, np.float64), axis=1, kind="stable")[:, :within]
    right = np.argsort(-np.asarray(truth, np.float64), axis=1, kind="stable")[:, :best]
    shares = [np.isin(one, other).mean() for one, other in zip(right, first, strict=True)]
    return Sample.of(shares, groups=groups, name=f"recall@{within} of the best {best}")


def cosines(queries: NDArray[Any], documents: NDArray[Any]) -> NDArray[np.float32]:
    """Return the cosine of each query and document, ``(q, n)``; a vector of zeros has cosine 0 with everything.

    Examples
    --------
    >>> cosines(np.array([[2.0, 0.0]]), np.array([[3.0, 0.0], [0.0, 1.0]])).tolist()
    [[1.0, 0.0]]
    """
    return Similarity.COSINE(np.asarray(queries, np.float32), np.asarray(documents, np.float32))
