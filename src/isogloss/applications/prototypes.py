"""Classification by the nearest class mean: learned in one pass, in any order, one vector a class."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, normalise
from isogloss.errors import NotFittedError, UsageError


class NearestMean:
    """Keeps the mean of each class and answers with the nearest one among all classes met so far.

    Classes may come in any order and at any time; nothing but a sum and a count is kept for each ("A Simple Baseline
    that Questions the Use of Pretrained-Models in Continual Learning", 2022, https://arxiv.org/abs/2210.04428).

    Parameters
    ----------
    cosine
        Compare by cosine; else by Euclidean distance.
    normalised
        Scale each vector to length one before it is counted.

    Attributes
    ----------
    labels_
        ``(k,)`` classes met so far, ascending.
    sums_, counts_
        ``(k, d)`` float64 and ``(k,)``.

    Examples
    --------
    >>> heads = NearestMean().partial_fit(np.array([[1.0, 0.0], [0.9, 0.1]]), np.array([3, 3]))
    >>> heads.partial_fit(np.array([[0.0, 1.0]]), np.array([1])).predict(np.array([[0.2, 0.8], [1.0, 0.0]])).tolist()
    [1, 3]
    """

    def __init__(self, *, cosine: bool = True, normalised: bool = True) -> None:
        self.cosine, self.normalised = cosine, normalised
        self.labels_: NDArray[np.int64] = np.zeros(0, np.int64)
        self.sums_: NDArray[np.float64] = np.zeros((0, 0))
        self.counts_: NDArray[np.int64] = np.zeros(0, np.int64)

    def partial_fit(self, vectors: NDArray[Any], labels: NDArray[np.int64]) -> Self:
        """Add vectors ``(n, d)`` of classes ``(n,)``; returns self.

        Raises
        ------
        UsageError
            Where numbers or widths do not match, or a vector is not finite.
        """
        vectors, labels = np.asarray(vectors), np.asarray(labels, np.int64)
        self._check(vectors)
        if len(vectors) != len(labels):
            raise UsageError("vectors and labels do not match", f"{len(vectors)} vectors, {len(labels)} labels")
        known = np.union1d(self.labels_, labels)
        sums, counts = np.zeros((len(known), vectors.shape[1])), np.zeros(len(known), np.int64)
        old = np.searchsorted(known, self.labels_)
        if len(old):
            sums[old], counts[old] = self.sums_, self.counts_
        new = np.searchsorted(known, labels)
        np.add.at(sums, new, self._scaled(vectors).astype(np.float64))  # exact enough for any order of classes
        np.add.at(counts, new, 1)
        self.labels_, self.sums_, self.counts_ = known, sums, counts
        return self

    def means(self) -> Dense:
        """Return the class means ``(k, d)`` float32, in the order of ``labels_``."""
        return np.asarray(self.sums_ / np.maximum(self.counts_, 1)[:, None], np.float32)

    def scores(self, vectors: NDArray[Any]) -> Dense:
        """Return how near each vector lies to each class: ``(n, k)`` cosines, or negative squared distances."""
        if not len(self.labels_):
            raise NotFittedError("no class is known yet", "", "call partial_fit() first")
        vectors = np.asarray(vectors)
        self._check(vectors)
        scaled, means = self._scaled(vectors), self.means()
        if self.cosine:
            return np.asarray(normalise(scaled) @ normalise(means).T, np.float32)  # (n, d) @ (d, k) -> (n, k)
        squares = (means.astype(np.float64) ** 2).sum(1)
        return np.asarray(
            2 * (scaled @ means.T) - squares - (scaled.astype(np.float64) ** 2).sum(1)[:, None], np.float32
        )

    def predict(self, vectors: NDArray[Any]) -> NDArray[np.int64]:
        """Return the class of each vector, ``(n,)``; of equally near ones the smallest label."""
        return np.asarray(self.labels_[self.scores(vectors).argmax(1)], np.int64)

    def _scaled(self, vectors: NDArray[Any]) -> Dense:
        return normalise(vectors) if self.normalised else np.asarray(vectors, np.float32)

    def _check(self, vectors: NDArray[Any]) -> None:
        width = self.sums_.shape[1]
        if vectors.ndim != 2 or (len(self.labels_) and vectors.shape[1] != width):
            raise UsageError("vectors of another shape", f"{vectors.shape} here, {width} dimensions so far")
        if not np.isfinite(vectors).all():
            raise UsageError("a vector is not finite", "NaN or infinity among the values", "repair the encoder")
