"""Whitening: all directions get the same variance and none tells anything about another."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import charge
from isogloss.transforms.blocks import by_blocks
from isogloss.transforms.estimator import Estimator
from isogloss.transforms.projection import principal_directions


class Whitening(Estimator):
    """Centre, turn onto the principal directions, and divide each by its standard deviation.

    With the mean m and the covariance U diag(v) U^T of the fitted rows, a row becomes
    ``(x - m) U diag(1 / sqrt(v + eps))``, and with ``kind="zca"`` times ``U^T``, which brings it as near to where it
    was as a whitened row can be. Directions in which the fitted rows do not vary at all get the factor 0 (else a new
    row would explode there), unless ``shrinkage`` gives them variance. Three ways soften it: ``eps`` (as Soft-ZCA:
    weak directions are not blown up), ``shrinkage``, and ``strength`` (every direction goes a part of the way).

    Source: Huang et al. 2021, "WhiteningBERT" (https://arxiv.org/abs/2104.01767); Su et al. 2021, "Whitening Sentence
    Representations" (https://arxiv.org/abs/2103.15316), which keeps the first directions only; ZCA: Kessy, Lewin,
    Strimmer 2018, "Optimal Whitening and Decorrelation" (https://arxiv.org/abs/1512.00809); soft: Diera, Galke,
    Scherp 2024, "Isotropy Matters: Soft-ZCA Whitening" (https://arxiv.org/abs/2411.17538).

    Parameters
    ----------
    kind
        ``"pca"`` or ``"zca"``.
    dimensions
        Directions to keep, strongest first; None for all. With ``"zca"`` the rows keep their width.
    eps
        Added to each variance.
    shrinkage
        Share of the covariance, from 0 to 1, that is replaced by the same mean variance in every direction; for
        fewer rows than columns.
    strength
        Power of the division, from 0 (the rows are only turned) to 1 (they become white).

    Attributes
    ----------
    mean_
        ``(d,)``.
    weights_
        ``(d, k)``: a row less the mean, times this, is white.
    back_
        ``(k, d)``: the way back, on the kept directions.

    Examples
    --------
    >>> cross = np.array([[8.0, 7.0], [2.0, 7.0], [5.0, 9.0], [5.0, 5.0]])
    >>> np.cov(Whitening(eps=0.0).fit_transform(cross).T).round(6).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(
        self, *, kind: Literal["pca", "zca"] = "pca", dimensions: int | None = None, eps: float = 1e-6,
        shrinkage: float = 0.0, strength: float = 1.0,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.dimensions = dimensions
        self.eps = eps
        self.shrinkage = shrinkage
        self.strength = strength

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn mean and covariance from ``X (n, d)``; a parameter out of its range is a ``ValueError``."""
        matrix = self._matrix(X, reset=True)
        kept = self._checked(matrix.shape[1])
        found = principal_directions(matrix)
        values = found.values
        # what rounding leaves of a direction without variance is nothing to divide by
        real = values > values[0] * max(matrix.shape) * np.finfo(matrix.dtype).eps
        if self.shrinkage:
            values = (1 - self.shrinkage) * values + self.shrinkage * values.mean()
            real = values > 0
        deviation = np.sqrt(values + self.eps) ** self.strength
        factors = np.divide(1, deviation, out=np.zeros_like(deviation), where=real & (deviation > 0))
        out = found.rows[:kept].T * factors[:kept]
        back = found.rows[:kept] * deviation[:kept, None]
        if self.kind == "zca":
            out, back = out @ found.rows[:kept], found.rows[:kept].T @ back
        self.mean_: NDArray[Any] = found.mean.astype(matrix.dtype)
        self.weights_: NDArray[Any] = np.ascontiguousarray(out, matrix.dtype)
        self.back_: NDArray[Any] = np.ascontiguousarray(back, matrix.dtype)
        return self

    def _checked(self, width: int) -> int:
        if self.kind not in ("pca", "zca"):
            raise ValueError(f"kind={self.kind!r} is neither 'pca' nor 'zca'")
        if self.eps < 0:
            raise ValueError(f"eps={self.eps} must not be negative")
        if not (0 <= self.shrinkage <= 1 and 0 <= self.strength <= 1):
            raise ValueError(f"shrinkage={self.shrinkage} and strength={self.strength} must lie in 0..1")
        kept = width if self.dimensions is None else self.dimensions
        if not 1 <= kept <= width:
            raise ValueError(f"dimensions={kept} must lie in 1..{width}, the columns of X")
        return kept

    def transform(self, X: Any) -> Any:
        """Return the white rows: ``(n, k)`` by ``"pca"``, ``(n, d)`` by ``"zca"``."""
        matrix = self._matrix(X)
        charge(multiply_adds=matrix.shape[0] * self.weights_.size)
        mean, weights = (one.astype(matrix.dtype, copy=False) for one in (self.mean_, self.weights_))
        return self._output(X, by_blocks(lambda part: (part - mean) @ weights, matrix))

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Return the points ``(n, d)`` of the kept directions that have these white coordinates."""
        points = self._coordinates(X)
        return by_blocks(lambda part: np.asarray(part @ self.back_ + self.mean_), points)

    def _width_out(self) -> int:
        return int(self.weights_.shape[1])
