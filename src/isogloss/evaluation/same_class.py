"""Judges of vectors by labels alone: whether texts of one class stand nearest to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.evaluation.sample import Sample


def same_class_precision(scores: NDArray[Any], labels: Sequence[Any] | NDArray[Any]) -> Sample:
    """Return the average precision of each item's ranking of all others, those of its class being the right ones.

    Equal scores count against the right ones, so that a constant answer is the worst one. Items that are alone in their
    class are left out.

    Parameters
    ----------
    scores
        ``(n, n)``, the higher the nearer; an item is not compared with itself.
    labels
        ``(n,)`` classes.

    Raises
    ------
    UsageError
        Where the shapes do not fit, a score is no number, or no class has two items.

    Examples
    --------
    >>> scores = np.array([[0, 3, 2, 1], [3, 0, 1, 2], [2, 1, 0, 3], [1, 2, 3, 0]])
    >>> same_class_precision(scores, ["a", "a", "b", "b"]).value(), same_class_precision(scores, [0, 1, 0, 1]).value()
    (1.0, 0.5)
    """
    scores, classes = np.asarray(scores, np.float64), np.unique(np.asarray(labels), return_inverse=True)[1]
    if scores.shape != (len(classes), len(classes)):
        raise UsageError("scores and labels do not match", f"scores {scores.shape}, {len(classes)} labels")
    if np.isnan(scores).any():
        raise UsageError("a score is no number", f"{int(np.isnan(scores).sum())} of {scores.size} are NaN")
    right = classes[:, None] == classes[None, :]
    np.fill_diagonal(right, False)
    kept = right.any(1)
    if not kept.any():
        raise UsageError("nothing can be found", f"none of {len(classes)} items shares its class with another one")
    away = np.where(np.eye(len(classes), dtype=bool), -np.inf, scores)  # an item is last in its own ranking
    order = np.lexsort((right, -away), axis=1)  # of equal scores the wrong ones first
    hits = np.take_along_axis(right, order, axis=1)  # (n, n)
    precision = hits.cumsum(1) / np.arange(1, len(classes) + 1)
    found = (precision * hits).sum(1) / np.maximum(1, right.sum(1))
    return Sample.of(found[kept], groups=classes[kept], name="average precision of the class")
