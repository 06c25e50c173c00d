"""Which ids a run has given out: some 30 bytes an id, whatever its length."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_BITS = 1 << 26
_RECENT = 200_000


class SeenIds:
    """Remember each id with a place number; ids are kept as 64-bit hashes.

    The last 200,000 ids are in a dictionary, older ones in sorted arrays behind a bitmap that answers
    nearly all new ids at once. Two different ids are taken for one with probability n^2 / 2^65 (3e-8 at a million).

    Examples
    --------
    >>> seen = SeenIds()
    >>> seen.add("a", 1), seen.add("b", 2), seen.add("a", 3)
    (-1, -1, 1)
    """

    def __init__(self, *, recent: int = _RECENT) -> None:
        self._limit = recent
        self._recent: dict[int, int] = {}
        self._marks = bytearray()
        self._hashes: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._places: NDArray[np.int64] = np.zeros(0, np.int64)

    def add(self, identifier: str, place: int) -> int:
        """Return the place where the id was seen before, else remember it and return -1."""
        key = int.from_bytes(blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
        found = self._recent.get(key, -1)
        if found >= 0:
            return found
        if self._marks and self._marks[(key % _BITS) >> 3] >> (key & 7) & 1:
            at = int(np.searchsorted(self._hashes, np.uint64(key)))
            if at < len(self._hashes) and int(self._hashes[at]) == key:
                return int(self._places[at])
        self._recent[key] = place
        if len(self._recent) >= self._limit:
            self._settle()
        return -1

    def _settle(self) -> None:
        keys = np.fromiter(self._recent.keys(), np.uint64, len(self._recent))
        places = np.fromiter(self._recent.values(), np.int64, len(self._recent))
        self._recent.clear()
        if not self._marks:
            self._marks = bytearray(_BITS // 8)
        marks = np.frombuffer(self._marks, np.uint8)
        slots = (keys % np.uint64(_BITS)).astype(np.int64)
        np.bitwise_or.at(marks, slots >> 3, (np.uint8(1) << (slots & 7).astype(np.uint8)))
        hashes = np.concatenate([self._hashes, keys])
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._places = hashes[order], np.concatenate([self._places, places])[order]
