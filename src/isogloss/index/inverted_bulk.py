"""Thousands of word queries at once: postings with their weights ready, one kernel that adds up and picks the best."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Bitmap, Dense, Hits, Rows
from isogloss.compiled import inline, kernel

BLOCK = 64
"""Documents looked at together when the best are picked."""
SPARSE = 16
"""Where a query touches fewer than one document in so many, only those touched are looked at."""
MOST = 1000
"""The kernel keeps at most so many hits a query."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Live postings in one piece, with the part of each weight that does not depend on the query.

    Attributes
    ----------
    terms, offsets
        As in ``Postings``.
    slots
        ``(p,)`` int32 documents, numbered by rising row number.
    saturation
        ``(p,)`` float32 ``tf / (tf + k1 * (1 - b + b * length / average))``.
    rows
        ``(n,)`` int64 row number of each slot, ascending.
    """

    terms: NDArray[np.int64]
    offsets: NDArray[np.int64]
    slots: NDArray[np.int32]
    saturation: Dense
    rows: Rows


@dataclass(frozen=True, slots=True)
class Plan:
    """What many queries read: for each term of each query, in order of work, its postings and its weight.

    Attributes
    ----------
    offsets
        ``(q + 1,)`` int64 terms of each query.
    starts, stops
        ``(t,)`` int64 postings of each term.
    weights
        ``(t,)`` float32 inverse document frequency times the count in the query.
    """

    offsets: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    weights: Dense


def saturation(counts: NDArray[Any], norms: Dense) -> Dense:
    """Return ``tf / (tf + norm)`` in float32, the same bits here and in single queries."""
    tf = counts.astype(np.float32)
    return np.asarray(tf / (tf + norms), np.float32)


def worker_count(threads: int | None) -> int:
    """Return how many threads to use: as asked, else ``OMP_NUM_THREADS``, else one a core."""
    if threads is None:
        named = os.environ.get("OMP_NUM_THREADS", "")
        threads = (
            int(named)
            if named.isdecimal()
            else len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count()
        )
    return max(1, threads or 1)


def search_many(ready: Ready, plan: Plan, k: int, allowed: Bitmap | None, threads: int | None) -> Hits:
    """Return the best ``k`` documents of each query; ``allowed (n,)`` flags slots. Needs Numba."""
    n, queries = len(ready.rows), len(plan.offsets) - 1
    slots = np.full((queries, k), -1, np.int32)
    scores = np.full((queries, k), -np.inf, np.float32)
    flags = np.zeros(0, np.bool_) if allowed is None else allowed
    parts = min(worker_count(threads), 1 + queries // 64)
    # each thread gets as many postings as the others
    read = np.concatenate([[0], np.cumsum(plan.stops - plan.starts)])[plan.offsets]
    read += np.arange(queries + 1) * (n // 32 + 1)
    edges = np.searchsorted(read, np.linspace(0, read[-1], parts + 1)[1:-1])
    bounds = [0, *edges.tolist(), queries]

    def run(part: int) -> None:
        work = (plan.offsets, plan.starts, plan.stops, plan.weights)
        postings = (ready.slots, ready.saturation)
        _search(work, postings, flags, n, bounds[part], bounds[part + 1], (slots, scores))

    if parts == 1:
        run(0)
    else:
        with ThreadPoolExecutor(parts) as pool:
            list(pool.map(run, range(parts)))
    rows = np.where(slots >= 0, ready.rows[slots] if n else -1, -1)
    return Hits(rows, scores)


@inline
def insert(slots: Any, scores: Any, used: Any, slot: Any, score: Any) -> Any:
    """Put a document in its place among the best, ties by rising slot (kernels only); return how many there are."""
    k = len(scores)
    if used == k:
        if score < scores[k - 1] or (score == scores[k - 1] and slot > slots[k - 1]):
            return used
    else:
        used += 1
    at = used - 1
    while at > 0 and (score > scores[at - 1] or (score == scores[at - 1] and slot < slots[at - 1])):
        scores[at], slots[at] = scores[at - 1], slots[at - 1]
        at -= 1
    scores[at], slots[at] = score, slot
    return used


@kernel
def _search(plan: Any, postings: Any, flags: Any, n: Any, first: Any, last: Any, best: Any) -> None:  # noqa: C901
    offsets, starts, stops, weights = plan
    slots, parts = postings
    best_slots, best_scores = best
    filtered = len(flags) > 0
    sums = np.zeros((n // BLOCK + 1) * BLOCK, np.float32)
    bits = sums.view(np.int32)  # positive floats compare as their bits do, and integer maxima are vectorised
    k = best_scores.shape[1]
    for query in range(first, last):
        touched = 0
        for term in range(offsets[query], offsets[query + 1]):
            weight = weights[term]
            touched += stops[term] - starts[term]
            for i in range(starts[term], stops[term]):
                sums[slots[i]] += weight * parts[i]
        mine, theirs, used = best_slots[query], best_scores[query], 0
        low = theirs.view(np.int32)
        if touched * SPARSE < n:
            for term in range(offsets[query], offsets[query + 1]):
                for i in range(starts[term], stops[term]):
                    slot = slots[i]
                    if sums[slot] > 0 and (not filtered or flags[slot]):
                        used = insert(mine, theirs, used, slot, sums[slot])
                    sums[slot] = 0
            continue
        for begin in range(0, n, BLOCK):
            block = bits[begin : begin + BLOCK]
            highest = np.int32(0)
            for i in range(BLOCK):
                highest = max(highest, block[i])
            if highest > 0 and (used < k or highest > low[k - 1]):
                for slot in range(begin, begin + BLOCK):
                    if sums[slot] > 0 and (not filtered or flags[slot]):
                        used = insert(mine, theirs, used, slot, sums[slot])
            if highest != 0:
                block[:] = 0
