"""Terms as 63-bit hashes of their UTF-8 bytes, in Python and in kernels, and the numbering of hashes.

The hash is FNV-1a (Fowler, Noll and Vo, http://www.isthe.com/chongo/tech/comp/fnv/) with the 64-bit finaliser of
MurmurHash3 (Appleby, https://github.com/aappleby/smhasher), without the lowest bit. With ``n`` distinct terms the
chance that any two of them share a hash is about ``n**2 / 2**64``: 5e-8 for a million terms, 5e-4 for a hundred
million. Two terms with one hash would be searched as one; nothing else would break.
It is no protection against texts that were written to collide.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.compiled import inline, kernel, numba_available, numba_loaded

WIDTH = 2**63 - 1
"""Hashes are below this, so that they fit the columns of a sparse matrix of this width."""

_BASIS, _PRIME = 0xCBF29CE484222325, 0x100000001B3
_MIX_1, _MIX_2 = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53
_MASK = 2**64 - 1
# chunks that Python must cut are numbered in the same table as words, from another start
_ROUGH_BASIS = _BASIS ^ 0x9E3779B97F4A7C15
FEW = 50_000
"""Fewer hashes than this are numbered by NumPy."""


def hash_term(term: str) -> int:
    """Return the 63-bit hash of a normalised term.

    Examples
    --------
    >>> hash_term("heat") == hash_term("heat"), hash_term("heat") == hash_term("head")
    (True, False)
    """
    value = _BASIS
    for byte in term.encode("utf-8", "surrogatepass"):
        value = ((value ^ byte) * _PRIME) & _MASK
    value ^= value >> 33
    value = (value * _MIX_1) & _MASK
    value ^= value >> 33
    value = (value * _MIX_2) & _MASK
    value = (value ^ (value >> 33)) >> 1
    return min(value, WIDTH - 1)


def byte_kinds() -> NDArray[np.uint8]:
    """Return what each byte is to the kernel: 0 parts words, 128 and up is not ASCII, else the lower-cased byte."""
    kinds = np.arange(256, dtype=np.uint8)
    for byte in range(128):
        char = chr(byte)
        kinds[byte] = ord(char.lower()) if char.isalnum() else 0
    return kinds


@inline
def finish(value: Any) -> Any:
    """Mix the bits of a 64-bit hash and keep 63 (kernels only)."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(_MIX_1)
    value ^= value >> np.uint64(33)
    value *= np.uint64(_MIX_2)
    value ^= value >> np.uint64(33)
    return min(np.int64(value >> np.uint64(1)), np.int64(WIDTH - 1))


@inline
def place(table: Any, keys: Any, key: Any) -> Any:
    """Return the place of ``key`` in an open table of numbers, or the free place where it belongs (kernels only)."""
    mask = len(table) - 1
    at = key & mask
    while table[at] >= 0 and keys[table[at]] != key:
        at = (at + 1) & mask
    return at


@inline
def doubled(array: Any) -> Any:
    """Return a copy of twice the length (kernels only)."""
    larger = np.empty(2 * len(array), array.dtype)
    larger[: len(array)] = array
    return larger


@inline
def regrown(table: Any, keys: Any, used: Any) -> Any:
    """Return a table of four times the size with the same keys (kernels only)."""
    larger = np.full(4 * len(table), -1, np.int32)
    for number in range(used):
        larger[place(larger, keys, keys[number])] = number
    return larger


@kernel
def scan_words(raw: Any, bounds: Any, kinds: Any) -> Any:  # noqa: C901
    """Cut UTF-8 bytes into lower-cased ASCII words and chunks that hold other characters, and number the distinct ones.

    Parameters
    ----------
    raw
        ``(bytes,)`` uint8; each text is followed by one byte that parts words.
    bounds
        ``(n + 1,)`` int64 first byte of each text.
    kinds
        ``byte_kinds()``.

    Returns
    -------
    tuple
        Tokens (int32 numbers in order), their offsets by text ``(n + 1,)``, and of each number: hash, first byte, last
        byte + 1, and whether it is a chunk for Python.
    """
    table = np.full(1 << 12, -1, np.int32)
    keys, first = np.empty(1 << 11, np.int64), np.empty(1 << 11, np.int64)
    last, rough = np.empty(1 << 11, np.int64), np.empty(1 << 11, np.bool_)
    tokens = np.empty(max(64, len(raw) // 5), np.int32)
    offsets = np.zeros(len(bounds), np.int64)
    count = used = 0
    for text in range(len(bounds) - 1):
        at, end = bounds[text], bounds[text + 1]
        while at < end:
            if kinds[raw[at]] == 0:
                at += 1
                continue
            begin, value, other = at, np.uint64(_BASIS), False
            while at < end:
                kind = kinds[raw[at]]
                if kind == 0:
                    break
                other |= kind >= 128
                value = (value ^ np.uint64(kind)) * np.uint64(_PRIME)
                at += 1
            if other:
                value = np.uint64(_ROUGH_BASIS)
                for byte in range(begin, at):
                    value = (value ^ np.uint64(raw[byte])) * np.uint64(_PRIME)
            key = finish(value)
            spot = place(table, keys, key)
            if table[spot] < 0:
                if used == len(keys):
                    keys, first, last, rough = doubled(keys), doubled(first), doubled(last), doubled(rough)
                    if used * 3 > len(table):
                        table = regrown(table, keys, used)
                    spot = place(table, keys, key)
                keys[used], first[used], last[used], rough[used] = key, begin, at, other
                table[spot] = used
                used += 1
            if count == len(tokens):
                tokens = doubled(tokens)
            tokens[count] = table[spot]
            count += 1
        offsets[text + 1] = count
    return tokens[:count], offsets, keys[:used], first[:used], last[:used], rough[:used]


@kernel
def _number(hashes: Any) -> Any:
    table = np.full(1 << 12, -1, np.int32)
    keys = np.empty(1 << 11, np.int64)
    numbers = np.empty(len(hashes), np.int32)
    used = 0
    for i in range(len(hashes)):
        key = hashes[i]
        spot = place(table, keys, key)
        if table[spot] < 0:
            if used == len(keys):
                keys = doubled(keys)
                if used * 3 > len(table):
                    table = regrown(table, keys, used)
                spot = place(table, keys, key)
            keys[used] = key
            table[spot] = used
            used += 1
        numbers[i] = table[spot]
    return keys[:used], numbers


def number_hashes(hashes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the distinct hashes, ascending, and the position of each given hash among them.

    The same as ``np.unique(hashes, return_inverse=True)``, several times as fast for millions.

    Examples
    --------
    >>> number_hashes(np.array([7, 3, 7]))
    (array([3, 7]), array([1, 0, 1], dtype=int32))
    """
    worth = len(hashes) >= (FEW if numba_loaded() else 40 * FEW)
    if worth and numba_available():
        keys, numbers = _number(hashes)
        order = np.argsort(keys)
        ranks = np.empty(len(keys), np.int32)
        ranks[order] = np.arange(len(keys), dtype=np.int32)
        return keys[order], ranks[numbers]
    keys, inverse = np.unique(hashes, return_inverse=True)
    return keys, inverse.astype(np.int32)
