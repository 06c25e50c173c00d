"""How good mined pairs are, counted by sentence: so many right, so many taken, so many there were."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.evaluation.sample import Sample


def pairs_found(
    source: NDArray[Any], target: NDArray[Any], gold: NDArray[np.int64], *, precision: bool = False
) -> Sample:
    """Return the F1 of mined pairs, or their precision; a source sentence is one item.

    With ``r`` right ones among ``t`` pairs, and ``g`` translations that were there, ``F1 = 2 r / (t + g)`` and the
    precision is ``r / t``. Source: Zweigenbaum, Sharoff and Rapp 2017, "Overview of the Second BUCC Shared Task"
    (https://aclanthology.org/W17-2512/).

    Parameters
    ----------
    source, target
        ``(m,)`` rows of the pairs.
    gold
        ``(n,)`` row of each source sentence's translation, -1 where it has none.
    precision
        Precision alone; 0 where nothing was taken.

    Raises
    ------
    UsageError
        Where a pair has half a pair, or a source row that there is not.

    Examples
    --------
    >>> sample = pairs_found(np.array([0, 1]), np.array([5, 6]), np.array([5, -1, 7]))
    >>> sample.items.tolist(), sample.value()
    ([[1.0, 1.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 0.5)
    """
    source, target = np.asarray(source, np.int64), np.asarray(target, np.int64)
    if source.shape != target.shape or (len(source) and not 0 <= source.min() <= source.max() < len(gold)):
        why = f"{source.shape} source rows and {target.shape} target rows of {len(gold)} source sentences"
        raise UsageError("these pairs are none of these sentences", why, "give rows of both sides")
    right = (gold[source] == target) & (target >= 0)
    hits = np.minimum(np.bincount(source, right, minlength=len(gold)), 1)  # the same pair twice is found once
    items = np.column_stack([hits, np.bincount(source, minlength=len(gold)), gold >= 0]).astype(np.float64)  # (n, 3)
    return Sample.of(items, aggregate=_precision if precision else _f1, name="precision" if precision else "f1")


def _f1(items: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    right, taken, there = (weights @ items).T  # (b, n) @ (n, 3) -> (b, 3) -> (b,) each
    return np.asarray(2 * right / np.maximum(taken + there, 1e-12), np.float64)


def _precision(items: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    right, taken, _ = (weights @ items).T
    return np.asarray(right / np.maximum(taken, 1e-12), np.float64)
