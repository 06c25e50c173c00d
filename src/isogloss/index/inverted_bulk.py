"""Thousands of word queries at once: postings with their weights ready, one kernel that adds up and picks the best."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Bitmap, Dense, Hits
from isogloss.compiled import inline, kernel
from isogloss.index.postings import Postings

BLOCK = 4096
"""Documents that are added up at a time, so that the sums and the frequent words' weights stay in the cache."""
STRIP = 128
"""Documents looked at together when the best are picked."""
BATCH = 256
"""Questions that go through the documents together."""
FREQUENT = 8
"""Words that stand in one of so many documents or more are kept as one weight a document, too."""
MOST = 1000
"""The kernel keeps at most so many hits a query."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Live postings in one piece, with the part of each weight that does not depend on the query.

    Attributes
    ----------
    postings
        The live postings as one segment; its positions number the documents by rising row number.
    saturation
        ``(p,)`` float32 ``tf / (tf + k1 * (1 - b + b * length / average))`` of each posting.
    highest
        ``(t,)`` float32 greatest saturation of each term.
    dense_of
        ``(t,)`` int32 row of each frequent term in ``dense``, else -1.
    dense
        ``(frequent terms, n)`` float32 saturation by document, 0 where the term is missing, padded to whole blocks.
    """

    postings: Postings
    saturation: Dense
    highest: Dense
    dense_of: NDArray[np.int32]
    dense: Dense


@dataclass(frozen=True, slots=True)
class Plan:
    """What many queries read: for each term of each query, the rarest first, its postings and its weight.

    Attributes
    ----------
    offsets
        ``(q + 1,)`` int64 terms of each query.
    terms
        ``(t,)`` int64 number of each term among the postings' terms.
    weights
        ``(t,)`` float32 inverse document frequency times the count in the query, 0 or more.
    """

    offsets: NDArray[np.int64]
    terms: NDArray[np.int64]
    weights: Dense


def saturation(counts: NDArray[Any], norms: Dense) -> Dense:
    """Return ``tf / (tf + norm)`` in float32, the same bits here and in single queries."""
    tf = counts.astype(np.float32)
    return np.asarray(tf / (tf + norms), np.float32)


