"""Ridge regression of vectors on vectors: a linear map in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError


@dataclass(frozen=True, slots=True)
class LinearMap:
    """``x @ weights + offset``: ``(n, d)`` to ``(n, k)``."""

    weights: NDArray[np.float64]
    offset: NDArray[np.float64]

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Apply the map to rows."""
        return np.asarray(x, np.float64) @ self.weights + self.offset  # (n, d) @ (d, k) -> (n, k)


def ridge(x: NDArray[Any], y: NDArray[Any], *, penalty: float = 1.0) -> LinearMap:
    """Return the map that minimises ``|x w + b - y|^2 + penalty |w|^2``; the offset is not penalised.

    Parameters
    ----------
    x
        ``(n, d)``.
    y
        ``(n, k)``, or ``(n,)`` for one number.
    penalty
        0 gives least squares (the smallest weights where they are not unique).

    Raises
    ------
    UsageError
        Where numbers of rows differ, there are none, or a value is not finite.

    Examples
    --------
    >>> double = ridge(np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0]), penalty=0.0)
    >>> double(np.array([[3.0]])).round(6).tolist()
    [[7.0]]
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    y = y[:, None] if y.ndim == 1 else y
    if x.ndim != 2 or len(x) != len(y) or not len(x):
        raise UsageError("the rows of x and y do not match", f"{x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise UsageError("a value is not finite", "NaN or infinity in x or y", "remove these rows")
    if penalty < 0:
        raise UsageError("a penalty is not negative", f"it is {penalty}")
    middle_x, middle_y = x.mean(0), y.mean(0)
    a, b = x - middle_x, y - middle_y
    gram = a.T @ a + penalty * np.eye(x.shape[1])  # (d, n) @ (n, d) -> (d, d)
    weights = np.linalg.solve(gram, a.T @ b) if penalty else np.linalg.lstsq(a, b, rcond=None)[0]
    return LinearMap(weights, middle_y - middle_x @ weights)
