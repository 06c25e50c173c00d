"""Centring: the mean of the fitted vectors taken off."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.transforms.blocks import by_blocks
from isogloss.transforms.estimator import Estimator


class Centering(Estimator):
    """Take off the mean of the vectors it was fitted on.

    Vectors of a language model share a large common part; without it their cosines spread. The mean is summed in
    float64.

    Source: Mu and Viswanath 2018, "All-but-the-Top" (https://arxiv.org/abs/1702.01417), first step.

    Attributes
    ----------
    mean_
        ``(d,)``.

    Examples
    --------
    >>> Centering().fit([[1.0, 0.0], [3.0, 4.0]]).transform([[2.0, 3.0]]).tolist()
    [[0.0, 1.0]]
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the mean of ``X (n, d)``."""
        matrix = self._matrix(X, reset=True)
        self.mean_: NDArray[Any] = matrix.mean(0, dtype=np.float64).astype(matrix.dtype)
        return self

    def transform(self, X: Any) -> Any:
        """Return each row less the mean, ``(n, d)``."""
        matrix = self._matrix(X)
        mean = self.mean_.astype(matrix.dtype, copy=False)
        return self._output(X, by_blocks(lambda part: part - mean, matrix))

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Return the rows with the mean put back."""
        return np.asarray(self._matrix(X) + self.mean_)