def make_ready(postings: Postings, norms: Dense) -> Ready:
    """Compute all weights of a segment; ``norms (n,)`` is the normed length of each document."""
    parts = np.empty(len(postings.positions), np.float32)
    for start in range(0, len(parts), 1 << 20):
        piece = slice(start, start + (1 << 20))
        parts[piece] = saturation(postings.counts[piece], norms[postings.positions[piece]])
    frequencies = np.diff(postings.offsets)
    highest = np.maximum.reduceat(parts, postings.offsets[:-1]) if len(parts) else np.zeros(0, np.float32)
    frequent = np.flatnonzero(frequencies * FREQUENT >= max(1, len(postings)))
    dense_of = np.full(len(frequencies), -1, np.int32)
    dense_of[frequent] = np.arange(len(frequent), dtype=np.int32)
    dense = np.zeros((len(frequent), -(-len(postings) // BLOCK) * BLOCK), np.float32)
    for row, term in enumerate(frequent.tolist()):
        owned = slice(postings.offsets[term], postings.offsets[term + 1])
        dense[row, postings.positions[owned]] = parts[owned]
    return Ready(postings, parts, highest, dense_of, dense)


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
    """Return the best ``k`` documents of each query; ``allowed (n,)`` flags documents. Needs Numba."""
    queries, n = len(plan.offsets) - 1, len(ready.postings)
    slots = np.full((queries, k), -1, np.int32)
    scores = np.full((queries, k), -np.inf, np.float32)
    flags = np.zeros(0, np.bool_) if allowed is None else allowed
    starts, stops = ready.postings.offsets[plan.terms], ready.postings.offsets[plan.terms + 1]
    limits = plan.weights * ready.highest[plan.terms]
    work = (plan.offsets, starts, stops, plan.weights, limits, ready.dense_of[plan.terms])
    postings = (np.ascontiguousarray(ready.postings.positions), ready.saturation, ready.dense)
    # each thread gets as many postings as the others
    read = np.concatenate([[0], np.cumsum(stops - starts)])[plan.offsets] + np.arange(queries + 1) * (n // 32 + 1)
    parts = min(worker_count(threads), 1 + queries // 64)
    edges = np.searchsorted(read, np.linspace(0, read[-1], parts + 1)[1:-1])
    bounds = [0, *edges.tolist(), queries]

    def run(part: int) -> None:
        _search(work, postings, flags, (n, STRIP), bounds[part], bounds[part + 1], (slots, scores))

    if parts == 1:
        run(0)
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(parts) as pool:
            list(pool.map(run, range(parts)))
    rows = np.where(slots >= 0, ready.postings.rows[slots] if n else -1, -1)
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


@inline
def add_up(sums: Any, work: Any, postings: Any, cursors: Any, first: Any, last: Any, base: Any) -> Any:
    """Add the rarer words' weights of one block of documents (kernels only).

    Returns how many postings were read, and the most that the frequent words may add to a document.
    """
    _, _, stops, weights, limits, dense_of = work
    slots, parts, _ = postings
    end = base + len(sums)
    touched, rest = 0, 0.0
    for i in range(len(cursors)):
        term = first + i
        if dense_of[term] >= 0:
            rest += limits[term]
            continue
        weight, stop, at = weights[term], stops[term], cursors[i]
        begin = at
        while at < stop and slots[at] < end:
            sums[slots[at] - base] += weight * parts[at]
            at += 1
        cursors[i] = at
        touched += at - begin
    # the greatest error of adding so many numbers in single precision is on the safe side
    return touched, rest, 1.0 + 1e-7 * (last - first + 2)


@inline
def peak(bits: Any, width: Any) -> Any:
    """Return the greatest of positive floats, given as their bits, which compare alike (kernels only)."""
    highest = np.int32(0)
    for i in range(width):
        highest = max(highest, bits[i])
    return highest


@inline
def pick(sums: Any, work: Any, dense: Any, span: Any, rest: Any, slack: Any, best: Any) -> Any:
    """Finish the documents of one block that may be among the best, and clear the sums (kernels only)."""
    first, last, base, width = span
    flags, mine, theirs, used, most = best
    weights, dense_of = work[3], work[5]
    bits, most_bits, k = sums.view(np.int32), most.view(np.int32), len(theirs)
    for begin in range(0, len(sums), width):
        strip, strip_bits = sums[begin : begin + width], bits[begin : begin + width]
        low = theirs[k - 1] if used == k else np.float32(0)
        most_bits[0] = peak(strip_bits, width)
        if (most[0] + rest) * slack > low:
            if rest > 0:
                for term in range(first, last):
                    if dense_of[term] >= 0:
                        extra = dense[dense_of[term], base + begin : base + begin + width]
                        weight = weights[term]
                        for i in range(width):
                            strip[i] += weight * extra[i]
                most_bits[0] = peak(strip_bits, width)
            if most[0] > low:
                for i in range(width):
                    if strip[i] > low and (len(flags) == 0 or flags[base + begin + i]):
                        used = insert(mine, theirs, used, base + begin + i, strip[i])
                        low = theirs[k - 1] if used == k else np.float32(0)
        strip[:] = 0
    return used


@kernel
def _search(work: Any, postings: Any, flags: Any, sizes: Any, first: Any, last: Any, best: Any) -> None:
    n, width = sizes  # the width comes from outside: loops of a known length are unrolled instead of vectorised
    offsets, starts = work[0], work[1]
    best_slots, best_scores = best
    sums, most = np.zeros(BLOCK, np.float32), np.zeros(1, np.float32)
    k = best_scores.shape[1]
    for early in range(first, last, BATCH):
        late = min(early + BATCH, last)
        start = offsets[early]
        cursors = starts[start : offsets[late]].copy()
        used = np.zeros(late - early, np.int64)
        for base in range(0, n, BLOCK):
            for query in range(early, late):
                a, b = offsets[query], offsets[query + 1]
                mine, theirs, full = best_slots[query], best_scores[query], used[query - early]
                touched, rest, slack = add_up(sums, work, postings, cursors[a - start : b - start], a, b, base)
                if touched == 0 and (rest == 0 or (full == k and rest * slack <= theirs[k - 1])):
                    continue
                state = (flags, mine, theirs, full, most)
                used[query - early] = pick(sums, work, postings[2], (a, b, base, width), rest, slack, state)
