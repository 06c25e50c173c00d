"""Texts as one run of UTF-8 bytes with offsets, cut into blocks and shared out to threads."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Ragged
from isogloss.vocabulary.wordpiece_kernel import OFFSET_BASIS, PRIME

BLOCK = 4_000_000
"""Characters that a kernel is given at a time, which bounds the memory."""

SURROGATES = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs, which UTF-8 cannot hold."""


def fnv1a(token: bytes) -> int:
    """Return the 64-bit FNV-1a hash of some bytes."""
    key = OFFSET_BASIS
    for byte in token:
        key = ((key ^ byte) * PRIME) & 0xFFFFFFFFFFFFFFFF
    return key


def flat(parts: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Join byte strings; return the bytes and where each begins."""
    return np.frombuffer(b"".join(parts) or b"\0", np.uint8), offsets_of([len(part) for part in parts])


def offsets_of(lengths: Any) -> NDArray[np.int64]:
    """Return the offsets of runs of these lengths, ``(n + 1,)``."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ragged(rows: Sequence[Sequence[int]]) -> Ragged:
    """Return lists of token numbers as one ragged int32 array."""
    offsets = offsets_of([len(row) for row in rows])
    return Ragged(np.fromiter(chain.from_iterable(rows), np.int32, int(offsets[-1])), offsets)


def utf8(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64], bool]:
    """Return all texts as one run of UTF-8 bytes, where each begins, and whether all is ASCII."""
    joined = "".join(texts)
    if joined.isascii():
        return np.frombuffer(joined.encode() or b"\0", np.uint8), offsets_of(list(map(len, texts))), True
    try:
        parts = [text.encode() for text in texts]
    except UnicodeEncodeError:
        parts = [SURROGATES.sub("", text).encode() for text in texts]
    return *flat(parts), False


def blocks(texts: Sequence[str]) -> list[Sequence[str]]:
    """Cut the texts into runs of at most ``BLOCK`` characters (a longer text is a run of its own)."""
    found, start, size = [], 0, 0
    for i, text in enumerate(texts):
        if size and size + len(text) > BLOCK:
            found.append(texts[start:i])
            start, size = i, 0
        size += len(text)
    return [*found, texts[start:]]


def shares(threads: int, offsets: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cut ``n`` texts into runs of about equal bytes, one a thread (one in all below 100,000 bytes)."""
    n, size = len(offsets) - 1, int(offsets[-1])
    parts = min(threads, 1 + size // 100_000)
    edges = np.searchsorted(offsets, np.linspace(0, size, parts + 1)[1:-1]).tolist()
    bounds = [0, *edges, n]
    return [(a, b) for a, b in pairwise(bounds) if b > a]


def share_out(threads: int, offsets: NDArray[np.int64], work: Callable[[int, int], None]) -> None:
    """Call ``work(first, last)`` for each share, in as many threads."""
    parts = shares(threads, offsets)
    if len(parts) <= 1:
        for a, b in parts:
            work(a, b)
        return
    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(lambda share: work(*share), parts))
