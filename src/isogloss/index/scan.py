"""Exact search by scanning: cheap scores with a proven error bound first, then the true score of what is left.

One algorithm serves every engine. An engine gives, for a chunk of rows, approximate scores and for each block of
rows and each query a bound on their error. A row whose approximate score plus bound stays below the k-th best
*true* score found so far cannot be among the best k, so it is dropped; all others are scored truly. The result is
therefore the same, bit for bit, for float32 and int8 engines, for any batch and any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Rows
from isogloss.index.candidates import Best, Bounds, Pairs, Scores, candidates, first_floor
from isogloss.index.segment import BLOCK, Chunk, Segment, all_scores, true_scores

FIRST = 1 << 20
"""Scores of the first chunk; they decide how many rows of all others are looked at."""


@dataclass(slots=True)
class Work:
    """What a scan cost: pairs of row and query that were scored approximately and truly, and bytes of the first."""

    approximate: int = 0
    bytes_read: int = 0
    true: int = 0


class Engine(Protocol):
    """Gives approximate scores of chunks of a segment."""

    name: str
    chunk: int
    """Scores that suit the engine to give at a time."""

    def prepare(self, queries: Dense) -> Any:
        """Return the queries ``(q, d)`` in the engine's own form."""
        ...

    def scores(self, chunk: Chunk, prepared: Any) -> Scores:
        """Return approximate scores ``(rows, q)`` in the engine's own unit."""
        ...

    def units(self, chunk: Chunk, prepared: Any) -> tuple[Bounds, Bounds]:
        """Return, for each block of ``BLOCK`` rows and each query, the unit of the scores and their error bound."""
        ...

    def pairs(self, chunk: Chunk, prepared: Any, floor: NDArray[np.float64], slack: float) -> Pairs:
        """Return the pairs, counted from the chunk's start, whose true score may reach the floor of their query."""
        ...

    def row_bytes(self, dimensions: int) -> int:
        """Return the bytes that the engine reads for one row."""
        ...


def direct(segments: Sequence[tuple[Segment, NDArray[np.bool_]]], queries: Dense, k: int) -> list[tuple[Rows, Dense]]:
    """Find the best ``k`` rows of each query by the true scores of all rows: the shortest way for a few queries."""
    best = Best(len(queries), k)
    for number, query in enumerate(queries):
        for segment, allowed in segments:
            scores = all_scores(segment, query)
            scores[~allowed] = -np.inf
            least = np.partition(scores, len(scores) - k)[len(scores) - k] if k < len(scores) else -np.inf
            usable = np.flatnonzero(scores >= max(least, best.scores[number, -1], np.finfo(np.float32).min))
            best.take(segment.rows[usable], np.full(len(usable), number), scores[usable])
    return best.results()


def scan(
    segments: Sequence[tuple[Segment, NDArray[np.bool_]]],
    queries: Dense,
    k: int,
    engine: Engine,
    *,
    slack: float = 1.0,
    chunk: int = 0,
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
        Scores that are looked at together; 0 for what suits the engine.

    Returns
    -------
    list of (rows, scores)
        For each query at most ``k`` rows, by falling score, ties by rising row; and what it cost.
    """
    prepared = engine.prepare(queries)
    best = Best(len(queries), k)
    work = Work()
    pending: list[Pairs] = []
    size, first = (_rows(scores, len(queries)) for scores in (chunk or engine.chunk, FIRST))
    seen, update_at = 0, 0
    for segment, allowed in segments:
        for start, stop in _chunks(len(segment), size, first if seen == 0 else size):
            part = Chunk(segment, start, stop, allowed[start:stop])
            if seen == 0:
                found = _first(engine, part, prepared, k, slack)
            else:
                found = engine.pairs(part, prepared, best.floor, slack)
            pending.append(found.shifted(start))
            seen += stop - start
            if seen >= update_at:  # the floor rises fastest at first
                work.true += _settle(segment, pending, best, queries)
                update_at = 4 * seen
        work.true += _settle(segment, pending, best, queries)
    work.approximate = seen * len(queries)
    work.bytes_read = seen * engine.row_bytes(queries.shape[1])
    return best.results(), work


def _rows(scores: int, queries: int) -> int:
    return max(BLOCK, scores // queries // BLOCK * BLOCK)


def _chunks(count: int, size: int, first: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of chunks of ``size`` rows, the first one of ``first`` rows."""
    start = 0
    while start < count:
        stop = min(count, start + (size if start else first))
        yield start, stop
        start = stop


def _first(engine: Engine, chunk: Chunk, prepared: Any, k: int, slack: float) -> Pairs:
    """Return the pairs of the first chunk, by a floor that its own scores give."""
    scores = engine.scores(chunk, prepared)
    units, errors = engine.units(chunk, prepared)
    errors = errors * slack
    floor = first_floor(scores, chunk.allowed, units, errors, k)
    return candidates(scores, chunk.allowed, units, errors, floor)


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
