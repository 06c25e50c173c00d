"""Soft-max attention over packed texts in one program on AMX tiles: no padding, no matrix of scores in memory.

For each text and head, 16 queries at a time: scores against all keys, their exponentials and the weighted sum of the
values stay in the processor's first caches (as in FlashAttention, https://arxiv.org/abs/2205.14135). Scores are kept
as keys x queries, so that maxima and sums run down 16 queries at once and nothing is added up across a vector.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.encoders.engines.vector_code import (
    FLOATS,
    I64,
    POINTER,
    SHORTS,
    WORDS,
    Code,
    begin,
    compiled,
    number,
    same,
)  # fmt: skip

_TILE = 1024  # bytes: 16 rows of 64
_KINDS = (*[POINTER] * 3, I64, POINTER, I64)
_C_KINDS = (*[ctypes.c_void_p] * 3, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
_SCORES, _KEYS, _WEIGHTS, _VALUES = 4, 6, 6, (5, 7)  # numbers of tiles; 0 to 3 hold queries, later what was seen


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Bytes: of a head's part of a token, of a token's queries, keys and values, of a token's result."""

    heads: int
    head: int
    row: int
    result: int

    @property
    def chunks(self) -> int:
        """Tiles across a head."""
        return self.head // 64


@dataclass(frozen=True, slots=True)
class _Room:
    """Addresses of the working memory, in this order."""

    saved: Any
    tiles: Any
    nothing: Any
    queries: Any
    seen: Any
    turned: Any
    keys: Any
    values: Any
    scores: Any
    weights: Any


def _fixed(head: int) -> list[int]:
    return [64, 64, 256, 16 * head, 32 * head, 32 * head]


def _by_token(head: int) -> list[int]:
    return [head, head, 64, 32]


@dataclass(frozen=True, slots=True)
class _Text:
    """One text in one head: address of the head's part of its first token, its tokens, these rounded up to 32."""

    start: Any
    length: Any
    padded: Any


def _token(c: Code, sizes: _Sizes, text: _Text, i: Any, part: int) -> Any:
    """Return the address of token ``i``'s query (0), key (1) or value (2); behind the text stands its last token."""
    i = c.smaller(i, c.build.sub(text.length, number(1)))
    return c.at(text.start, c.build.add(c.times(i, sizes.row), number(part * sizes.result)))


def _value(c: Code, sizes: _Sizes, text: _Text, i: Any, room: _Room) -> Any:
    """Return the address of token ``i``'s value; behind the text stand zeros."""
    inside = c.build.icmp_signed("<", i, text.length)
    return c.build.select(inside, _token(c, sizes, text, i, 2), room.nothing)


def _pack(c: Code, sizes: _Sizes, text: _Text, room: _Room) -> None:
    """Copy the keys; turn the values into tiles of 16 dimensions x 32 tokens; clear the weights behind the text."""
    b = c.build
    for i in range(16):  # else a damaged text's would stay there, and what is not a number survives a weight of nought
        c.store(same(0.0), c.at(c.at(room.weights, c.times(b.sub(text.padded, number(32)), 32)), 64 * i))
    with c.loop(text.padded) as (i, _, _):
        source, place = _token(c, sizes, text, i, 1), c.at(room.keys, c.times(i, sizes.head))
        for chunk in range(sizes.chunks):
            c.store(c.load(c.at(source, 64 * chunk), WORDS), c.at(place, 64 * chunk))
    with c.loop(text.padded, 32) as (first, _, _):
        place = c.at(room.values, c.times(first, sizes.head))
        for chunk in range(sizes.chunks):
            halves: tuple[list[Any], list[Any]] = ([], [])
            for pair in range(0, 32, 2):
                x, y = (
                    c.load(c.at(_value(c, sizes, text, b.add(first, number(i)), room), 64 * chunk), SHORTS)
                    for i in (pair, pair + 1)
                )
                for half, rows in enumerate(halves):
                    rows.append(b.bitcast(c.interleave(x, y, 16 * half), WORDS))
            for half, rows in enumerate(halves):
                _write_tile(c, c.transpose(rows), c.at(place, (2 * chunk + half) * _TILE))


