"""Vectors of the exact index with what is derived from them, and the true score."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Rows
from isogloss.errors import NonFiniteError

BLOCK = 32
"""Rows that share one error bound (and one scale in the int8 engine)."""

SMALLEST, LARGEST = 1e-18, 1e30
"""Vectors shorter than the first count as zeros under cosine, longer ones than the second are refused: products
with them leave the range of float32."""

ROUNDING = 2.0**-24
"""Half the distance of two neighbouring float32 numbers, relative."""


@dataclass(slots=True)
class Segment:
    """Rows, their vectors and what has been derived from them.

    Attributes
    ----------
    rows
        ``(n,)`` int64 row numbers, in any order.
    vectors
        ``(n, d)`` float32, possibly a memory map.
    alive
        ``(n,)`` flags; False for removed rows.
    factors
        ``(n,)`` float32 that true scores are multiplied with: one over the length under cosine, else one.
    reach
        ``(ceil(n / BLOCK),)`` greatest length of a vector times its factor in each block (about one under cosine).
    tiny
        Bound on what a score can lose where products leave the range of float32.
    codes
        What an engine keeps of the vectors, by engine name.
    """

    rows: Rows
    vectors: Dense
    alive: NDArray[np.bool_]
    factors: Dense
    reach: NDArray[np.float64]
    tiny: float
    codes: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows ``start`` to ``stop`` of a segment; ``start`` is a multiple of ``BLOCK``.

    ``allowed`` has a flag for each of these rows: whether it may be found.
    """

    segment: Segment
    start: int
    stop: int
    allowed: NDArray[np.bool_]

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def rows(self) -> slice:
        """Return where its rows lie in the segment."""
        return slice(self.start, self.stop)

    @property
    def blocks(self) -> slice:
        """Return where its blocks lie in the segment."""
        return slice(self.start // BLOCK, -(-self.stop // BLOCK))


def make_segment(rows: Rows, vectors: Dense, alive: NDArray[np.bool_], *, cosine: bool) -> Segment:
    """Return a segment with its factors and lengths; a vector that is not finite is a ``NonFiniteError``."""
    vectors = np.asarray(vectors, np.float32)
    lengths = np.empty(len(rows), np.float64)
    for start in range(0, len(rows), 8192):
        lengths[start : start + 8192] = _lengths(vectors[start : start + 8192])
    if not (lengths <= LARGEST).all():
        bad = int(rows[np.flatnonzero(~(lengths <= LARGEST))[0]])
        raise NonFiniteError("a vector is not finite", f"row {bad} holds NaN or infinity", "encode that text again")
    factors = np.ones(len(rows), np.float32)
    if cosine:
        usable = lengths >= SMALLEST
        factors = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=usable).astype(np.float32)
    reach = block_maxima(lengths * factors)
    tiny = vectors.shape[1] * float(np.finfo(np.float32).tiny) * float(factors.max(initial=1.0))
    return Segment(rows, vectors, alive, factors, reach, tiny)


def _lengths(vectors: Dense) -> NDArray[np.float64]:
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors).astype(np.float64)
        if not np.isfinite(squares).all() or (squares < SMALLEST).any():
            squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    return np.asarray(np.sqrt(squares), np.float64)


def block_maxima(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the greatest value of each block of ``BLOCK`` rows, the last one may be shorter; values are >= 0.

    Examples
    --------
    >>> block_maxima(np.arange(40.0)).tolist()
    [31.0, 39.0]
    """
    padded = np.zeros(-(-len(values) // BLOCK) * BLOCK)
    padded[: len(values)] = values
    return np.asarray(padded.reshape(-1, BLOCK).max(1), np.float64)


def subset(segment: Segment, allowed: NDArray[np.bool_]) -> Segment:
    """Return a segment of the allowed rows only, copied; its bounds are the whole segment's."""
    positions = np.flatnonzero(allowed)
    reach = np.full(-(-len(positions) // BLOCK), segment.reach.max(initial=0.0))
    rows, vectors, factors = segment.rows[positions], segment.vectors[positions], segment.factors[positions]
    return Segment(rows, vectors, np.ones(len(rows), np.bool_), factors, reach, segment.tiny)


def true_scores(segment: Segment, positions: NDArray[np.intp], queries: Dense, numbers: NDArray[np.intp]) -> Dense:
    """Score pairs: row ``positions[i]`` of the segment against query ``numbers[i]``.

    This is the score: one float32 sum over the dimensions in an order that depends on their number only, times
    the row's factor. NumPy's ``einsum`` keeps that order for any number of rows; a matrix product does not.
    """
    out = np.empty(len(positions), np.float32)
    for start in range(0, len(positions), 512):
        some = positions[start : start + 512]
        left, right = segment.vectors[some], queries[numbers[start : start + 512]]
        out[start : start + 512] = np.einsum("ij,ij->i", left, right) * segment.factors[some]
    return out


def all_scores(segment: Segment, query: Dense) -> Dense:
    """Return the true score of every row of the segment for one query ``(d,)``."""
    return np.asarray(np.einsum("ij,j->i", segment.vectors, query) * segment.factors, np.float32)
