"""Errors of predicted numbers, as aggregates that the bootstrap can re-weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import IsoglossError
from isogloss.evaluation.metrics.correlation import correlations, finite
from isogloss.evaluation.sample import Sample, mean

Numbers = NDArray[np.float64]


def errors(
    predicted: Sequence[float] | NDArray[Any], true: Sequence[float] | NDArray[Any], *,
    groups: NDArray[np.int64] | None = None,
) -> dict[str, Sample]:  # fmt: skip
    """Measure predicted numbers ``(n,)`` against true ones.

    Returns
    -------
    dict
        ``mae``, ``mse``, ``rmse``, ``r2``, and the correlations ``pearson``, ``spearman`` and ``kendalltau``.

    Raises
    ------
    IsoglossError
        As :func:`isogloss.evaluation.metrics.correlation.correlations`, or where there are not equally many.

    Examples
    --------
    >>> {name: round(sample.value(), 3) for name, sample in errors([1.0, 2.0, 4.0], [1.0, 3.0, 4.0]).items()}["r2"]
    0.786
    """
    if len(predicted) != len(true):
        raise IsoglossError("numbers do not pair up", f"{len(predicted)} predicted, {len(true)} true", "give as many")
    order = correlations(predicted, true, groups=groups, names=("pearson", "spearman", "kendall"))
    items = np.column_stack([finite(predicted, "predicted"), finite(true, "true")])
    away = items[:, 0] - items[:, 1]
    kendall = order["kendall"]
    return {
        "mae": Sample.of(np.abs(away), groups=groups, name="mae"),
        "mse": Sample.of(away**2, groups=groups, name="mse"),
        "rmse": Sample.of(away**2, groups=groups, aggregate=root_mean, name="rmse"),
        "r2": Sample.of(items, groups=groups, aggregate=r2, name="r2"),
        "pearson": order["pearson"],
        "spearman": order["spearman"],
        "kendalltau": Sample(kendall.items, kendall.groups, kendall.aggregate, "kendalltau"),
    }


def root_mean(items: NDArray[Any], weights: Numbers) -> Numbers:
    """Root of the weighted mean of ``items (n,)``: ``(b,)``.

    Examples
    --------
    >>> root_mean(np.array([1.0, 7.0]), np.ones((1, 2))).tolist()
    [2.0]
    """
    return np.sqrt(mean(items, weights))


def r2(items: NDArray[Any], weights: Numbers) -> Numbers:
    """Share of the variance of the true numbers that the prediction explains; ``items (n, 2)``, predicted and true.

    Below 0 where the mean would predict better; NaN where the true numbers are constant.

    Examples
    --------
    >>> r2(np.array([[1.0, 1.0], [2.0, 3.0], [4.0, 4.0]]), np.ones((1, 3))).round(3).tolist()
    [0.786]
    """
    weights = np.asarray(weights, np.float64)
    true = items[:, 1].astype(np.float64)
    middle = mean(true, weights)
    centred = true - true.mean()  # moments about a near point keep their digits
    spread = weights @ centred**2 - weights.sum(1) * (middle - true.mean()) ** 2
    wrong = weights @ (items[:, 0] - true) ** 2
    flat = np.array([len(np.unique(true[row > 0])) < 2 for row in weights])
    return np.where(flat, np.nan, 1 - wrong / np.where(flat, 1.0, spread))
