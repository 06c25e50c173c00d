"""Exact search by MaxSim over sets of vectors, one set a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Bitmap, Dense, Hits, Ragged, Rows, Vectors, charge, pad_hits, ragged_take, top_k
from isogloss.errors import UsageError

_BLOCK_TOKENS = 65_536
"""Token vectors that are multiplied with a query at once: bounds the memory of the scores."""


class MaxSim:
    """Scores every row by ``sum over query vectors q of max over the row's vectors p of q . p``, exactly.

    The sum of maxima is ColBERT's late interaction ("ColBERT", 2020, https://arxiv.org/abs/2004.12832), which
    MUVERA calls Chamfer similarity. Costs of a search: query vectors times all stored vectors times dimensions.
    ``effort`` has no influence: the search is always exact.

    Examples
    --------
    >>> index = MaxSim()
    >>> documents = Ragged(np.array([[1, 0], [0, 1], [1, 1]], np.float32), np.array([0, 2, 3]))
    >>> index.add(np.array([7, 9]), documents)
    >>> hits = index.search(Ragged(np.array([[1, 0], [0, 3]], np.float32), np.array([0, 2])), 2)
    >>> hits.rows.tolist(), hits.scores.tolist()
    ([[7, 9]], [[4.0, 4.0]])
    """

    def __init__(self) -> None:
        self._rows: Rows = np.zeros(0, np.int64)
        self._vectors = Ragged(np.zeros((0, 0), np.float32), np.zeros(1, np.int64))
        self._waiting: list[tuple[Rows, Ragged]] = []

    def __len__(self) -> int:
        return len(self._rows) + sum(len(rows) for rows, _ in self._waiting)

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Add sets of vectors under new row numbers.

        Raises
        ------
        UsageError
            Where a row is known, a set is empty, or widths differ.
        """
        given, rows = _ragged(vectors), np.asarray(rows, np.int64)
        if len(rows) != len(given):
            raise UsageError("rows and vectors do not match", f"{len(rows)} rows, {len(given)} sets of vectors")
        self._settle()
        if len(np.unique(rows)) != len(rows) or np.isin(rows, self._rows).any():
            raise UsageError("a row number is given twice", "each row is added once", "remove it first")
        if len(given) and (np.diff(given.offsets) == 0).any():
            empty = int(rows[np.flatnonzero(np.diff(given.offsets) == 0)[0]])
            raise UsageError("a set of vectors is empty", f"row {empty} has none", "leave it out")
        width = self._vectors.values.shape[1]
        if len(self._rows) and given.values.shape[1] != width:
            raise UsageError("vectors of another width", f"{given.values.shape[1]} here, {width} in the index")
        if len(rows):
            self._waiting.append((rows, given))

    def remove(self, rows: Rows) -> None:
        """Forget rows; an unknown one is an error and nothing is removed."""
        self._settle()
        rows = np.asarray(rows, np.int64)
        unknown = rows[~np.isin(rows, self._rows)]
        if len(unknown):
            raise UsageError("a row to remove is not in the index", f"row {int(unknown[0])}")
        kept = np.flatnonzero(~np.isin(self._rows, rows))
        self._rows, self._vectors = self._rows[kept], _take(self._vectors, kept)

    def search(self, queries: Vectors, k: int, allow: Bitmap | None = None, effort: float = 1.0) -> Hits:
        """Return the best ``k`` allowed rows of each query (a set of vectors each)."""
        asked = _ragged(queries)
        self._settle()
        chosen = np.arange(len(self._rows))
        if allow is not None:
            inside = self._rows < len(allow)
            chosen = chosen[inside][allow[self._rows[inside]]]
        rows, vectors = self._rows[chosen], self._vectors if len(chosen) == len(self._rows) else None
        vectors = vectors or _take(self._vectors, chosen)
        found = []
        for query in asked:
            scores = max_sim(query, vectors)
            best = top_k(scores, k)
            found.append((rows[best], scores[best]))
        return pad_hits(found, k)

    def score_all(self, query: Vectors) -> tuple[Rows, NDArray[np.float32]]:
        """Return every row (ascending) and its score for one query."""
        self._settle()
        return self._rows.copy(), max_sim(_ragged(query)[0], self._vectors)

    def _settle(self) -> None:
        """Join what was added since the last search, in the order of the rows."""
        if not self._waiting:
            return
        parts = [(self._rows, self._vectors), *self._waiting] if len(self._rows) else self._waiting
        widths = {vectors.values.shape[1] for _, vectors in parts}
        if len(widths) > 1:
            raise UsageError("vectors of different widths", f"{sorted(widths)}")
        rows = np.concatenate([rows for rows, _ in parts])
        offsets = np.concatenate([[0], np.cumsum(np.concatenate([np.diff(v.offsets) for _, v in parts]))])
        joined = Ragged(np.concatenate([v.values for _, v in parts]), offsets.astype(np.int64))
        order = np.argsort(rows)
        self._rows, self._vectors, self._waiting = rows[order], _take(joined, order), []


def max_sim(query: Dense, documents: Ragged) -> Dense:
    """Return the MaxSim of one query with each document: ``(n,)`` float32.

    Parameters
    ----------
    query
        ``(q, d)``.
    documents
        Values ``(T, d)``, no document without vectors.

    Examples
    --------
    >>> max_sim(np.array([[1.0, 0.0]], np.float32), Ragged(np.array([[2.0, 0], [3, 0]], np.float32), np.array([0, 2])))
    array([3.], dtype=float32)
    """
    offsets = documents.offsets
    if len(documents) and query.shape[1] != documents.values.shape[1]:
        raise UsageError(
            "query and documents have different widths", f"{query.shape[1]} and {documents.values.shape[1]}"
        )
    out = np.zeros(len(documents), np.float32)
    start = 0
    while start < len(documents):
        # as many whole documents as fit a block, at least one
        stop = max(start + 1, int(np.searchsorted(offsets, offsets[start] + _BLOCK_TOKENS, "right")) - 1)
        block = documents.values[offsets[start] : offsets[stop]]
        scores = query @ block.T  # (q, d) @ (d, t) -> (q, t)
        best = np.maximum.reduceat(scores, offsets[start:stop] - offsets[start], axis=1)  # (q, t) -> (q, documents)
        out[start:stop] = best.sum(0)
        start = stop
    charge(multiply_adds=query.size * int(offsets[-1]), bytes_read=documents.values.nbytes)
    return out


def _ragged(vectors: Vectors) -> Ragged:
    if not isinstance(vectors, Ragged):
        raise UsageError(
            "MaxSim compares sets of vectors", f"{type(vectors).__name__} given", "use a token encoder, or Exact"
        )
    if vectors.values.size and not np.isfinite(vectors.values).all():
        raise UsageError("a vector is not finite", "NaN or infinity among the values", "repair the encoder")
    return Ragged(np.asarray(vectors.values, np.float32), vectors.offsets)


def _take(vectors: Ragged, rows: NDArray[np.int64]) -> Ragged:
    offsets, flat = ragged_take(vectors.offsets, rows)
    return Ragged(vectors.values[flat], offsets)
