"""Batches of texts of like length, each within a budget of tokens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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


def padded(ids: list[NDArray[np.int64]], pad: int) -> NDArray[np.int64]:
    """Return token ids as a matrix, padded on the right with ``pad``."""
    out = np.full((len(ids), max(map(len, ids))), pad, np.int64)
    for row, item in zip(out, ids, strict=True):
        row[: len(item)] = item
    return out
