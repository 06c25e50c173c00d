"""Arrays that parts exchange: dense, sparse (CSR) and ragged vectors, similarities, top-k, and the cost ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import scipy.sparse

Dense: TypeAlias = NDArray[np.float32]
Rows: TypeAlias = NDArray[np.int64]
Bitmap: TypeAlias = NDArray[np.bool_]
"""One flag a row number: ``bitmap[row]`` says whether the row is allowed (or live)."""


@dataclass(frozen=True, slots=True)
class CSR:
    """Sparse vectors in compressed rows, ``(n, width)``, without importing SciPy.

    SciPy's import alone costs a third of a cold search, so the query path carries this instead;
    ``tocsr()`` gives the SciPy matrix over the same memory. Columns may be 63-bit hashes: nothing
    is ever allocated by width.

    Attributes
    ----------
    offsets
        ``(n + 1,)`` int64; row ``i`` owns entries ``offsets[i]:offsets[i + 1]``.
    indices
        ``(nnz,)`` int64 column numbers, ascending and distinct within a row.
    values
        ``(nnz,)`` float32.
    width
        Number of columns V.

    Examples
    --------
    >>> csr = CSR(np.array([0, 2, 2]), np.array([1, 4]), np.ones(2, np.float32), 5)
    >>> csr.tocsr().toarray().tolist()
    [[0.0, 1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0]]
    """

    offsets: NDArray[np.int64]
    indices: NDArray[np.int64]
    values: NDArray[np.float32]
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Return ``(n, V)``."""
        return len(self.offsets) - 1, self.width

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def row(self, i: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the columns and values of row ``i``."""
        start, stop = self.offsets[i], self.offsets[i + 1]
        return self.indices[start:stop], self.values[start:stop]

    def take(self, rows: NDArray[np.intp] | slice) -> CSR:
        """Return the chosen rows, in the given order."""
        picked = np.arange(len(self), dtype=np.int64)[rows]
        offsets, flat = ragged_take(self.offsets, picked)
        return CSR(offsets, self.indices[flat], self.values[flat], self.width)

    def tocsr(self) -> scipy.sparse.csr_matrix:
        """Return a SciPy CSR matrix over the same memory."""
        import scipy.sparse

        return scipy.sparse.csr_matrix((self.values, self.indices, self.offsets), shape=self.shape, copy=False)

    @classmethod
    def fromcsr(cls, matrix: Any) -> CSR:
        """Take any SciPy sparse matrix or array; duplicates are summed and columns sorted."""
        matrix = matrix.tocsr().copy()
        matrix.sum_duplicates()
        return cls(
            matrix.indptr.astype(np.int64),
            matrix.indices.astype(np.int64),
            matrix.data.astype(np.float32),
            int(matrix.shape[1]),
        )


@dataclass(frozen=True, slots=True)
class Ragged:
    """Sequences of vectors of different lengths: ``values (T, d)`` cut by ``offsets (n + 1,)``."""

    values: NDArray[Any]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> NDArray[Any]:
        i = range(len(self))[i]
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[i] for i in range(len(self)))

    @classmethod
    def from_list(cls, parts: list[NDArray[Any]]) -> Ragged:
        """Join arrays of equal trailing shape into one ragged array."""
        offsets = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([len(part) for part in parts], out=offsets[1:])
        values = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        return cls(values, offsets)


Vectors: TypeAlias = Dense | CSR | Ragged


def ragged_take(offsets: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the offsets of the chosen rows, and the flat positions of their entries.

    Examples
    --------
    >>> ragged_take(np.array([0, 2, 2, 5]), np.array([2, 0]))
    (array([0, 3, 5]), array([2, 3, 4, 0, 1]))
    """
    lengths = (offsets[1:] - offsets[:-1])[rows]
    out = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(lengths, out=out[1:])
    shift = np.repeat(offsets[:-1][rows] - out[:-1], lengths)
    return out, np.arange(out[-1], dtype=np.int64) + shift


def normalise(vectors: Dense) -> Dense:
    """Scale each row to length one; rows of zeros stay zeros. Shape ``(n, d)``, float32.

    Examples
    --------
    >>> normalise(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    vectors = np.asarray(vectors, np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)).astype(np.float32)
    norms[norms == 0] = 1
    return np.asarray(vectors / norms[:, None], np.float32)


class Similarity(Enum):
    """How two vectors of an encoder are compared; part of the encoder's identity.

    A member can be called on two sets of vectors, as sentence-transformers' ``model.similarity``.

    Examples
    --------
    >>> Similarity.DOT(np.ones((1, 2), np.float32), np.ones((3, 2), np.float32)).tolist()
    [[2.0, 2.0, 2.0]]
    """

    COSINE = "cosine"
    DOT = "dot"
    HAMMING = "hamming"
    ASYMMETRIC = "asymmetric"
    MAXSIM = "maxsim"
    LEARNED = "learned"

    def __call__(self, a: Vectors, b: Vectors) -> Dense:
        """Return the ``(n, m)`` matrix of similarities of ``a`` (n) and ``b`` (m)."""
        if isinstance(a, CSR) and isinstance(b, CSR):
            a, b = _shared_columns(a, b)
            product = (a.tocsr() @ b.tocsr().T).toarray()
            return np.asarray(product, np.float32)
        if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
            raise TypeError("similarity needs two dense or two sparse sets of vectors")
        if self is Similarity.COSINE:
            a, b = normalise(a), normalise(b)
        elif self is not Similarity.DOT:
            raise TypeError(f"{self.value} similarity is computed by its index, not between dense vectors")
        charge(multiply_adds=a.shape[0] * b.shape[0] * a.shape[1], bytes_read=b.nbytes)
        return np.asarray(a @ b.T, np.float32)


def _shared_columns(a: CSR, b: CSR) -> tuple[CSR, CSR]:
    """Return both with the columns that either uses numbered from 0: hashed ones are too many for a product."""
    used = np.unique(np.concatenate([a.indices, b.indices]))
    first, second = (CSR(one.offsets, np.searchsorted(used, one.indices), one.values, len(used)) for one in (a, b))
    return first, second


@dataclass(slots=True)
class Hits:
    """The best rows for each query: ``rows (q, k)`` int64 padded with -1, ``scores (q, k)`` float32 padded with -inf.

    Ordered by falling score, ties by rising row number.
    """

    rows: Rows
    scores: Dense

    def __len__(self) -> int:
        return len(self.rows)


def top_k(scores: NDArray[np.floating[Any]], k: int) -> NDArray[np.intp]:
    """Positions of the ``k`` largest scores, falling, ties by rising position; -inf and NaN are never returned.

    Parameters
    ----------
    scores
        ``(n,)`` floats.
    k
        How many; fewer come back where fewer are finite (or +inf).

    Examples
    --------
    >>> top_k(np.array([1.0, 3.0, 3.0, -np.inf, 2.0]), 3).tolist()
    [1, 2, 4]
    """
    scores = np.asarray(scores)
    if k <= 0 or not len(scores):
        return np.zeros(0, np.intp)
    if k < len(scores):
        # the k-th value decides; every tie at that value competes by position
        threshold = -np.partition(-scores, k - 1)[k - 1]
        if np.isfinite(threshold):
            above = np.flatnonzero(scores > threshold)
            ties = np.flatnonzero(scores == threshold)[: k - len(above)]
            chosen = np.concatenate([above, ties])
        else:
            chosen = np.flatnonzero(scores > -np.inf)
    else:
        chosen = np.flatnonzero(scores > -np.inf)
    order = np.lexsort((chosen, -scores[chosen]))
    return np.asarray(chosen[order][:k], np.intp)


def pad_hits(found: list[tuple[Rows, Dense]], k: int) -> Hits:
    """Stack per-query results of at most ``k`` rows into padded ``Hits``."""
    rows = np.full((len(found), k), -1, np.int64)
    scores = np.full((len(found), k), -np.inf, np.float32)
    for i, (row, score) in enumerate(found):
        rows[i, : len(row)] = row
        scores[i, : len(row)] = score
    return Hits(rows, scores)


@dataclass(slots=True)
class Ledger:
    """Counted costs of the work inside ``with counting() as ledger``; kernels charge it, parts cannot edit it.

    Attributes
    ----------
    multiply_adds
        Multiply-and-add operations.
    bytes_read
        Bytes streamed from vectors or postings.
    random_reads
        Reads at unrelated places (one posting list, one graph node).
    decode_steps
        Steps of a generating model.
    """

    multiply_adds: int = 0
    bytes_read: int = 0
    random_reads: int = 0
    decode_steps: int = 0

    def to_dict(self) -> dict[str, int]:
        """Return the counts as plain data."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_ledger: ContextVar[Ledger | None] = ContextVar("isogloss_ledger", default=None)


@contextmanager
def counting() -> Iterator[Ledger]:
    """Count the costs of everything inside the block; an outer block counts it too.

    Examples
    --------
    >>> with counting() as ledger:
    ...     _ = Similarity.DOT(np.ones((2, 4), np.float32), np.ones((3, 4), np.float32))
    >>> ledger.multiply_adds
    24
    """
    outer, inner = _ledger.get(), Ledger()
    token = _ledger.set(inner)
    try:
        yield inner
    finally:
        _ledger.reset(token)
        if outer is not None:
            for field in fields(Ledger):
                setattr(outer, field.name, getattr(outer, field.name) + getattr(inner, field.name))


def charge(*, multiply_adds: int = 0, bytes_read: int = 0, random_reads: int = 0, decode_steps: int = 0) -> None:
    """Add to the active ledger; does nothing (in well under a microsecond) when nobody counts."""
    ledger = _ledger.get()
    if ledger is not None:
        ledger.multiply_adds += multiply_adds
        ledger.bytes_read += bytes_read
        ledger.random_reads += random_reads
        ledger.decode_steps += decode_steps
