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
MANY = 500
"""From so many terms on a kernel hashes them."""
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


def hash_terms(terms: list[str]) -> NDArray[np.int64]:
    """Return the hashes of many terms; a kernel computes them where Numba is imported already.

    Examples
    --------
    >>> hash_terms(["heat", "head"]).tolist() == [hash_term("heat"), hash_term("head")]
    True
    """
    if len(terms) < MANY or not numba_loaded() or not numba_available():
        return np.array(list(map(hash_term, terms)), np.int64)
    parts = [term.encode("utf-8", "surrogatepass") for term in terms]
    bounds = np.zeros(len(parts) + 1, np.int64)
    np.cumsum(list(map(len, parts)), out=bounds[1:])
    return np.asarray(_hashed(np.frombuffer(b"".join(parts) + b" ", np.uint8), bounds))


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


@kernel
def _hashed(raw: Any, bounds: Any) -> Any:
    hashes = np.empty(len(bounds) - 1, np.int64)
    for term in range(len(hashes)):
        value = np.uint64(_BASIS)
        for byte in range(bounds[term], bounds[term + 1]):
            value = (value ^ np.uint64(raw[byte])) * np.uint64(_PRIME)
        hashes[term] = finish(value)
    return hashes


@inline
def place(table: Any, keys: Any, key: Any) -> Any:
    """Return the place of ``key`` in an open table of numbers, or the free place where it belongs (kernels only)."""
    mask = len(table) - 1
    at = key & mask
    while table[at] >= 0 and keys[table[at]] != key:
        at = (at + 1) & mask
    return at


@kernel
def _regrown(table: Any, keys: Any, used: Any) -> Any:
    larger = np.full(4 * len(table), -1, np.int32)
    for number in range(used):
        larger[place(larger, keys, keys[number])] = number
    return larger


@kernel
def _scan(source: Any, table: Any, found: Any, tokens: Any, offsets: Any, state: Any) -> Any:
    # nothing is allocated here: counting references to arrays that change would cost more than the work
    raw, bounds, kinds = source
    keys, first, last, rough = found
    text, used = state
    count = offsets[text]
    while text < len(bounds) - 1:
        at, end = bounds[text], bounds[text + 1]
        while at < end:
            if kinds[raw[at]] == 0:
                at += 1
                continue
            begin, value, kind, other = at, np.uint64(_BASIS), kinds[raw[at]], np.uint8(0)
            while kind != 0:  # the byte after a text parts words
                other |= kind
                value = (value ^ np.uint64(kind)) * np.uint64(_PRIME)
                at += 1
                kind = kinds[raw[at]]
            if other >= 128:
                value = np.uint64(_ROUGH_BASIS)
                for byte in range(begin, at):
                    value = (value ^ np.uint64(raw[byte])) * np.uint64(_PRIME)
            key = finish(value)
            spot = place(table, keys, key)
            if table[spot] < 0:
                if 2 * used >= len(table):
                    return text, used
                keys[used], first[used], last[used], rough[used] = key, begin, at, other >= 128
                table[spot] = used
                used += 1
            tokens[count] = table[spot]
            count += 1
        text += 1
        offsets[text] = count
    return text, used


Scanned = tuple[
    NDArray[np.int32],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.bool_],
]


def scan_words(raw: NDArray[np.uint8], bounds: NDArray[np.int64]) -> Scanned:
    """Cut UTF-8 bytes into lower-cased ASCII words and chunks that hold other characters, and number the distinct ones.

    Parameters
    ----------
    raw
        ``(bytes,)`` uint8; each text ends with a byte that parts words.
    bounds
        ``(n + 1,)`` int64 first byte of each text.

    Returns
    -------
    tuple
        Tokens (int32 numbers in order), their offsets by text ``(n + 1,)``, and of each number: hash, first byte, last
        byte + 1, and whether it is a chunk for Python.
    """
    most = len(raw) // 2 + 1  # memory that is not touched costs nothing
    keys, first, last = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    rough = np.empty(most, np.bool_)
    found = (keys, first, last, rough)
    tokens, offsets = np.empty(most, np.int32), np.zeros(len(bounds), np.int64)
    table, text, used = np.full(1 << 16, -1, np.int32), 0, 0
    while True:
        text, used = _scan((raw, bounds, byte_kinds()), table, found, tokens, offsets, (text, used))
        if text == len(bounds) - 1:
            return tokens[: offsets[-1]], offsets, keys[:used], first[:used], last[:used], rough[:used]
        table = _regrown(table, keys, used)


@kernel
def _number(hashes: Any, table: Any, keys: Any, numbers: Any, state: Any) -> Any:
    at, used = state
    while at < len(hashes):
        key = hashes[at]
        spot = place(table, keys, key)
        if table[spot] < 0:
            if 2 * used >= len(table):
                return at, used
            keys[used] = key
            table[spot] = used
            used += 1
        numbers[at] = table[spot]
        at += 1
    return at, used


def _numbered(hashes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the distinct hashes in the order of their first appearance, and the number of each given one."""
    keys, numbers = np.empty(len(hashes), np.int64), np.empty(len(hashes), np.int32)
    table, at, used = np.full(1 << 16, -1, np.int32), 0, 0
    while True:
        at, used = _number(hashes, table, keys, numbers, (at, used))
        if at == len(hashes):
            return keys[:used], numbers
        table = _regrown(table, keys, used)


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
        keys, numbers = _numbered(np.ascontiguousarray(hashes))
        order = np.argsort(keys)
        ranks = np.empty(len(keys), np.int32)
        ranks[order] = np.arange(len(keys), dtype=np.int32)
        return keys[order], ranks[numbers]
    keys, inverse = np.unique(hashes, return_inverse=True)
    return keys, inverse.astype(np.int32)
