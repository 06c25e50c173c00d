"""Retrieval across spaces without hubs: rows that are near to everything are paid for it, inside their own vectors."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import charge
from isogloss.transforms.blocks import by_blocks
from isogloss.transforms.estimator import Estimator
from isogloss.transforms.pairs import unit_rows

Floats = NDArray[Any]
_TABLE = 2**22
"""Most scores that are held at once."""


def strongest(queries: Floats, documents: Floats, k: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return the ``k`` largest inner products of each query and their rows, ``(q, k)`` each, in no order.

    Only a block of the scores is held at a time. ``k`` above the number of documents gives all of them.

    Examples
    --------
    >>> scores, rows = strongest(np.eye(2), np.array([[1.0, 0.0], [0.0, 2.0], [0.5, 0.0]]), 1)
    >>> scores.tolist(), rows.tolist()
    ([[1.0], [2.0]], [[0], [1]])
    """
    count = min(k, len(documents))
    scores = np.empty((len(queries), count), np.result_type(queries, documents))
    rows = np.empty((len(queries), count), np.int64)
    charge(multiply_adds=len(queries) * documents.size, bytes_read=documents.nbytes)
    step = max(1, _TABLE // len(documents))
    for start in range(0, len(queries), step):
        table = queries[start : start + step] @ documents.T
        found = np.argpartition(table, len(documents) - count, axis=1)[:, len(documents) - count :]
        rows[start : start + step] = found
        scores[start : start + step] = np.take_along_axis(table, found, axis=1)
    return scores, rows


def mean_nearest(queries: Floats, documents: Floats, k: int) -> Floats:
    """Return the mean of the ``k`` largest inner products of each query, ``(q,)``.

    Examples
    --------
    >>> mean_nearest(np.array([[1.0]]), np.array([[3.0], [1.0], [0.0]]), 2).tolist()
    [2.0]
    """
    return np.asarray(strongest(queries, documents, k)[0].mean(1))


class HubPenalty(Estimator):
    """What scores of documents less a penalty of their own share.

    Fitted on a sample of queries. ``transform`` takes documents and writes the penalty into one more column; the inner
    product with what :meth:`queries` makes of queries is then the scaled score, but for what is the same for all
    documents of a query. Any index of inner products can hold it.
    """

    factor: float
    """Of the cosine."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Keep the sample of queries ``X (n, d)``, as they come from the mapping between the spaces."""
        self.sample_: Floats = by_blocks(unit_rows, self._matrix(X, reset=True))
        return self

    @abstractmethod
    def _penalty(self, documents: Floats) -> Floats:
        """Return what is taken off the scores of documents ``(n, d)`` of length one, ``(n,)``."""

    def transform(self, X: Any) -> Any:
        """Return documents ``(n, d)`` with their penalty as the last column, ``(n, d + 1)``."""

        def widened(part: Floats) -> Floats:
            scaled = unit_rows(part)
            penalty = self._penalty(scaled).astype(part.dtype)
            return np.column_stack([scaled * part.dtype.type(self.factor), -penalty])

        return self._output(X, by_blocks(widened, self._matrix(X)))

    def queries(self, X: Any) -> Floats:
        """Return queries ``(q, d)`` of length one with a last column of ones, ``(q, d + 1)``."""
        matrix = self._matrix(X)
        return by_blocks(lambda part: np.column_stack([unit_rows(part), np.ones(len(part), part.dtype)]), matrix)

    def inverse_transform(self, X: Any) -> Floats:
        """Return the documents ``(n, d)``, of length one, without their penalty."""
        return np.asarray(self._coordinates(X)[:, :-1] / self.factor)

    def _width_out(self) -> int:
        return self.n_features_in_ + 1


class CSLS(HubPenalty):
    """Cross-domain similarity local scaling: twice the cosine, less the mean cosine of each to its nearest others.

    ``2 cos(x, z) - r(x) - r(z)``, r over the ``neighbours`` nearest of the other side. For one query x its r(x) is the
    same for all documents and left out; r(z) is taken over the fitted sample of queries.

    Source: Conneau et al. 2018, "Word Translation Without Parallel Data" (https://arxiv.org/abs/1710.04087),
    section 2.3.

    Parameters
    ----------
    neighbours
        Queries of the sample that count for a document.

    Attributes
    ----------
    sample_
        ``(n, d)``: the fitted queries, of length one.

    Examples
    --------
    >>> queries = np.array([[1.0, 0.0], [0.8, 0.6]])
    >>> scaling = CSLS(neighbours=1).fit(queries)
    >>> (scaling.queries(queries) @ scaling.transform([[0.0, 2.0]]).T).round(6).tolist()
    [[-0.6], [0.6]]
    """

    factor = 2.0

    def __init__(self, *, neighbours: int = 10) -> None:
        self.neighbours = neighbours

    def fit(self, X: Any, y: Any = None) -> Self:
        """Keep the sample of queries ``X (n, d)``; no neighbours at all are a ``ValueError``."""
        if self.neighbours < 1:
            raise ValueError(f"neighbours={self.neighbours} must be 1 or more")
        return super().fit(X)

    def _penalty(self, documents: Floats) -> Floats:
        return mean_nearest(documents, self.sample_, self.neighbours)


class InvertedSoftmax(HubPenalty):
    """The chance that a document would have chosen this query among all queries of a sample.

    ``exp(b cos(x, z)) / sum_x' exp(b cos(x', z))``; transformed vectors give its logarithm over b.

    Source: Smith et al. 2017, "Offline bilingual word vectors, orthogonal transformations and the inverted softmax"
    (https://arxiv.org/abs/1702.03859), section 2.3.

    Parameters
    ----------
    sharpness
        b, the inverse temperature.

    Attributes
    ----------
    sample_
        ``(n, d)``: the fitted queries, of length one.

    Examples
    --------
    >>> scaling = InvertedSoftmax(sharpness=1.0).fit([[1.0], [1.0]])
    >>> np.exp(scaling.queries([[1.0]]) @ scaling.transform([[1.0]]).T).round(6).tolist()
    [[0.5]]
    """

    factor = 1.0

    def __init__(self, *, sharpness: float = 10.0) -> None:
        self.sharpness = sharpness

    def fit(self, X: Any, y: Any = None) -> Self:
        """Keep the sample of queries ``X (n, d)``; a sharpness of 0 or less is a ``ValueError``."""
        if self.sharpness <= 0:
            raise ValueError(f"sharpness={self.sharpness} must be above 0")
        return super().fit(X)

    def _penalty(self, documents: Floats) -> Floats:
        found = np.empty(len(documents))
        step = max(1, _TABLE // len(self.sample_))
        charge(multiply_adds=len(documents) * self.sample_.size, bytes_read=self.sample_.nbytes)
        for start in range(0, len(documents), step):
            table = self.sharpness * (documents[start : start + step] @ self.sample_.T).astype(np.float64)
            top = table.max(1)
            found[start : start + step] = (top + np.log(np.exp(table - top[:, None]).sum(1))) / self.sharpness
        return found
