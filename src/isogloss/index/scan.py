"""Exact search by scanning: cheap scores with a proven error bound first, then the true score of what is left.

One algorithm serves every engine. An engine gives, for a chunk of rows, approximate scores and for each block of
rows and each query a bound on their error. A row whose approximate score plus bound stays below the k-th best
*true* score found so far cannot be among the best k, so it is dropped; all others are scored truly. The result is
therefore the same, bit for bit, for float32 and int8 engines, for any batch and any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Rows
from isogloss.errors import NonFiniteError

BLOCK = 32
"""Rows that share one error bound (and one scale in the int8 engine)."""

FIRST = 4
"""The first chunk is so many times longer, since its scores decide how many rows of all others are looked at."""

SMALLEST, LARGEST = 1e-18, 1e30
"""Vectors shorter than the first count as zeros under cosine, longer ones than the second are refused: products
with them leave the range of float32."""

ROUNDING = 2.0**-24
"""Half the distance of two neighbouring float32 numbers, relative."""


Scores: TypeAlias = NDArray[np.float32] | NDArray[np.int32]
"""Approximate scores of a chunk, ``(rows, q)``, in the unit of their engine."""

Bounds: TypeAlias = NDArray[np.float64]
"""A number for each block of rows and each query, ``(blocks, q)``."""


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


@dataclass(slots=True)
class Work:
    """What a scan cost: pairs of row and query that were scored approximately and truly, and bytes of the first."""

    approximate: int = 0
    bytes_read: int = 0
    true: int = 0


class Engine(Protocol):
    """Gives approximate scores of chunks of a segment."""

    name: str

    def prepare(self, queries: Dense) -> Any:
        """Return the queries ``(q, d)`` in the engine's own form."""
        ...

    def scores(self, segment: Segment, start: int, stop: int, prepared: Any) -> Scores:
        """Return approximate scores ``(stop - start, q)`` in the engine's own unit."""
        ...

    def units(self, segment: Segment, start: int, stop: int, prepared: Any) -> tuple[Bounds, Bounds]:
        """Return, for each block of ``BLOCK`` rows and each query, the unit of the scores and their error bound."""
        ...

    def row_bytes(self, dimensions: int) -> int:
        """Return the bytes that the engine reads for one row."""
        ...


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


def direct(segments: Sequence[tuple[Segment, NDArray[np.bool_]]], queries: Dense, k: int) -> list[tuple[Rows, Dense]]:
    """Find the best ``k`` rows of each query by the true scores of all rows: the shortest way for a few queries."""
    best = Best(len(queries), k)
    for number, query in enumerate(queries):
        for segment, allowed in segments:
            scores = all_scores(segment, query)
            usable = np.flatnonzero(allowed & (scores >= best.scores[number, -1]))
            if len(usable) > k:
                reached = scores[usable]
                usable = usable[reached >= np.partition(reached, len(usable) - k)[len(usable) - k]]
            best.take(segment.rows[usable], np.full(len(usable), number), scores[usable])
    return best.results()


