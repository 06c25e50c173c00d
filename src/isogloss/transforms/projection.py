"""Projection of vectors onto their principal directions, or away from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import charge
from isogloss.transforms.blocks import by_blocks
from isogloss.transforms.estimator import Estimator


@dataclass(frozen=True, slots=True)
class Directions:
    """Principal directions: ``mean (d,)``, variances ``values (d,)`` falling, ``rows (d, d)`` orthonormal; float64."""

    mean: NDArray[np.float64]
    values: NDArray[np.float64]
    rows: NDArray[np.float64]


def principal_directions(matrix: NDArray[Any], *, centre: bool = True) -> Directions:
    """Take the covariance of the rows of ``matrix (n, d)`` apart, summed in float64: ``O(n d^2 + d^3)``.

    Each direction's largest component is positive, so that the result is the same on every machine up to rounding.
    Without ``centre`` it is the second moment (divisor n) about zero.

    Examples
    --------
    >>> principal_directions(np.array([[1.0, 0.0], [-1.0, 0.0]])).values.tolist()
    [2.0, 0.0]
    """
    samples, width = matrix.shape
    mean = matrix.mean(0, dtype=np.float64) if centre else np.zeros(width)
    moment, divisor = np.zeros((width, width)), max(1, samples - 1 if centre else samples)
    for start in range(0, samples, 8192):
        part = matrix[start : start + 8192].astype(np.float64) - mean
        moment += part.T @ part
    values, directions = np.linalg.eigh(moment / divisor)
    values, rows = np.maximum(values[::-1], 0), directions[:, ::-1].T
    strongest = np.abs(rows).argmax(1)
    rows = rows * np.where(rows[np.arange(width), strongest] < 0, -1.0, 1.0)[:, None]
    return Directions(mean, values, rows)


class PCA(Estimator):
    """Principal component analysis: the directions in which vectors vary most.

    See :func:`principal_directions`.

    Source: Pearson 1901, "On lines and planes of closest fit to systems of points in space"
    (https://doi.org/10.1080/14786440109462720); to shorten word vectors: Raunak, Gupta, Metze 2019, "Effective
    Dimensionality Reduction for Word Embeddings" (https://aclanthology.org/W19-4328).

    Parameters
    ----------
    dimensions
        Directions to keep; None for as many as there are (at most the number of rows).
    centre
        Take the mean off first. Without it the directions are those of largest second moment (as in latent semantic
        analysis), which keeps cosines as they are when no direction is dropped.

    Attributes
    ----------
    mean_
        ``(d,)``, zeros where ``centre`` is False.
    components_
        ``(k, d)``, orthonormal rows, strongest first.
    explained_variance_
        ``(k,)``: variance along each (divisor n - 1; without centring the mean square).
    explained_variance_ratio_
        ``(k,)``: its share of the whole.

    Examples
    --------
    >>> line = np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]])
    >>> PCA(dimensions=1).fit_transform(line).round(3).ravel().tolist()
    [-2.236, 0.0, 2.236]
    """

    def __init__(self, *, dimensions: int | None = None, centre: bool = True) -> None:
        self.dimensions = dimensions
        self.centre = centre

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the directions from ``X (n, d)``; more directions than possible are a ``ValueError``."""
        matrix = self._matrix(X, reset=True)
        samples, width = matrix.shape
        most = min(samples, width)
        wanted = most if self.dimensions is None else self.dimensions
        if not 1 <= wanted <= most:
            raise ValueError(f"dimensions={wanted} must lie in 1..{most}: there are {samples} rows of {width} columns")
        found = principal_directions(matrix, centre=self.centre)
        mean, values, rows = found.mean, found.values, found.rows
        self.mean_: NDArray[Any] = mean.astype(matrix.dtype)
        self.components_: NDArray[Any] = np.ascontiguousarray(rows[:wanted], matrix.dtype)
        self.explained_variance_: NDArray[Any] = values[:wanted].astype(matrix.dtype)
        whole = float(values.sum())
        self.explained_variance_ratio_: NDArray[Any] = (values[:wanted] / (whole or 1.0)).astype(matrix.dtype)
        return self

    def transform(self, X: Any) -> Any:
        """Return the coordinates of each row along the directions, ``(n, k)``."""
        matrix = self._matrix(X)
        charge(multiply_adds=matrix.shape[0] * self.components_.size)
        mean, rows = (one.astype(matrix.dtype, copy=False) for one in (self.mean_, self.components_))
        return self._output(X, by_blocks(lambda part: (part - mean) @ rows.T, matrix))

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Return the points ``(n, d)`` of the kept subspace that have these coordinates ``(n, k)``."""
        points = self._coordinates(X)
        return by_blocks(lambda part: np.asarray(part @ self.components_ + self.mean_), points)

    def _width_out(self) -> int:
        return len(self.components_)


class TopComponentsRemoval(Estimator):
    """Centre, and take off what lies along the strongest principal directions.

    A few directions of word and sentence vectors carry frequency rather than meaning and dominate every cosine;
    without them cosines spread.

    Source: Mu and Viswanath 2018, "All-but-the-Top" (https://arxiv.org/abs/1702.01417).

    Parameters
    ----------
    components
        Directions to remove; None for one in a hundred columns (at least one), the paper's rule.

    Attributes
    ----------
    mean_
        ``(d,)``.
    components_
        ``(k, d)``: the directions removed, orthonormal rows.

    Examples
    --------
    >>> rows = np.array([[9.0, 1.0], [-9.0, 1.0], [0.0, 3.0], [0.0, -1.0]])
    >>> TopComponentsRemoval().fit_transform(rows).round(3).tolist()
    [[0.0, 0.0], [0.0, 0.0], [0.0, 2.0], [0.0, -2.0]]
    """

    def __init__(self, *, components: int | None = None) -> None:
        self.components = components

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the directions from ``X (n, d)``; more directions than columns are a ``ValueError``."""
        matrix = self._matrix(X, reset=True)
        width = matrix.shape[1]
        count = max(1, width // 100) if self.components is None else self.components
        if not 0 <= count <= width:
            raise ValueError(f"components={count} must lie in 0..{width}, the columns of X")
        found = principal_directions(matrix)
        self.mean_: NDArray[Any] = found.mean.astype(matrix.dtype)
        self.components_: NDArray[Any] = np.ascontiguousarray(found.rows[:count], matrix.dtype)
        return self

    def transform(self, X: Any) -> Any:
        """Return each row less the mean and less its part along the directions, ``(n, d)``."""
        matrix = self._matrix(X)
        charge(multiply_adds=2 * matrix.shape[0] * self.components_.size)
        mean, rows = (one.astype(matrix.dtype, copy=False) for one in (self.mean_, self.components_))

        def removed(part: NDArray[Any]) -> NDArray[Any]:
            centred = part - mean
            return np.asarray(centred - (centred @ rows.T) @ rows)

        return self._output(X, by_blocks(removed, matrix))
