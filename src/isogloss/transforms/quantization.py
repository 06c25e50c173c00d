"""Scalar quantisation: one byte a number, by a calibration that is learnt once and stored."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.transforms.blocks import blocks, by_blocks
from isogloss.transforms.codes import checked_codes
from isogloss.transforms.estimator import Estimator

LEVELS = 127
"""Codes lie in -127 ... 127, so that a code and its negative stand for opposite offsets from the centre."""


class Int8Quantizer(Estimator):
    """Round each dimension to 255 evenly spaced values between bounds learnt from calibration vectors.

    Dimension j becomes the code ``round((x_j - centre_j) / step_j)``, cut at -127 and 127 (rounding halves to even);
    ``inverse_transform`` gives ``centre_j + step_j * code``. Inside the bounds a number moves by at most half a step.
    The calibration belongs to the fitted transform: later vectors are coded by it, never by their own range.

    Parameters
    ----------
    coverage
        Share of the calibration numbers of each dimension that the bounds enclose, in (0, 1]. Below 1, a few outliers
        are cut so that the steps of all others become finer.

    Attributes
    ----------
    centre_
        ``(d,)`` float32, middle of the bounds.
    step_
        ``(d,)`` float32, what one unit of a code stands for.

    Examples
    --------
    >>> quantizer = Int8Quantizer().fit(np.array([[-1.27, 0.0], [1.27, 5.08]]))
    >>> codes = quantizer.transform(np.array([[0.635, 2.54], [9.0, -9.0]]))
    >>> codes.tolist()
    [[64, 0], [127, -127]]
    >>> quantizer.inverse_transform(codes).round(2).tolist()
    [[0.6399999856948853, 2.5399999618530273], [1.2699999809265137, 0.0]]
    """

    preserves_dtype: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, coverage: float = 1.0) -> None:
        self.coverage = coverage

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the bounds of each dimension from ``X (n, d)``; a constant dimension gets a step of one."""
        if not 0 < self.coverage <= 1:
            why = f"coverage = {self.coverage}"
            raise UsageError("the quantiser cannot be fitted", why, "give a share above 0 and at most 1")
        matrix = self._matrix(X, reset=True)
        outside = (1 - self.coverage) / 2
        parts = (matrix[:, columns].astype(np.float64) for columns in blocks(matrix.shape[1], 64))
        low, high = np.concatenate([np.quantile(part, [outside, 1 - outside], axis=0) for part in parts], axis=1)
        self.centre_ = ((low + high) / 2).astype(np.float32)
        # from the rounded centre, so that neither bound is cut
        reach = np.maximum(high - self.centre_, self.centre_ - low)
        self.step_ = np.where(reach > 0, reach / LEVELS, 1.0).astype(np.float32)
        self.step_[self.step_ == 0] = np.finfo(np.float32).tiny
        return self

    def _steps(self, part: NDArray[Any]) -> NDArray[np.float64]:
        """Return how many steps each number lies from the centre, rounded."""
        return np.asarray(np.rint((part - self.centre_.astype(np.float64)) / self.step_.astype(np.float64)), np.float64)

    def transform(self, X: Any) -> Any:
        """Return the codes ``(n, d)`` int8 of vectors ``(n, d)``."""
        found = by_blocks(lambda part: np.clip(self._steps(part), -LEVELS, LEVELS).astype(np.int8), self._matrix(X))
        return self._output(X, found)

    def inverse_transform(self, X: Any) -> NDArray[np.float32]:
        """Return the vectors ``(n, d)`` float32 that codes ``(n, d)`` stand for."""
        self._check_fitted()
        codes = checked_codes(X, self.n_features_in_, -LEVELS - 1, LEVELS)
        return by_blocks(lambda part: np.asarray(self.centre_ + self.step_ * part.astype(np.float32)), codes)

    def clipped(self, X: Any) -> float:
        """Return the share of the numbers of ``X (n, d)`` that lie outside the bounds and are cut.

        Far more than ``1 - coverage`` says that the vectors are not of the kind that the calibration saw.
        """
        return float(by_blocks(lambda part: (np.abs(self._steps(part)) > LEVELS).mean(1), self._matrix(X)).mean())
