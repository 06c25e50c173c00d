"""Batches of texts of like length, each within a budget of tokens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
R = TypeVar("R")


def length_batches(lengths: NDArray[np.int64], budget: int) -> list[NDArray[np.int64]]:
    """Cut texts, longest first, into batches of at most ``budget`` tokens with padding (or a single text).

    Parameters
    ----------
    lengths
        ``(n,)`` tokens of each text.
    budget
        Most tokens in a batch: its texts times its longest text.

    Returns
    -------
    list of ``(m,)`` int64
        Positions; together each of ``0 .. n - 1`` once. The longest batch comes first, so that memory is at its peak
        at the start; texts of equal length keep their order.

    Examples
    --------
    >>> [batch.tolist() for batch in length_batches(np.array([2, 9, 3, 2]), 6)]
    [[1], [2, 0], [3]]
    """
    order = np.argsort(-lengths, kind="stable").astype(np.int64)
    batches, start = [], 0
    while start < len(order):
        count = max(1, budget // max(1, int(lengths[order[start]])))
        batches.append(order[start : start + count])
        start += count
    return batches


def padded(ids: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return token ids as a matrix, padded on the right with 0: it is masked, so any valid id does."""
    out = np.zeros((len(ids), max(map(len, ids))), np.int64)
    for row, item in zip(out, ids, strict=True):
        row[: len(item)] = item
    return out


def in_order(function: Callable[[T], R], jobs: Sequence[T], threads: int) -> Iterator[R]:
    """Yield ``function(job)`` for each job in order, with ``threads`` jobs under way at a time.

    At most two results a thread wait for the caller. Where the caller stops early, nothing more is started.

    Examples
    --------
    >>> list(in_order(abs, [-1, 2, -3], 2))
    [1, 2, 3]
    """
    if threads == 1 or len(jobs) < 2:
        yield from map(function, jobs)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="isogloss")
    waiting: deque[Future[R]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(function, job))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
