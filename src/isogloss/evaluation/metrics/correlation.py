"""Correlations of predicted with true numbers, as aggregates that the bootstrap can re-weight."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import IsoglossError, IsoglossWarning
from isogloss.evaluation.sample import Aggregate, Sample

Numbers = NDArray[np.float64]

_BLOCK = 4_000_000  # numbers of one intermediate array: 32 MB


def pearson(items: NDArray[Any], weights: Numbers) -> Numbers:
    """Pearson's correlation of the two columns of ``items (n, 2)``, for each row of ``weights (b, n)``: ``(b,)``.

    Whole-number weights give the correlation of the sample in which each item stands so often. NaN where a column is
    constant among the items of positive weight.

    Examples
    --------
    >>> items = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 5.0]])
    >>> pearson(items, np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]])).round(4).tolist()
    [0.982, 1.0]
    """
    x, y = np.asarray(items, np.float64).T
    return _in_blocks(lambda part: _pearson(x[None], y[None], part), weights)


def spearman(items: NDArray[Any], weights: Numbers) -> Numbers:
    """Spearman's rank correlation of the two columns of ``items (n, 2)`` for each row of ``weights``: ``(b,)``.

    Equal values get their average rank; an item of weight w takes w ranks, so that whole-number weights give the
    correlation of the repeated sample. NaN where a column is constant.

    Examples
    --------
    >>> items = np.array([[1.0, 1.0], [2.0, 8.0], [3.0, 27.0], [4.0, 2.0]])
    >>> spearman(items, np.ones((1, 4))).round(2).tolist()
    [0.4]
    """
    x, y = _tie_groups(items[:, 0]), _tie_groups(items[:, 1])
    return _in_blocks(lambda part: _pearson(_ranks(x, part), _ranks(y, part), part), weights)


def kendall(items: NDArray[Any], weights: Numbers) -> Numbers:
    """Kendall's tau-b of the two columns of ``items (n, 2)`` for each row of ``weights (b, n)``: ``(b,)``.

    Every pair of items counts with the product of its weights, which for whole-number weights is tau-b of the
    repeated sample. Takes ``b * n * n`` steps. NaN where a column is constant.

    Examples
    --------
    >>> items = np.array([[1.0, 1.0], [2.0, 3.0], [3.0, 2.0]])
    >>> kendall(items, np.ones((1, 3))).round(4).tolist()
    [0.3333]
    """
    weights = np.asarray(weights, np.float64)
    x, y = np.asarray(items, np.float64).T
    agreement = np.zeros(len(weights))
    for start in range(0, len(x), max(1, _BLOCK // max(1, len(x)))):
        stop = start + max(1, _BLOCK // max(1, len(x)))
        signs = np.sign(x[start:stop, None] - x) * np.sign(y[start:stop, None] - y)
        agreement += np.einsum("bi,bi->b", weights[:, start:stop], weights @ signs.T)
    apart = [_pairs_apart(column, weights) for column in (x, y)]
    return _divided(agreement, np.sqrt(apart[0]) * np.sqrt(apart[1]))


AGGREGATES: dict[str, Aggregate] = {"pearson": pearson, "spearman": spearman, "kendall": kendall}


def correlations(
    predicted: Sequence[float] | NDArray[Any],
    true: Sequence[float] | NDArray[Any],
    *,
    groups: NDArray[np.int64] | None = None,
    names: Sequence[str] = ("pearson", "spearman"),
    prefix: str = "",
    warn: bool = True,
) -> dict[str, Sample]:
    """Measure how well ``predicted (n,)`` follows ``true (n,)``: one sample a correlation, over items ``(n, 2)``.

    Parameters
    ----------
    predicted, true
        Finite numbers, equally many, at least two.
    groups
        ``(n,)`` unit that the bootstrap draws; each item on its own where None.
    names
        Of ``pearson``, ``spearman``, ``kendall``.
    prefix
        Put before the names, such as ``cosine_``.
    warn
        Say it where ``predicted`` is constant; False where the caller has said so.

    Raises
    ------
    IsoglossError
        Where there are fewer than two items, numbers are not finite, or ``true`` is constant.

    Warns
    -----
    IsoglossWarning
        Where ``predicted`` is constant: the correlations are NaN.

    Examples
    --------
    >>> measured = correlations([0.1, 0.5, 0.4], [1, 2, 3])
    >>> round(measured["spearman"].value(), 3)
    0.5
    """
    items = np.column_stack([finite(predicted, "predicted"), finite(true, "true")])
    if len(items) < 2:
        raise IsoglossError("a correlation needs at least two items", f"there are {len(items)}", "give more")
    if (items[:, 1] == items[0, 1]).all():
        raise IsoglossError("the true numbers are constant", f"all {len(items)} are {items[0, 1]}", "check the data")
    if warn and (items[:, 0] == items[0, 0]).all():
        said = f"all {len(items)} predicted numbers are {items[0, 0]:g}: no correlation can be computed, it is NaN"
        warnings.warn(said, IsoglossWarning, stacklevel=2)
    return {
        prefix + name: Sample.of(items, groups=groups, aggregate=AGGREGATES[name], name=prefix + name) for name in names
    }


def finite(numbers: Sequence[float] | NDArray[Any], what: str) -> Numbers:
    """Return ``numbers`` as float64, or say how many are not finite and which is the first.

    Raises
    ------
    IsoglossError
        Where a number is NaN or infinite.

    Examples
    --------
    >>> finite([1, 2], "true").tolist()
    [1.0, 2.0]
    """
    array = np.asarray(numbers, np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        first = int(bad.reshape(len(array), -1).any(1).argmax())
        why = f"{int(bad.sum())} of {array.size} are NaN or infinite, the first is item {first}"
        raise IsoglossError(f"the {what} numbers are not finite", why, "repair what made them; none can be guessed")
    return array


def _in_blocks(measure: Any, weights: Numbers) -> Numbers:
    weights = np.asarray(weights, np.float64)
    size = max(1, _BLOCK // max(1, weights.shape[1]))
    parts = [measure(weights[start : start + size]) for start in range(0, len(weights), size)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _pearson(x: Numbers, y: Numbers, weights: Numbers) -> Numbers:
    """Weighted Pearson of ``x`` and ``y``, each ``(b or 1, n)``."""
    total = weights.sum(1, keepdims=True)
    x = x - np.where(total > 0, (weights * x).sum(1, keepdims=True), np.nan) / np.where(total > 0, total, 1)
    y = y - np.where(total > 0, (weights * y).sum(1, keepdims=True), np.nan) / np.where(total > 0, total, 1)
    # a column that is constant among the weighted items leaves a few rounding errors, not a spread
    xx, yy = (_spread(column, weights) for column in (x, y))
    return np.clip(_divided(np.einsum("bn,bn,bn->b", weights, x, y), np.sqrt(xx) * np.sqrt(yy)), -1.0, 1.0)


def _spread(centred: Numbers, weights: Numbers) -> Numbers:
    """Weighted sum of squares ``(b,)``, zero where all weighted values are the same."""
    there = weights > 0
    high = np.where(there, centred, -np.inf).max(1)
    low = np.where(there, centred, np.inf).min(1)
    return np.where(high > low, np.einsum("bn,bn,bn->b", weights, *np.broadcast_arrays(centred, centred)), 0.0)


def _divided(top: Numbers, bottom: Numbers) -> Numbers:
    known = bottom > 0
    return np.where(known, top / np.where(known, bottom, 1.0), np.nan)


def _tie_groups(values: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Order of the values, where each group of equal ones starts in it, and the group of each item."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    group = np.empty(len(values), np.intp)
    group[order] = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(values))))
    return order, starts, group


def _ranks(ties: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]], weights: Numbers) -> Numbers:
    """Average rank of each item in the repeated sample, less one half: ``(b, n)``."""
    order, starts, group = ties
    sizes = np.add.reduceat(weights[:, order], starts, axis=1)
    below = np.cumsum(sizes, axis=1) - sizes
    return np.asarray((below + sizes / 2)[:, group], np.float64)


def _pairs_apart(values: Numbers, weights: Numbers) -> Numbers:
    """Twice the weight of the pairs whose values differ: ``(b,)``."""
    order, starts, _ = _tie_groups(values)
    sizes = np.add.reduceat(weights[:, order], starts, axis=1)
    apart = sizes.sum(1) ** 2 - (sizes**2).sum(1)
    return np.where((sizes > 0).sum(1) > 1, np.maximum(apart, 0.0), 0.0)