def _write_tile(c: Code, rows: list[Any], place: Any) -> None:
    for i, row in enumerate(rows):
        c.store(row, c.at(place, 64 * i))


def _score(c: Code, sizes: _Sizes, text: _Text, room: _Room, first: Any) -> Any:
    """Write keys x 16 queries from ``first`` on; return the largest score of each query."""
    b = c.build
    for chunk in range(sizes.chunks):
        sources = [_token(c, sizes, text, b.add(first, number(i)), 0) for i in range(16)]
        rows = c.transpose([c.load(c.at(source, 64 * chunk), WORDS) for source in sources])
        _write_tile(c, rows, c.at(room.queries, _TILE * chunk))
        c.tile("tileloadd64", chunk, c.at(room.queries, _TILE * chunk), number(64))
    padded = b.and_(b.add(text.length, number(15)), number(-16))
    with c.loop(padded, 16) as (key, _, _):
        c.tile("tilezero", _SCORES)
        for chunk in range(sizes.chunks):
            c.tile(
                "tileloadd64", _KEYS, c.at(c.at(room.keys, c.times(key, sizes.head)), 64 * chunk), number(sizes.head)
            )
            c.tile("tdpbf16ps", _SCORES, _KEYS, chunk)
        c.tile("tilestored64", _SCORES, c.at(room.scores, c.times(key, 64)), number(64))
    begun = [c.load(c.at(room.scores, 64 * i), FLOATS) for i in range(4)]
    with c.loop(padded, 4, carry=begun) as (key, tops, following):
        place = c.at(room.scores, c.times(key, 64))
        following += [c.larger(c.load(c.at(place, 64 * i), FLOATS), top) for i, top in enumerate(tops)]
    return c.larger(c.larger(tops[0], tops[1]), c.larger(tops[2], tops[3]))


def _weigh(c: Code, text: _Text, room: _Room, top: Any) -> Any:
    """Write pairs of keys x 16 queries of exponentials; return one over their sum, for each query."""
    b = c.build

    def exponential(key: Any, i: int) -> Any:
        score = c.load(c.at(c.at(room.scores, c.times(key, 64)), 64 * i), FLOATS)
        return c.exp2(b.fsub(score, top))

    def write(key: Any, x: Any, y: Any) -> None:
        c.store(c.interleave(c.halve(x), c.halve(y), 0), c.at(room.weights, c.times(key, 32)))

    even = b.and_(text.length, number(-2))
    with c.loop(even, 2, carry=(same(0.0), same(0.0))) as (key, sums, following):
        both = [exponential(key, i) for i in (0, 1)]
        write(key, *both)
        following += [b.fadd(total, one) for total, one in zip(sums, both, strict=True)]
    with c.loop(b.and_(text.length, number(1)), carry=(b.fadd(*sums),)) as (_, totals, following):
        last = exponential(even, 0)
        write(even, last, same(0.0))
        following.append(b.fadd(totals[0], last))
    return b.fdiv(same(1.0), totals[0])


def _gather(c: Code, sizes: _Sizes, text: _Text, room: _Room, inverse: Any) -> None:
    """Write what 16 queries saw, a row each: the sums of values by weight, over the weights' sum."""
    b, tiles = c.build, 2 * sizes.chunks
    for n in range(tiles):
        c.tile("tilezero", n)
    with c.loop(text.padded, 32) as (key, _, _):
        c.tile("tileloadd64", _WEIGHTS, c.at(room.weights, c.times(key, 32)), number(64))
        place = c.at(room.values, c.times(key, sizes.head))
        for n in range(tiles):
            c.tile("tileloadd64", _VALUES[n % 2], c.at(place, _TILE * n), number(64))
            c.tile("tdpbf16ps", n, _VALUES[n % 2], _WEIGHTS)
    for n in range(tiles):
        c.tile("tilestored64", n, c.at(room.seen, _TILE * n), number(64))
    for n in range(tiles):
        rows = [b.fmul(c.load(c.at(room.seen, _TILE * n + 64 * i), FLOATS), inverse) for i in range(16)]
        for i, row in enumerate(c.transpose([b.bitcast(one, WORDS) for one in rows])):
            c.store(c.halve(b.bitcast(row, FLOATS)), c.at(room.turned, sizes.head * i + 32 * n))


