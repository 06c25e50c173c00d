"""Which rows may still be among the best: from approximate scores with bounds to pairs, and the best pairs so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Rows
from isogloss.index.segment import BLOCK

Scores: TypeAlias = NDArray[np.float32] | NDArray[np.int32]
"""Approximate scores of a chunk, ``(rows, q)``, in the unit of their engine."""

Bounds: TypeAlias = NDArray[np.float64]
"""A number for each block of rows and each query, ``(blocks, q)``."""


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


def least_scores(floor: NDArray[np.float64], units: Bounds, errors: Bounds, kind: str) -> Scores:
    """Return, for each block and query, the smallest approximate score with which a row may reach the floor.

    ``kind`` is the scores' NumPy kind: ``"i"`` for int32, else float32. Rounded down, so that nothing is lost.
    """
    with np.errstate(over="ignore"):
        bound = (floor - errors) / units
    if kind == "i":
        edge = np.iinfo(np.int32)
        return np.clip(np.floor(bound), edge.min, edge.max).astype(np.int32)
    return np.nextafter(bound.astype(np.float32), np.float32(-np.inf))


def candidates(
    scores: Scores, allowed: NDArray[np.bool_], units: Bounds, errors: Bounds, floor: NDArray[np.float64]
) -> Pairs:
    """Return the pairs of a row of the chunk and a query whose score may reach the query's floor."""
    rows, width = scores.shape
    least = least_scores(floor, units, errors, scores.dtype.kind)
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
    return bounded(positions, numbers, scores[positions, numbers], allowed, units, errors)


def bounded(
    positions: NDArray[np.intp],
    numbers: NDArray[np.intp],
    scores: Scores,
    allowed: NDArray[np.bool_],
    units: Bounds,
    errors: Bounds,
) -> Pairs:
    """Return the pairs whose rows are allowed, with upper bounds of their true scores."""
    if not allowed.all():
        keep = allowed[positions]
        positions, numbers, scores = positions[keep], numbers[keep], scores[keep]
    blocks = positions // BLOCK
    return Pairs(positions, numbers, scores * units[blocks, numbers] + errors[blocks, numbers])


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
