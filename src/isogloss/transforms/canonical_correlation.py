"""Canonical correlation analysis: the directions of two spaces that tell most about each other."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import charge
from isogloss.transforms.blocks import by_blocks
from isogloss.transforms.pairs import PairedEstimator
from isogloss.transforms.whitening import Whitening

Floats = NDArray[Any]


class CanonicalCorrelation(PairedEstimator):
    """Bring both sides into a shared space whose directions correlate as strongly as linear maps can make them.

    Both sides are made white; the singular vectors of their cross-covariance are the directions, its singular values
    the correlations. Directions without any variance are left out, so that constant columns do no harm.

    Source: Hotelling 1936, "Relations between two sets of variates" (https://doi.org/10.1093/biomet/28.3-4.321); for
    words of two languages: Faruqui and Dyer 2014, "Improving Vector Space Word Representations Using Multilingual
    Correlation" (https://doi.org/10.3115/v1/E14-1049).

    Parameters
    ----------
    dimensions
        To keep, most correlated first; None for as many as there are.
    shrinkage
        Share of the covariance, from 0 to 1, that is replaced by the same variance in every direction of a side (and
        nothing between the sides): for fewer pairs than dimensions, where correlations of 1 would be found in anything.

    Attributes
    ----------
    correlations_
        ``(k,)``, falling; of the shrunk covariances where ``shrinkage`` is above 0.
    weights_, target_weights_
        ``(d, k)`` and ``(e, k)``.
    mean_, target_mean_
        ``(d,)`` and ``(e,)``.

    Examples
    --------
    >>> first = np.array([[0.0, 1.0], [1.0, 5.0], [2.0, 2.0], [3.0, 7.0]])
    >>> analysis = CanonicalCorrelation(dimensions=1).fit(first, -3 * first[:, :1] + 2)
    >>> analysis.correlations_.round(6).tolist()
    [1.0]
    """

    def __init__(self, *, dimensions: int | None = None, shrinkage: float = 0.0) -> None:
        self.dimensions = dimensions
        self.shrinkage = shrinkage

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from rows ``X (n, d)`` and their partners ``y (n, e)``.

        Raises
        ------
        ValueError
            Where a side does not vary at all, or has as many dimensions as there are pairs and nothing is shrunk.
        """
        first = self._matrix(X, reset=True)
        second = self._learn_targets(y, len(first))
        rows, most = len(first), min(first.shape[1], second.shape[1])
        wanted = most if self.dimensions is None else self.dimensions
        if not 1 <= wanted <= most:
            raise ValueError(f"dimensions={wanted} must lie in 1..{most}, the columns of the narrower side")
        if self.shrinkage == 0 and rows <= max(first.shape[1], second.shape[1]):
            raise ValueError(
                f"{rows} pairs (n_samples = {rows}) of {first.shape[1]} and {second.shape[1]} dimensions correlate "
                "fully whatever they are; give more pairs, shorten both sides (PCA), or set shrinkage above 0"
            )
        for name, side in (("X", first), ("y", second)):
            if (side.max(0) == side.min(0)).all():
                raise ValueError(f"all {side.shape[1]} columns of {name} are constant: nothing can correlate with them")
        one, other = (
            Whitening(eps=0.0, shrinkage=self.shrinkage).fit(side.astype(np.float64)) for side in (first, second)
        )
        # both sides' covariance is shrunk as one matrix, and with it what they share, or correlations could exceed 1
        shared = (1 - self.shrinkage) * self._crossed(first, second, one, other) / (rows - 1)
        left, values, right = np.linalg.svd(shared, full_matrices=False)
        signs = np.where(left[np.abs(left).argmax(0), np.arange(most)] < 0, -1.0, 1.0)
        self.correlations_: Floats = values[:wanted].astype(first.dtype)
        self.mean_: Floats = one.mean_.astype(first.dtype)
        self.target_mean_: Floats = other.mean_.astype(first.dtype)
        self.weights_: Floats = (one.weights_ @ (left * signs))[:, :wanted].astype(first.dtype)
        self.target_weights_: Floats = (other.weights_ @ (right.T * signs))[:, :wanted].astype(first.dtype)
        return self

    @staticmethod
    def _crossed(first: Floats, second: Floats, one: Whitening, other: Whitening) -> Floats:
        """Return the cross products ``(d, e)`` of the white rows, taken from those of the raw ones."""
        crossed = (first - one.mean_).T @ (second - other.mean_)
        return np.asarray(one.weights_.T @ crossed @ other.weights_)

    def transform(self, X: Any) -> Any:
        """Return rows ``(n, d)`` of the first side in the shared space, ``(n, k)``."""
        matrix = self._matrix(X)
        return self._output(X, _moved(matrix, self.mean_, self.weights_))

    def transform_target(self, y: Any) -> Floats:
        """Return rows ``(m, e)`` of the second side in the shared space, ``(m, k)``."""
        return _moved(self._target_matrix(y), self.target_mean_, self.target_weights_)

    def inverse_transform(self, X: Any) -> Floats:
        """Return the shortest way back: rows ``(n, d)`` of the first side that have these coordinates ``(n, k)``."""
        points = self._coordinates(X)
        back = np.linalg.pinv(self.weights_.astype(np.float64)).astype(points.dtype)
        return by_blocks(lambda part: np.asarray(part @ back + self.mean_), points)

    def _width_out(self) -> int:
        return len(self.correlations_)


def _moved(matrix: Floats, mean: Floats, weights: Floats) -> Floats:
    charge(multiply_adds=len(matrix) * weights.size)
    mean, weights = mean.astype(matrix.dtype, copy=False), weights.astype(matrix.dtype, copy=False)
    return by_blocks(lambda part: (part - mean) @ weights, matrix)
