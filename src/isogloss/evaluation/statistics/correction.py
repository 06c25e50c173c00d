"""Corrections of p-values where several hypotheses are tested at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError


def holm(p: Sequence[float] | NDArray[np.floating]) -> NDArray[np.float64]:
    """Return p-values adjusted so that the chance of any false discovery stays below the level.

    Holm, "A simple sequentially rejective multiple test procedure" (1979, https://www.jstor.org/stable/4615733):
    the i-th smallest of m is multiplied by m - i + 1, and never falls below the one before.

    Raises
    ------
    UsageError
        Where a value is no probability.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = _checked(p)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    return _placed(np.maximum.accumulate(values[order] * factors), order)


def benjamini_hochberg(p: Sequence[float] | NDArray[np.floating]) -> NDArray[np.float64]:
    """Return p-values adjusted so that the expected share of false discoveries stays below the level.

    Benjamini and Hochberg, "Controlling the false discovery rate" (1995, https://www.jstor.org/stable/2346101): the
    i-th smallest of m is multiplied by m / i, and never exceeds the one after.

    Raises
    ------
    UsageError
        Where a value is no probability.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    values = _checked(p)
    order = np.argsort(values, kind="stable")
    factors = len(values) / np.arange(1, len(values) + 1)
    return _placed(np.minimum.accumulate((values[order] * factors)[::-1])[::-1], order)


def _checked(p: Sequence[float] | NDArray[np.floating]) -> NDArray[np.float64]:
    values = np.asarray(p, np.float64).reshape(-1)
    bad = ~((values >= 0) & (values <= 1))
    if bad.any():
        raise UsageError("p-values lie between 0 and 1", f"{bad.sum():,} of {len(values):,} do not: {values[bad][:3]}")
    return values


def _placed(adjusted: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
    out = np.empty(len(order))
    out[order] = np.minimum(adjusted, 1.0)
    return out
