"""Binary codes: one bit a dimension, by thresholds that are learnt once and stored."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Similarity, charge
from isogloss.transforms.blocks import blocks, by_blocks
from isogloss.transforms.codes import checked_codes
from isogloss.transforms.estimator import Estimator

Codes = NDArray[np.uint8]


class Binarizer(Estimator):
    """Keep of each number whether it lies above a threshold, eight to the byte.

    Bit j is 1 where ``x_j > threshold_j``; the first dimension is the highest bit of the first byte, and unused bits of
    the last byte are 0. Two codes are compared by the bits in which they differ (:func:`hamming`); a vector that is
    not coded, with codes, by :meth:`scores`, which loses less.

    Source: Charikar 2002, "Similarity estimation techniques from rounding algorithms"
    (https://doi.org/10.1145/509907.509965); thresholds at the mean and asymmetric comparison: Gordo et al. 2014,
    "Asymmetric Distances for Binary Embeddings" (https://doi.org/10.1109/TPAMI.2013.101).

    Parameters
    ----------
    threshold
        ``"median"`` of the calibration numbers of each dimension: every bit is then 1 for half of them, as much as a
        bit can tell. ``"mean"``, or ``"zero"``, which needs no calibration.

    Attributes
    ----------
    threshold_
        ``(d,)`` float32.
    below_, above_
        ``(d,)`` float32: means of the calibration numbers up to the threshold and above it, what a bit stands for.

    Examples
    --------
    >>> codes = Binarizer().fit([[0.0, 1.0], [2.0, 3.0]]).transform([[1.5, 0.0], [9.0, 9.0]])
    >>> codes.tolist(), hamming(codes, codes).tolist()
    ([[128], [192]], [[0, 1], [1, 0]])
    """

    preserves_dtype: ClassVar[tuple[str, ...]] = ()
    similarity = Similarity.HAMMING

    def __init__(self, *, threshold: Literal["median", "mean", "zero"] = "median") -> None:
        self.threshold = threshold

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the thresholds from ``X (n, d)``; where all numbers of a dimension are equal its bit is 0."""
        if self.threshold not in ("median", "mean", "zero"):
            raise ValueError(f"threshold={self.threshold!r} is none of 'median', 'mean', 'zero'")
        matrix = self._matrix(X, reset=True)
        parts = [self._calibrated(matrix[:, one].astype(np.float64)) for one in blocks(matrix.shape[1], 64)]
        self.threshold_, self.below_, self.above_ = np.concatenate(parts, axis=1).astype(np.float32)
        return self

    def _calibrated(self, part: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return threshold, mean below and mean above of each column, ``(3, w)``."""
        if self.threshold == "zero":
            threshold = np.zeros(part.shape[1])
        else:
            threshold = (np.median if self.threshold == "median" else np.mean)(part, axis=0)
        # as float32, the type that is stored and compared with
        above = part > threshold.astype(np.float32)
        counts = above.sum(0)
        high = np.where(above, part, 0).sum(0) / np.maximum(counts, 1)
        low = np.where(above, 0, part).sum(0) / np.maximum(len(part) - counts, 1)
        return np.stack([threshold, np.where(counts == len(part), threshold, low), np.where(counts, high, threshold)])

    def transform(self, X: Any) -> Any:
        """Return the codes ``(n, ceil(d / 8))`` uint8 of vectors ``(n, d)``."""
        return self._output(X, by_blocks(lambda part: np.packbits(part > self.threshold_, axis=1), self._matrix(X)))

    def inverse_transform(self, X: Any) -> NDArray[np.float32]:
        """Return the vectors ``(n, d)`` float32 that codes stand for."""
        return by_blocks(self._decoded, self._codes(X))

    def _decoded(self, codes: Codes) -> NDArray[np.float32]:
        bits = np.unpackbits(codes, axis=1, count=self.n_features_in_)
        return np.asarray(np.where(bits > 0, self.above_, self.below_), np.float32)

    def _codes(self, X: Any) -> Codes:
        self._check_fitted()
        return checked_codes(X, self._width_out(), 0, 255).astype(np.uint8, copy=False)

    def scores(self, queries: Any, codes: Any) -> NDArray[np.float32]:
        """Return the inner product ``(q, n)`` of vectors ``(q, d)`` with what codes ``(n, bytes)`` stand for."""
        asked, stored = np.asarray(self._matrix(queries), np.float32), self._codes(codes)
        charge(multiply_adds=len(asked) * len(stored) * self.n_features_in_, bytes_read=stored.nbytes)
        return np.ascontiguousarray(by_blocks(lambda part: self._decoded(part) @ asked.T, stored).T)

    def _width_out(self) -> int:
        return -(-self.n_features_in_ // 8)


def hamming(queries: Codes, codes: Codes) -> NDArray[np.int64]:
    """Return in how many bits packed codes ``(q, b)`` and ``(n, b)`` differ, ``(q, n)``.

    Examples
    --------
    >>> hamming(np.array([[255]], np.uint8), np.array([[255], [0], [1]], np.uint8)).tolist()
    [[0, 8, 7]]
    """
    if queries.dtype != np.uint8 or codes.dtype != np.uint8 or queries.shape[1:] != codes.shape[1:]:
        raise ValueError(
            f"codes {queries.shape} {queries.dtype} and {codes.shape} {codes.dtype} must be uint8 of one width"
        )
    charge(bytes_read=len(queries) * codes.nbytes)
    ones = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1)  # ones in each byte, (256,)
    found = np.empty((len(queries), len(codes)), np.int64)
    for part in blocks(len(codes)):
        for row, query in enumerate(queries):
            found[row, part] = ones[codes[part] ^ query].sum(1)
    return found