def _write(heads: int, size: int) -> Code:
    c = begin("attention", _KINDS)
    b = c.build
    sizes = _Sizes(heads, 2 * size, 6 * heads * size, 2 * heads * size)
    tokens, results, offsets, texts, memory, longest = b.function.args
    places = [memory]
    for extent in _fixed(sizes.head):
        places.append(c.at(places[-1], extent))
    for extent in _by_token(sizes.head)[:-1]:
        places.append(c.at(places[-1], c.times(longest, extent)))
    room = _Room(*places)
    c.tile("sttilecfg", room.saved)  # whoever uses tiles around us finds them as they were
    c.tile("ldtilecfg", room.tiles)
    with c.loop(texts) as (t, _, _):
        first = c.load(c.at(offsets, c.times(t, 8)), I64)
        length = b.sub(c.load(c.at(c.at(offsets, c.times(t, 8)), 8), I64), first)
        padded = b.and_(b.add(length, number(31)), number(-32))
        with c.loop(number(heads)) as (h, _, _):
            start = c.at(c.at(tokens, c.times(first, sizes.row)), c.times(h, sizes.head))
            text = _Text(start, length, padded)
            _pack(c, sizes, text, room)
            with c.loop(length, 16) as (query, _, _):
                _gather(c, sizes, text, room, _weigh(c, text, room, _score(c, sizes, text, room, query)))
                place = c.at(c.at(results, c.times(b.add(first, query), sizes.result)), c.times(h, sizes.head))
                with c.loop(c.smaller(b.sub(length, query), number(16))) as (i, _, _):
                    for chunk in range(sizes.chunks):
                        row = c.load(c.at(c.at(room.turned, c.times(i, sizes.head)), 64 * chunk), WORDS)
                        c.store(row, c.at(c.at(place, c.times(i, sizes.result)), 64 * chunk))
    c.tile("ldtilecfg", room.saved)
    return c


def fits(size: int) -> bool:
    """Say whether the kernel knows heads of this size: 32 or 64.

    Examples
    --------
    >>> fits(32), fits(24)
    (True, False)
    """
    return size in (32, 64)


class TileAttention:
    """The compiled program for one number and size of heads; several threads may call it.

    The processor must have AMX, and the process the system's leave to use it.

    Parameters
    ----------
    heads, size
        Number of heads, numbers in each (see :func:`fits`).
    """

    def __init__(self, heads: int, size: int) -> None:
        self.head = 2 * size
        self._run = compiled(_write(heads, size), _C_KINDS)
        self._own = threading.local()

    def _memory(self, longest: int) -> tuple[int, int]:
        """Return the address of this thread's working memory, and the longest text that it has places for."""
        known: tuple[NDArray[np.uint8], int] | None = getattr(self._own, "memory", None)
        if known is None or known[1] < longest:
            room = -(-longest // 512) * 512
            memory = np.zeros(sum(_fixed(self.head)) + room * sum(_by_token(self.head)) + 64, np.uint8)
            start = -memory.ctypes.data % 64
            tiles = memory[start + 64 : start + 128]  # the form of eight tiles: rows of 64 bytes, 16 of them
            tiles[0], tiles[48:56] = 1, 16
            tiles[16:32].view(np.uint16)[:] = 64
            known = self._own.memory = memory, room
        address = known[0].ctypes.data
        return address + -address % 64, known[1]

    def __call__(self, tokens: int, results: int, offsets: NDArray[np.int64]) -> None:
        """Let the tokens of each text see one another.

        Parameters
        ----------
        tokens
            Address of ``(T, 3, heads, size)`` bfloat16: queries, keys, values. The scores are powers of two: queries
            come multiplied by ``log2(e) / sqrt(size)``.
        results
            Address of ``(T, heads, size)`` bfloat16.
        offsets
            ``(n + 1,)`` where each text begins and ends; none is empty.
        """
        memory, room = self._memory(int(np.diff(offsets).max(initial=1)))
        self._run(tokens, results, offsets.ctypes.data, len(offsets) - 1, memory, room)
