"""Random projection: fewer dimensions without looking at the vectors, with distances nearly kept."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import charge
from isogloss.seeding import generator
from isogloss.transforms.blocks import by_blocks
from isogloss.transforms.estimator import Estimator


def enough_dimensions(rows: int, distortion: float) -> int:
    """Return how many dimensions keep all squared distances of ``rows`` points within ``1 +- distortion``.

    With that many a random projection does so with a chance above zero, whatever the points and their width; in
    practice far fewer do. Dasgupta and Gupta 2003, "An elementary proof of a theorem of Johnson and Lindenstrauss"
    (https://doi.org/10.1002/rsa.10073).

    Examples
    --------
    >>> enough_dimensions(10_000, 0.1), enough_dimensions(10_000, 0.5)
    (7895, 443)
    """
    if rows < 1 or not 0 < distortion < 1:
        raise ValueError(f"rows={rows} must be positive and distortion={distortion} must lie between 0 and 1")
    return max(1, math.ceil(4 * math.log(rows) / (distortion**2 / 2 - distortion**3 / 3)))


class RandomProjection(Estimator):
    """Multiply by a random matrix that keeps squared lengths on average.

    ``"gaussian"``: entries from a normal distribution of variance 1 / k. ``"sparse"``: an entry is 0 but with chance
    ``density``, then ``+-1 / sqrt(density * k)``; with density 1/3 that is Achlioptas' projection, which costs a third.
    Only the width of the vectors is learnt, nothing of their values.

    Source: Achlioptas 2003, "Database-friendly random projections" (https://doi.org/10.1016/S0022-0000(03)00025-4);
    Li, Hastie, Church 2006, "Very sparse random projections" (https://doi.org/10.1145/1150402.1150436).

    Parameters
    ----------
    dimensions
        To keep; None for :func:`enough_dimensions` of the fitted rows, at most the columns there are.
    kind
        ``"gaussian"`` or ``"sparse"``.
    density
        Share of entries that are not 0, for ``"sparse"``; None for one over the root of the columns, the least that
        Li, Hastie and Church advise.
    distortion
        Of squared distances, where ``dimensions`` is None.
    seed
        Of the draw.

    Attributes
    ----------
    values_, columns_, offsets_
        The matrix ``(k, d)`` in compressed rows; ``columns_`` is empty where no entry is 0.

    Examples
    --------
    >>> rows = np.eye(400)
    >>> near = RandomProjection(dimensions=100, kind="sparse", density=1 / 3).fit_transform(rows)
    >>> near.shape, bool(abs((near**2).sum(1).mean() - 1) < 0.1)
    ((400, 100), True)
    """

    data_free: ClassVar[bool] = True

    def __init__(
        self, *, dimensions: int | None = None, kind: Literal["gaussian", "sparse"] = "gaussian",
        density: float | None = None, distortion: float = 0.1, seed: int = 0,
    ) -> None:  # fmt: skip
        self.dimensions = dimensions
        self.kind = kind
        self.density = density
        self.distortion = distortion
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw the matrix for the width of ``X (n, d)``; a parameter out of its range is a ``ValueError``."""
        matrix = self._matrix(X, reset=True)
        rows, width = matrix.shape
        wanted = self.dimensions
        if wanted is None:
            wanted = min(width, enough_dimensions(rows, self.distortion))
        density = 1 / math.sqrt(width) if self.density is None else self.density
        if wanted < 1 or not 0 < density <= 1 or self.kind not in ("gaussian", "sparse"):
            raise ValueError(
                f"dimensions={wanted} must be positive, density={density} must lie above 0 and not above 1, "
                f"kind={self.kind!r} must be 'gaussian' or 'sparse'"
            )
        self.offsets_ = np.zeros(wanted + 1, np.int64)
        self.columns_ = np.zeros(0, np.int64)
        random = generator(self.seed, "projection", self.kind, wanted, width)
        if self.kind == "gaussian":
            values = random.standard_normal(wanted * width) / math.sqrt(wanted)
            self.offsets_[1:] = width * np.arange(1, wanted + 1)
        else:
            filled = [np.flatnonzero(random.random(width) < density) for _ in range(wanted)]
            np.cumsum([len(one) for one in filled], out=self.offsets_[1:])
            self.columns_ = np.concatenate(filled).astype(np.int64)
            values = random.choice([-1.0, 1.0], len(self.columns_)) / math.sqrt(density * wanted)
        self.values_: NDArray[Any] = values.astype(matrix.dtype)
        return self

    def _dense(self) -> NDArray[Any]:
        """Return the matrix ``(k, d)``."""
        if self.kind == "gaussian":
            return self.values_.reshape(-1, self.n_features_in_)
        return np.asarray(self._sparse(self.values_.dtype).toarray())

    def _sparse(self, dtype: Any) -> Any:
        import scipy.sparse

        shape = self._width_out(), self.n_features_in_
        return scipy.sparse.csr_matrix((self.values_.astype(dtype), self.columns_, self.offsets_), shape=shape)

    def transform(self, X: Any) -> Any:
        """Return the projected rows, ``(n, k)``."""
        matrix = self._matrix(X)
        charge(multiply_adds=len(matrix) * len(self.values_))
        drawn = self._dense().astype(matrix.dtype) if self.kind == "gaussian" else self._sparse(matrix.dtype)
        return self._output(X, by_blocks(lambda part: np.ascontiguousarray((drawn @ part.T).T), matrix))

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Return the shortest vectors ``(n, d)`` whose projections are nearest to ``X (n, k)``."""
        points = self._coordinates(X)
        back = np.linalg.pinv(self._dense().astype(np.float64)).T.astype(points.dtype)
        return by_blocks(lambda part: np.asarray(part @ back), points)

    def _width_out(self) -> int:
        return len(self.offsets_) - 1