def scan(
    segments: Sequence[tuple[Segment, NDArray[np.bool_]]],
    queries: Dense,
    k: int,
    engine: Engine,
    *,
    slack: float = 1.0,
    chunk: int = 1 << 19,
) -> tuple[list[tuple[Rows, Dense]], Work]:
    """Find the best ``k`` rows of each query.

    Parameters
    ----------
    segments
        Pairs of a segment and the flags of its rows that may be found.
    queries
        ``(q, d)`` float32, of length one under cosine.
    k
        How many, at least one.
    engine
        Gives the approximate scores.
    slack
        Factor on the error bounds: at 1 the result is exact; below, fewer rows are scored truly and some of the
        best may be missed.
    chunk
        Scores that are held at a time.

    Returns
    -------
    list of (rows, scores)
        For each query at most ``k`` rows, by falling score, ties by rising row; and what it cost.
    """
    prepared = engine.prepare(queries)
    best = Best(len(queries), k)
    work = Work()
    pending: list[Pairs] = []
    size = max(BLOCK, chunk // len(queries) // BLOCK * BLOCK)
    seen, update_at = 0, 0
    for segment, allowed in segments:
        for start, stop in _chunks(len(segment), size, FIRST if seen == 0 else 1):
            scores = engine.scores(segment, start, stop, prepared)
            units, errors = engine.units(segment, start, stop, prepared)
            errors = errors * slack
            usable = allowed[start:stop]
            floor = best.floor if seen else first_floor(scores, usable, units, errors, k)
            pending.append(candidates(scores, usable, units, errors, floor).shifted(start))
            seen += stop - start
            if seen >= update_at:  # the floor rises fastest at first
                work.true += _settle(segment, pending, best, queries)
                update_at = 4 * seen
        work.true += _settle(segment, pending, best, queries)
    work.approximate = seen * len(queries)
    work.bytes_read = seen * engine.row_bytes(queries.shape[1])
    return best.results(), work


def _chunks(count: int, size: int, first: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of chunks of ``size`` rows, the first one ``first`` times as long."""
    start = 0
    while start < count:
        stop = min(count, start + size * (first if start == 0 else 1))
        yield start, stop
        start = stop


@dataclass(slots=True)
class Pairs:
    """Rows (by position) and queries (by number) that may belong together, with upper bounds of their scores."""

    positions: NDArray[np.intp]
    numbers: NDArray[np.intp]
    upper: NDArray[np.float64]

    def shifted(self, start: int) -> Pairs:
        """Return the same pairs with positions counted from ``start`` rows earlier."""
        return Pairs(self.positions + start, self.numbers, self.upper)

    def leaders(self, k: int) -> NDArray[np.bool_]:
        """Mark the ``k`` pairs of each query with the greatest upper bounds."""
        order = np.lexsort((-self.upper, self.numbers))
        owners = self.numbers[order]
        places = np.arange(len(order)) - np.searchsorted(owners, owners)
        marked = np.zeros(len(order), np.bool_)
        marked[order[places < k]] = True
        return marked


def _settle(segment: Segment, pending: list[Pairs], best: Best, queries: Dense) -> int:
    """Score the pending pairs of a segment truly, as far as they can be among the best; return how many were scored.

    The most promising pairs go first: their true scores raise the floor, which few of the others still reach.
    """
    if not pending:
        return 0
    names = ("positions", "numbers", "upper")
    pairs = Pairs(*(np.concatenate([getattr(some, name) for some in pending]) for name in names))
    pending.clear()
    leaders, count = pairs.leaders(best.k), 0
    for wanted in (leaders, ~leaders):
        chosen = np.flatnonzero(wanted & (pairs.upper >= best.floor[pairs.numbers]))
        positions, numbers = pairs.positions[chosen], pairs.numbers[chosen]
        best.take(segment.rows[positions], numbers, true_scores(segment, positions, queries, numbers))
        count += len(chosen)
    return count


def first_floor(
    scores: Scores, allowed: NDArray[np.bool_], units: Bounds, errors: Bounds, k: int
) -> NDArray[np.float64]:
    """Return for each query a score that ``k`` allowed rows of the chunk reach, or -inf where there are fewer."""
    rows, width = scores.shape
    blocks = rows // BLOCK
    if allowed.all() and blocks >= 4 * k:  # k blocks hold k rows at least, and their maxima are quickly found
        best = scores[: blocks * BLOCK].reshape(blocks, BLOCK, width).max(1)
        low = (best * units[:blocks] - errors[:blocks]).T
    else:
        usable = np.flatnonzero(allowed)[: max(1024, 8 * k)]
        if len(usable) < k:
            return np.full(width, -np.inf)
        low = (scores[usable] * units[usable // BLOCK] - errors[usable // BLOCK]).T
    return np.partition(np.ascontiguousarray(low), low.shape[1] - k, axis=1)[:, low.shape[1] - k]


def candidates(
    scores: Scores,
    allowed: NDArray[np.bool_],
    units: Bounds,
    errors: Bounds,
    floor: NDArray[np.float64],
) -> Pairs:
    """Return the pairs of a row of the chunk and a query whose score may reach the query's floor."""
    rows, width = scores.shape
    with np.errstate(over="ignore"):
        bound = (floor - errors) / units
    least: Scores
    if scores.dtype.kind == "i":
        edge = np.iinfo(np.int32)
        least = np.clip(np.floor(bound), edge.min, edge.max).astype(np.int32)
    else:
        least = np.nextafter(bound.astype(np.float32), np.float32(-np.inf))
    whole = rows // BLOCK * BLOCK
    reach = np.empty((rows, width), np.bool_)
    np.greater_equal(
        scores[:whole].reshape(-1, BLOCK, width),
        least[: whole // BLOCK, None, :],
        out=reach[:whole].reshape(-1, BLOCK, width),
    )
    if whole < rows:
        np.greater_equal(scores[whole:], least[whole // BLOCK], out=reach[whole:])
    flat = np.flatnonzero(reach.reshape(-1))
    positions = flat // width
    numbers = flat - positions * width  # twice as fast as divmod
    if not allowed.all():
        keep = allowed[positions]
        positions, numbers = positions[keep], numbers[keep]
    blocks = positions // BLOCK
    upper = scores[positions, numbers] * units[blocks, numbers] + errors[blocks, numbers]
    return Pairs(positions, numbers, upper)


class Best:
    """The best ``k`` pairs of row and true score found so far for each of ``q`` queries."""

    def __init__(self, count: int, k: int) -> None:
        self.k = k
        self.rows = np.full((count, k), -1, np.int64)
        self.scores = np.full((count, k), -np.inf, np.float32)

    @property
    def floor(self) -> NDArray[np.float64]:
        """The k-th best score of each query, -inf while there are fewer."""
        return self.scores[:, -1].astype(np.float64)

    def take(self, rows: Rows, numbers: NDArray[np.intp], scores: Dense) -> None:
        """Take pairs in; what does not reach the k-th best is dropped."""
        keep = scores >= self.scores[numbers, -1]
        rows, numbers, scores = rows[keep], numbers[keep], scores[keep]
        touched = np.flatnonzero(np.bincount(numbers, minlength=len(self.rows)))
        if not len(touched):
            return
        rows = np.concatenate([self.rows[touched].reshape(-1), rows])
        scores = np.concatenate([self.scores[touched].reshape(-1), scores])
        owners = np.concatenate([np.repeat(touched, self.k), numbers])
        order = np.lexsort((rows, -scores, owners))
        owners = owners[order]
        first = np.searchsorted(owners, touched)
        chosen = order[first[:, None] + np.arange(self.k)]
        self.rows[touched], self.scores[touched] = rows[chosen], scores[chosen]

    def results(self) -> list[tuple[Rows, Dense]]:
        """Return the pairs of each query, without empty places."""
        filled = (self.rows >= 0).sum(1)
        return [(self.rows[i, :n], self.scores[i, :n]) for i, n in enumerate(filled)]
