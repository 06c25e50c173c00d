"""Posting segments of words or other sparse features: immutable, the same arrays in memory and on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Bitmap, Rows
from isogloss.compiled import kernel, numba_available, numba_loaded
from isogloss.errors import CorruptIndexError, UsageError
from isogloss.text.hashing import number_hashes

BULK = 50_000
"""From so many postings on a kernel builds a segment, where Numba is imported already."""


@dataclass(frozen=True, slots=True)
class Postings:
    """One immutable segment: for each term the documents that hold it, and how often.

    Attributes
    ----------
    terms
        ``(t,)`` int64 term hashes, ascending and distinct.
    offsets
        ``(t + 1,)`` int64; term ``i`` owns postings ``offsets[i]:offsets[i + 1]``.
    positions
        ``(p,)`` int32 places of documents in ``rows``, ascending within a term.
    counts
        ``(p,)`` how often; the smallest of uint8, uint16, uint32 that holds all counts of the segment, else float32.
    rows
        ``(n,)`` int64 row numbers of the documents, ascending and distinct.
    lengths
        ``(n,)`` float64 sum of the counts of each document.

    Examples
    --------
    >>> counts = CSR(np.array([0, 2, 3]), np.array([5, 9, 9]), np.array([1, 2, 1], np.float32), 10)
    >>> segment = Postings.build(np.array([40, 41]), counts)
    >>> segment.terms.tolist(), segment.offsets.tolist(), segment.positions.tolist(), segment.lengths.tolist()
    ([5, 9], [0, 1, 3], [0, 0, 1], [3.0, 1.0])
    """

    terms: NDArray[np.int64]
    offsets: NDArray[np.int64]
    positions: NDArray[np.int32]
    counts: NDArray[Any]
    rows: Rows
    lengths: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def build(cls, rows: Rows, counts: CSR) -> Postings:
        """Make a segment of documents under row numbers ``rows (n,)`` from their term counts ``(n, V)``.

        Raises
        ------
        UsageError
            Where the numbers of rows differ, a row number comes twice, or a count is not finite and positive.
        """
        rows = np.asarray(rows, np.int64)
        if len(rows) != len(counts):
            raise UsageError("documents cannot be indexed", f"{len(rows)} row numbers for {len(counts)} documents")
        if len(rows) > 1 and (np.diff(rows) <= 0).any():
            order = np.argsort(rows, kind="stable")
            rows, counts = rows[order], counts.take(order)
            if (np.diff(rows) == 0).any():
                raise UsageError("documents cannot be indexed", "a row number is given twice", "give each its own")
        values = counts.values
        if len(values) and not (np.isfinite(values).all() and values.min() > 0):
            raise UsageError("documents cannot be indexed", "a count is not a positive finite number")
        terms, numbers = number_hashes(counts.indices)
        lengths = _row_sums(counts.offsets, values)
        offsets, positions, ordered = _inverted(counts.offsets, numbers, values, len(terms))
        return cls(terms, offsets, positions, _smallest(ordered), rows, lengths)

    @classmethod
    def merge(cls, segments: Sequence[Postings], live: Bitmap) -> Postings:
        """Join segments into one; rows that ``live`` does not flag (or that lie beyond it) are dropped.

        The result is the same, bit for bit, as ``build`` from the live documents alone.

        Raises
        ------
        UsageError
            Where two segments hold the same live row.
        """
        return cls.merge_flagged(segments, [flags_of(segment.rows, live) for segment in segments])

    @classmethod
    def merge_flagged(cls, segments: Sequence[Postings], flags: Sequence[Bitmap]) -> Postings:
        """Join segments; ``flags`` says of each document of each segment whether it is kept."""
        rows = np.concatenate([np.zeros(0, np.int64), *(s.rows[f] for s, f in zip(segments, flags, strict=True))])
        lengths = np.concatenate([np.zeros(0), *(s.lengths[f] for s, f in zip(segments, flags, strict=True))])
        order = np.argsort(rows, kind="stable")
        if len(rows) > 1 and (np.diff(rows[order]) == 0).any():
            raise UsageError("segments cannot be merged", "two of them hold the same live row", "")
        moved = np.empty(len(rows), np.int32)
        moved[order] = np.arange(len(rows), dtype=np.int32)
        chosen = [_survivors(segment, flag) for segment, flag in zip(segments, flags, strict=True)]
        terms = np.unique(np.concatenate([np.zeros(0, np.int64), *(part[0] for part in chosen)]))
        offsets = np.zeros(len(terms) + 1, np.int64)
        places = [np.searchsorted(terms, part[0]) for part in chosen]
        for at, part in zip(places, chosen, strict=True):
            offsets[at + 1] += part[1]
        np.cumsum(offsets, out=offsets)
        positions = np.empty(offsets[-1], np.int32)
        counts = np.empty(offsets[-1], np.result_type(np.uint8, *(part[3].dtype for part in chosen)))
        cursor, first = offsets[:-1].copy(), 0
        for segment_flags, at, (_, sizes, old, values) in zip(flags, places, chosen, strict=True):
            starts = np.cumsum(sizes) - sizes
            target = np.repeat(cursor[at] - starts, sizes) + np.arange(len(old))
            kept = int(segment_flags.sum())
            renumbered = np.cumsum(segment_flags) - 1
            positions[target] = moved[first + renumbered[old]]
            counts[target] = values
            cursor[at] += sizes
            first += kept
        if (np.diff(order) < 0).any():  # the rows of the segments interlace
            sort = np.lexsort((positions, np.repeat(np.arange(len(terms)), np.diff(offsets))))
            positions, counts = positions[sort], counts[sort]
        return cls(terms, offsets, positions, _smallest(counts), rows[order], lengths[order])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, little-endian: what is written to disk."""
        return {name: _little(getattr(self, name)) for name in _NAMES}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Postings:
        """Take arrays back, read-only memory maps too; nothing is copied or read but the shapes.

        Raises
        ------
        CorruptIndexError
            Where an array is missing, or the lengths do not fit together.
        """
        missing = [name for name in _NAMES if name not in arrays]
        if missing:
            raise CorruptIndexError("a posting segment is not whole", f"it lacks {', '.join(missing)}")
        taken = {name: np.asarray(arrays[name]) for name in _NAMES}
        made = cls(**taken)
        fits = (
            len(made.offsets) == len(made.terms) + 1
            and len(made.positions) == len(made.counts) == made.offsets[-1]
            and len(made.rows) == len(made.lengths)
        )
        if not fits:
            sizes = ", ".join(f"{name} {len(array)}" for name, array in taken.items())
            raise CorruptIndexError("the arrays of a posting segment do not fit together", sizes)
        return made

    def find(self, terms: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the postings of each term start and stop (equal where it has none)."""
        if not len(self.terms):
            return np.zeros(len(terms), np.int64), np.zeros(len(terms), np.int64)
        at = np.minimum(np.searchsorted(self.terms, terms), len(self.terms) - 1)
        starts = self.offsets[at]
        return starts, np.where(self.terms[at] == terms, self.offsets[at + 1], starts)


_NAMES = ("terms", "offsets", "positions", "counts", "rows", "lengths")


def flags_of(rows: Rows, bitmap: Bitmap) -> Bitmap:
    """Return the flags of ``rows`` in a bitmap; rows beyond its end are not flagged.

    Examples
    --------
    >>> flags_of(np.array([0, 2, 9]), np.array([True, False, True]))
    array([ True,  True, False])
    """
    if not len(rows):
        return np.zeros(0, np.bool_)
    if rows[-1] < len(bitmap):
        return np.asarray(bitmap[rows], np.bool_)
    flags = np.zeros(len(rows), np.bool_)
    inside = rows < len(bitmap)
    flags[inside] = bitmap[rows[inside]]
    return flags


def _little(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))


def _smallest(counts: NDArray[Any]) -> NDArray[Any]:
    """Return the counts in the smallest type that holds them exactly."""
    highest = float(counts.max()) if len(counts) else 0.0
    if counts.dtype.kind == "f" and len(counts) and (counts != np.floor(counts)).any():
        return np.asarray(counts, np.float32)
    for kind in (np.uint8, np.uint16, np.uint32):
        if highest <= np.iinfo(kind).max:
            return np.asarray(counts, kind)
    return np.asarray(counts, np.float32)


def _row_sums(offsets: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sum the values of each row, exactly for counts."""
    sums = np.zeros(len(offsets) - 1)
    filled = np.flatnonzero(np.diff(offsets))
    if len(filled):
        sums[filled] = np.add.reduceat(values.astype(np.float64), offsets[:-1][filled])
    return sums


def _inverted(
    row_offsets: NDArray[np.int64], numbers: NDArray[np.int32], values: NDArray[np.float32], terms: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Turn rows of (term, value) into terms of (row, value), rows ascending."""
    offsets = np.zeros(terms + 1, np.int64)
    np.cumsum(np.bincount(numbers, minlength=terms), out=offsets[1:])
    if len(numbers) >= BULK and numba_loaded() and numba_available():
        positions, ordered = _scatter(row_offsets, numbers, values, offsets)
        return offsets, positions, ordered
    order = np.argsort(numbers, kind="stable")
    documents = np.repeat(np.arange(len(row_offsets) - 1, dtype=np.int32), np.diff(row_offsets))
    return offsets, documents[order], values[order]


@kernel
def _scatter(row_offsets: Any, numbers: Any, values: Any, offsets: Any) -> Any:
    cursor = offsets[:-1].copy()
    positions = np.empty(len(numbers), np.int32)
    ordered = np.empty(len(numbers), np.float32)
    for row in range(len(row_offsets) - 1):
        for i in range(row_offsets[row], row_offsets[row + 1]):
            at = cursor[numbers[i]]
            cursor[numbers[i]] = at + 1
            positions[at] = row
            ordered[at] = values[i]
    return positions, ordered


def _survivors(segment: Postings, flags: Bitmap) -> tuple[Any, Any, Any, Any]:
    """Return the terms that keep postings, how many, and those postings' positions and counts."""
    sizes = np.diff(segment.offsets)
    if flags.all():
        return segment.terms, sizes, segment.positions, segment.counts
    kept = flags[segment.positions]
    before = np.concatenate([[0], np.cumsum(kept)])
    sizes = before[segment.offsets[1:]] - before[segment.offsets[:-1]]
    stay = sizes > 0
    return segment.terms[stay], sizes[stay], segment.positions[kept], segment.counts[kept]
