"""A random rotation: whitening without its scaling, which makes it whitening's placebo."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import charge
from isogloss.seeding import generator
from isogloss.transforms.blocks import by_blocks
from isogloss.transforms.estimator import Estimator


class Rotation(Estimator):
    """Centre, and multiply by a random orthogonal matrix, drawn evenly from all of them.

    The Q of a Gaussian matrix's QR decomposition, with the signs of R's diagonal moved into Q: without that step the
    draw would not be even. Distances stay, and lengths and angles as seen from the mean.

    Source: Mezzadri 2007, "How to generate random matrices from the classical compact groups"
    (https://arxiv.org/abs/math-ph/0609050).

    Parameters
    ----------
    seed
        Of the draw.
    centre
        Take the mean of the fitted rows off first; without it lengths and angles stay as they are.

    Attributes
    ----------
    mean_
        ``(d,)``, zeros where ``centre`` is False.
    rotation_
        ``(d, d)``, orthogonal.

    Examples
    --------
    >>> turned = Rotation(seed=1, centre=False).fit_transform(np.array([[3.0, 4.0]]))
    >>> round(float(np.linalg.norm(turned)), 9)
    5.0
    """

    def __init__(self, *, seed: int = 0, centre: bool = True) -> None:
        self.seed = seed
        self.centre = centre

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the mean of ``X (n, d)`` and draw the matrix for its width."""
        matrix = self._matrix(X, reset=True)
        width = matrix.shape[1]
        mean = matrix.mean(0, dtype=np.float64) if self.centre else np.zeros(width)
        self.mean_: NDArray[Any] = mean.astype(matrix.dtype)
        q, r = np.linalg.qr(generator(self.seed, "rotation", width).standard_normal((width, width)))
        self.rotation_: NDArray[Any] = np.asarray(q * np.where(np.diag(r) < 0, -1.0, 1.0), matrix.dtype)
        return self

    def transform(self, X: Any) -> Any:
        """Return the turned rows, ``(n, d)``."""
        matrix = self._matrix(X)
        charge(multiply_adds=matrix.shape[0] * self.rotation_.size)
        mean, turn = (one.astype(matrix.dtype, copy=False) for one in (self.mean_, self.rotation_))
        return self._output(X, by_blocks(lambda part: (part - mean) @ turn, matrix))

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Return the rows turned back."""
        return by_blocks(lambda part: np.asarray(part @ self.rotation_.T + self.mean_), self._matrix(X))
