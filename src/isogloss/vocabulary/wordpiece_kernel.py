"""Kernels of the byte-level WordPiece: from UTF-8 bytes to token numbers, or straight to pooled vectors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isogloss.compiled import inline, kernel

LONGEST_WORD = 100
"""A word of more characters than this is one unknown token, as in BERT."""

OFFSET_BASIS, PRIME = 0xCBF29CE484222325, 0x100000001B3
"""Constants of the 64-bit FNV-1a hash."""

SUM, MEAN, UNIT = 0, 1, 2
"""How ``pool_texts`` finishes a vector: not at all, divided by the tokens, scaled to length one."""


class Tables(NamedTuple):
    """All that a kernel reads: the vocabulary as a hash table, characters, added tokens.

    A slot holds the upper half of the FNV-1a hash of a token's bytes and its number plus one (0: free): tokens that
    begin a word in the first half of the slots, those that continue one, without their prefix, in the second.
    """

    slots: NDArray[np.uint64]
    token_bytes: NDArray[np.uint8]
    token_offsets: NDArray[np.int64]
    longest: int
    unknown: int
    pages: NDArray[np.int32]
    starts: NDArray[np.int32]
    lengths: NDArray[np.uint8]
    pool: NDArray[np.uint8]
    added_bytes: NDArray[np.uint8]
    added_offsets: NDArray[np.int64]
    added_ids: NDArray[np.int32]


class Pooling(NamedTuple):
    """How token vectors become a text's vector: the sum of ``weights[t] * rows[t]`` over its tokens.

    ``rows (V, d)`` int8 or float32, ``weights (V,)`` float32; tokens equal to ``skip`` are left out; ``finish`` is
    ``SUM``, ``MEAN`` or ``UNIT``.
    """

    rows: NDArray[Any]
    weights: NDArray[np.float32]
    skip: int
    finish: int


class Work(NamedTuple):
    """Room for one thread: a word's bytes and the hashes of its beginnings, one text's tokens, part of a sum."""

    word: NDArray[np.uint8]
    hashes: NDArray[np.uint64]
    ids: NDArray[np.int32]
    part: NDArray[np.float32]

    @classmethod
    def room(cls, longest_text: int = 0, width: int = 0) -> Work:
        """Return room for pooling texts of at most so many bytes into vectors of so many components."""
        letters = 4 * LONGEST_WORD + 8
        ids, part = np.empty(longest_text + 1, np.int32), np.empty(width, np.float32)
        return cls(np.empty(letters, np.uint8), np.empty(letters, np.uint64), ids, part)


@inline
def find(tables: Any, key: Any, word: Any, start: int, stop: int) -> Any:
    """Return the token whose hash is ``key`` and whose bytes are ``word[start:stop]``, or -1."""
    half = np.uint64(len(tables.slots) >> 1)
    base, high = half if start else np.uint64(0), key >> np.uint64(32)
    place = (key ^ high) & (half - np.uint64(1))
    slot, token = tables.slots[base + place], np.int64(-1)
    while slot and token < 0:
        if slot >> np.uint64(32) == high:
            found = (slot & np.uint64(0xFFFFFFFF)) - np.uint64(1)
            first, size = tables.token_offsets[found], stop - start
            same = tables.token_offsets[found + np.uint64(1)] - first == size
            at = 0
            while same and at < size:
                same = tables.token_bytes[np.uint64(first + at)] == word[np.uint64(start + at)]
                at += 1
            if same:
                token = np.int64(found)
        place = (place + np.uint64(1)) & (half - np.uint64(1))
        slot = tables.slots[base + place]
    return token


@inline
def flush(tables: Any, work: Any, size: int, ids: Any, n: int) -> int:
    """End a word: write its longest pieces from the left at ``ids[n:]`` and return the new ``n``.

    ``work.hashes[i]`` holds the hash of the word's first ``i + 1`` bytes; it is written over.
    """
    begin, first = 0, n
    while begin < size:
        stop = min(size, begin + tables.longest)
        token = -1
        while stop > begin and token < 0:
            token = find(tables, work.hashes[np.uint64(stop - 1)], work.word, begin, stop)
            stop -= 1
        if token < 0:
            ids[first] = tables.unknown
            return first + 1
        ids[n] = token
        n += 1
        begin, key = stop + 1, np.uint64(OFFSET_BASIS)
        for at in range(begin, min(size, begin + tables.longest)):
            key = (key ^ np.uint64(work.word[np.uint64(at)])) * np.uint64(PRIME)
            work.hashes[np.uint64(at)] = key
    return n


@inline
def added_token(tables: Any, text: Any, at: int, stop: int) -> int:
    """Return which added token (such as ``[SEP]``) begins at ``text[at]``, or -1."""
    for which in range(len(tables.added_ids)):
        first, last = tables.added_offsets[which], tables.added_offsets[which + 1]
        if at + last - first <= stop:
            same = True
            for i in range(last - first):
                same = same and text[at + i] == tables.added_bytes[first + i]
            if same:
                return which
    return -1


@inline
def code_point(text: Any, at: Any) -> tuple[Any, int]:
    """Decode the UTF-8 character at ``text[at]``; return it and its number of bytes."""
    a = np.int64(text[np.uint64(at)])
    if a < 0x80:
        return a, 1
    b = np.int64(text[np.uint64(at + 1)]) & 0x3F
    if a < 0xE0:
        return (a & 0x1F) << 6 | b, 2
    c = np.int64(text[np.uint64(at + 2)]) & 0x3F
    if a < 0xF0:
        return (a & 0x0F) << 12 | b << 6 | c, 3
    return (a & 0x07) << 18 | b << 12 | c << 6 | (np.int64(text[np.uint64(at + 3)]) & 0x3F), 4


@inline
def cut(  # noqa: C901 - one loop over the bytes
    tables: Any, text: Any, at: int, stop: int, work: Any, ids: Any, n: int
) -> int:
    """Write the tokens of ``text[at:stop]`` at ``ids[n:]``; return the new ``n``, or -1 where a character is odd."""
    size, left, key, ended = 0, LONGEST_WORD, np.uint64(OFFSET_BASIS), False
    while not ended:
        which, point, width = -1, np.int64(0x20), 1  # a blank behind the text ends its last word
        if at >= stop:
            ended = True
        else:
            point = np.int64(text[np.uint64(at)])
            if point == 0x5B:
                which = added_token(tables, text, at, stop)
            if which >= 0:
                point, width = np.int64(0x20), tables.added_offsets[which + 1] - tables.added_offsets[which]
            elif point >= 0x80:
                point, width = code_point(text, at)
        at += width
        entry = np.uint64(np.int64(tables.pages[np.uint64(point >> 8)]) << 8 | point & 0xFF)
        first, length = np.int64(tables.starts[entry]), np.int64(tables.lengths[entry])
        if length == 255:
            return -1
        for i in range(first, first + length):
            byte = tables.pool[np.uint64(i)]
            if byte != 0x20:
                left -= (byte & 0xC0) != 0x80
                if left >= 0:
                    key = (key ^ np.uint64(byte)) * np.uint64(PRIME)
                    work.word[np.uint64(size)], work.hashes[np.uint64(size)] = byte, key
                    size += 1
            elif size:
                if left >= 0:
                    n = flush(tables, work, size, ids, n)
                else:
                    ids[n] = tables.unknown
                    n += 1
                size, left, key = 0, LONGEST_WORD, np.uint64(OFFSET_BASIS)
        if which >= 0:
            ids[n] = tables.added_ids[which]
            n += 1
    return n


@kernel(allocates=False)
def token_texts(tables: Any, text: Any, offsets: Any, first: int, last: int, work: Any, ids: Any, ends: Any) -> None:
    """Write the tokens of texts ``first:last`` one after another into ``ids`` from ``offsets[first]`` on.

    ``ends[i]`` becomes the number of tokens of text ``i``, or -1 where ``tokenizers`` must cut it.
    """
    at = offsets[first]
    for i in range(first, last):
        n = cut(tables, text, offsets[i], offsets[i + 1], work, ids, at)
        ends[i] = n - at if n >= 0 else -1
        at = n if n >= 0 else at


@kernel(fastmath=True, allocates=False)
def pool_texts(  # noqa: C901 - one loop
    tables: Any, text: Any, offsets: Any, first: int, last: int, work: Any, pooling: Any, vectors: Any, ends: Any
) -> None:
    """Write the pooled vectors of texts ``first:last`` into ``vectors (n, d)``, float32, which comes filled with zeros.

    ``ends`` as in ``token_texts``.
    """
    rows, weights, part = pooling.rows, pooling.weights, work.part
    width = rows.shape[1]
    for i in range(first, last):
        n = cut(tables, text, offsets[i], offsets[i + 1], work, work.ids, 0)
        ends[i] = n
        pooled, total = 0, np.float32(0)
        for begin in range(0, n, 256):  # sums of sums, so that rounding does not grow with a text's length
            part[:] = np.float32(0)
            for t in range(begin, min(n, begin + 256)):
                token = np.uint64(work.ids[t])
                if token != pooling.skip:
                    pooled += 1
                    weight = weights[token]
                    for d in range(width):
                        part[d] += weight * np.float32(rows[token, d])
            for d in range(width):
                vectors[i, d] += part[d]
        if pooling.finish == MEAN and pooled:
            total = np.float32(1) / np.float32(pooled)
        elif pooling.finish == UNIT and pooled:
            for d in range(width):
                total += vectors[i, d] * vectors[i, d]
            total = np.float32(1) / np.sqrt(total) if total > 0 else np.float32(1)
        if total > 0:
            for d in range(width):
                vectors[i, d] *= total


@kernel(allocates=False)
def pages_used(text: Any, used: Any) -> None:
    """Mark in ``used (4352,)`` the pages of 256 code points that a UTF-8 text needs."""
    at, stop = 0, len(text)
    while at < stop:
        if text[np.uint64(at)] < 0x80:
            at += 1
        else:
            point, width = code_point(text, at)
            used[point >> 8] = True
            at += width
