"""Linear maps from one space of vectors into another, learnt from pairs: orthogonal, or by least squares."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import charge
from isogloss.transforms.blocks import by_blocks
from isogloss.transforms.pairs import PairedEstimator, Preparation

Floats = NDArray[Any]


class LinearAlignment(PairedEstimator):
    """What maps between two spaces share: preparation of both sides, one matrix, the way there and back."""

    normalise: bool
    centre: bool

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the map from rows ``X (n, d)`` and their partners ``y (n, e)``."""
        first = self._matrix(X, reset=True)
        second = self._learn_targets(y, len(first))
        first, second = self._prepared(first, second)
        self.weights_: Floats = self._solve(first.astype(np.float64), second.astype(np.float64)).astype(first.dtype)
        return self

    def _prepared(self, first: Floats, second: Floats) -> tuple[Floats, Floats]:
        """Learn both means and return both sides prepared."""
        steps = self._steps()
        self.mean_: Floats = steps.mean(first).astype(first.dtype)
        self.target_mean_: Floats = steps.mean(second).astype(first.dtype)
        return steps.apply(first, self.mean_), steps.apply(second, self.target_mean_)

    def _steps(self) -> Preparation:
        return Preparation(normalise=self.normalise, centre=self.centre)

    @abstractmethod
    def _solve(self, first: Floats, second: Floats) -> Floats:
        """Return the map ``(d, e)`` that brings ``first (n, d)`` near ``second (n, e)``, both float64."""

    def transform(self, X: Any) -> Any:
        """Return rows ``(n, d)`` of the first space where they belong in the prepared second one, ``(n, e)``."""
        matrix = self._matrix(X)
        charge(multiply_adds=len(matrix) * self.weights_.size)
        weights, steps = self.weights_.astype(matrix.dtype, copy=False), self._steps()
        return self._output(X, by_blocks(lambda part: steps.apply(part, self.mean_) @ weights, matrix))

    def transform_target(self, y: Any) -> Floats:
        """Return rows ``(m, e)`` of the second space, prepared as those it was fitted on."""
        return self._steps().apply(self._target_matrix(y), self.target_mean_)

    def inverse_transform(self, X: Any) -> Floats:
        """Return points ``(n, e)`` of the second space in the first one, ``(n, d)``; lengths scaled away stay away."""
        points = self._coordinates(X)
        back = self._back().astype(points.dtype)
        return by_blocks(lambda part: np.asarray(part @ back + self.mean_), points)

    def _back(self) -> Floats:
        return np.linalg.pinv(self.weights_.astype(np.float64))

    def _width_out(self) -> int:
        return int(self.weights_.shape[1])


class Procrustes(LinearAlignment):
    """The rotation (with reflections) that brings rows nearest to their partners, in the sum of squares.

    With the singular values decomposition ``X^T Y = U S V^T`` it is ``W = U V^T``; all distances within the first space
    stay. Where the spaces have different widths W has orthonormal rows or columns, those of the largest
    ``tr(W^T X^T Y)``.

    Source: Schoenemann 1966, "A generalized solution of the orthogonal Procrustes problem"
    (https://doi.org/10.1007/BF02289451); between languages: Xing et al. 2015, "Normalized Word Embedding and Orthogonal
    Transform for Bilingual Word Translation" (https://doi.org/10.3115/v1/N15-1104).

    Parameters
    ----------
    normalise
        Scale rows to length one first (and again after centring).
    centre
        Take the mean of each side's fitted rows off first.
    scale
        Also learn one factor for all directions.

    Attributes
    ----------
    weights_
        ``(d, e)``.
    mean_, target_mean_
        ``(d,)`` and ``(e,)``, zeros where ``centre`` is False.

    Examples
    --------
    >>> first = np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> Procrustes().fit(first, first[:, ::-1]).transform([[3.0, 4.0]]).round(9).tolist()
    [[4.0, 3.0]]
    """

    def __init__(self, *, normalise: bool = False, centre: bool = False, scale: bool = False) -> None:
        self.normalise = normalise
        self.centre = centre
        self.scale = scale

    def _solve(self, first: Floats, second: Floats) -> Floats:
        """Return the rotation; fewer pairs than dimensions leave it open and are a ``ValueError``."""
        least = min(first.shape[1], second.shape[1])
        if len(first) < least:
            raise ValueError(
                f"{len(first)} pairs leave a rotation of {least} dimensions open (n_samples = {len(first)}); give "
                f"{least} pairs or more, or shorten both sides (PCA) first"
            )
        rotation, values = orthogonal_map(first, second)
        if not self.scale:
            return rotation
        moved = float((first**2).sum()) if first.shape[1] <= second.shape[1] else float(((first @ rotation) ** 2).sum())
        return rotation * (float(values.sum()) / moved if moved else 1.0)

    def _back(self) -> Floats:
        if self.scale:
            return super()._back()
        return self.weights_.T


class RidgeAlignment(LinearAlignment):
    """The linear map of least squared error from rows to their partners, with a penalty on its size.

    ``W = (X^T X + ridge I)^-1 X^T Y``. Without a penalty it is the least squares solution of smallest size, and needs
    as many pairs as the first space has dimensions.

    Source: Mikolov, Le, Sutskever 2013, "Exploiting Similarities among Languages for Machine Translation"
    (https://arxiv.org/abs/1309.4168); ridge: Dinu, Lazaridou, Baroni 2015, "Improving zero-shot learning by mitigating
    the hubness problem" (https://arxiv.org/abs/1412.6568).

    Parameters
    ----------
    ridge
        The penalty.
    normalise, centre
        As for :class:`Procrustes`.

    Attributes
    ----------
    weights_, mean_, target_mean_
        As for :class:`Procrustes`.

    Examples
    --------
    >>> RidgeAlignment().fit([[1.0], [2.0]], [[3.0], [6.0]]).transform([[5.0]]).round(9).tolist()
    [[15.0]]
    """

    def __init__(self, *, ridge: float = 0.0, normalise: bool = False, centre: bool = False) -> None:
        self.ridge = ridge
        self.normalise = normalise
        self.centre = centre

    def _solve(self, first: Floats, second: Floats) -> Floats:
        """Return the map; without a penalty fewer pairs than dimensions are a ``ValueError``."""
        rows, width = first.shape
        if self.ridge < 0:
            raise ValueError(f"ridge={self.ridge} must not be negative")
        if self.ridge == 0:
            if rows < width:
                raise ValueError(
                    f"{rows} pairs leave a map from {width} dimensions open (n_samples = {rows}); give {width} pairs "
                    "or more, or a ridge above 0"
                )
            return np.linalg.lstsq(first, second, rcond=None)[0]
        return np.linalg.solve(first.T @ first + self.ridge * np.eye(width), first.T @ second)


def orthogonal_map(first: Floats, second: Floats) -> tuple[Floats, NDArray[np.float64]]:
    """Return the ``(d, e)`` map with orthonormal rows or columns nearest to the pairs, and the singular values.

    See :class:`Procrustes`.

    Examples
    --------
    >>> orthogonal_map(np.eye(2), np.array([[0.0, 1.0], [-1.0, 0.0]]))[0].round().tolist()
    [[0.0, 1.0], [-1.0, 0.0]]
    """
    left, values, right = np.linalg.svd(first.T @ second, full_matrices=False)
    return left @ right, values
