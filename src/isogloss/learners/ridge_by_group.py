"""Ridge regression whose penalty is chosen by leaving out whole groups: speakers, books, sites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.learners.ridge import LinearMap, ridge

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


def ridge_by_group(
    x: NDArray[Any], y: NDArray[Any], groups: NDArray[Any], *, penalties: Sequence[float] = PENALTIES
) -> LinearMap:
    """Fit with the penalty that predicts left-out groups best, by mean absolute error; of equal ones the greatest.

    Parameters
    ----------
    x, y
        ``(n, d)`` and ``(n,)`` or ``(n, k)``.
    groups
        ``(n,)`` what must not be on both sides.
    penalties
        To choose from, relative to the mean squared length of the centred rows.

    Raises
    ------
    UsageError
        Where there are fewer than two groups or no penalties, or what :func:`~isogloss.learners.ridge.ridge` refuses.

    Examples
    --------
    >>> x = np.arange(8.0)[:, None]
    >>> fitted = ridge_by_group(x, 3 * x[:, 0] + 1, np.repeat([0, 1], 4), penalties=(0.0, 5.0))
    >>> fitted(np.array([[10.0]])).round(6).tolist()
    [[31.0]]
    """
    x, y, groups = np.asarray(x, np.float64), np.asarray(y, np.float64), np.asarray(groups)
    names = np.unique(groups)
    if len(groups) != len(x) or len(names) < 2 or not penalties:
        why = f"{len(names)} groups of {len(groups)} for {len(x)} rows, {len(penalties)} penalties"
        raise UsageError("no penalty can be chosen", why, "give at least two groups and one penalty")
    scale = float(((x - x.mean(0)) ** 2).sum(1).mean())

    def error(penalty: float) -> float:
        away = []
        for name in names:
            out = groups == name
            found = ridge(x[~out], y[~out], penalty=penalty * scale)(x[out])
            away.append(np.abs(found - y[out].reshape(len(found), -1)).mean())
        return float(np.mean(away))

    best = min(sorted(penalties, reverse=True), key=error)
    return ridge(x, y, penalty=best * scale)
