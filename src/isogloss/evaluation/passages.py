"""Scores of passages and of the documents that they come from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError


def best_of_groups(scores: NDArray[Any], owner: NDArray[np.int64], documents: int) -> NDArray[Any]:
    """Return the score of each document: that of its best passage; -inf for one without passages.

    Parameters
    ----------
    scores
        ``(questions, passages)``.
    owner
        ``(passages,)`` the document of each.
    documents
        How many there are.

    Returns
    -------
    ``(questions, documents)``

    Examples
    --------
    >>> best_of_groups(np.array([[1.0, 3.0, 2.0]]), np.array([0, 1, 0]), 2).tolist()
    [[2.0, 3.0]]
    """
    scores, owner = np.asarray(scores), np.asarray(owner)
    if scores.shape[1] != len(owner) or (len(owner) and not 0 <= owner.min() <= owner.max() < documents):
        raise UsageError(
            "passages and documents do not match",
            f"{scores.shape[1]} scores, {len(owner)} owners among {documents} documents",
        )
    best = np.full((documents, len(scores)), -np.inf, scores.dtype)
    np.maximum.at(best, owner, scores.T)  # (passages, questions) into (documents, questions)
    return best.T


def scaled(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Scale each question's scores to 0 ... 1; equal scores become 0.

    Examples
    --------
    >>> scaled(np.array([[1.0, 3.0, 2.0], [4.0, 4.0, 4.0]])).tolist()
    [[0.0, 1.0, 0.5], [0.0, 0.0, 0.0]]
    """
    scores = np.asarray(scores, np.float64)
    low, high = scores.min(1, keepdims=True), scores.max(1, keepdims=True)
    return np.asarray((scores - low) / np.where(high > low, high - low, 1.0), np.float64)
