"""Eight-bit products in Numba on processors with AVX512-VNNI: 32 rows by 12 queries at a time, in registers.

The ONNX Runtime engine writes every score out and NumPy then looks for the few that matter; here a tile's scores are
compared while they are in registers, and only pairs that reach their bound are written. The tile is built as LLVM
instructions, since no loop in Python is compiled to ``vpdpbusd`` (Intel 64 and IA-32 Architectures Software
Developer's Manual, volume 2).
"""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.compiled import kernel, numba_available

ROWS, LANES, QUERIES = 32, 16, 12


def usable() -> bool:
    """Say whether this processor has the instructions and Numba may use them."""
    return numba_available() and _has_vnni()


@functools.cache
def _has_vnni() -> bool:
    numba: Any = import_module("numba")
    if numba.config.CPU_NAME or numba.config.CPU_FEATURES:  # somebody wants another instruction set
        return False
    features = import_module("llvmlite.binding").get_host_cpu_features()
    return bool(features.get("avx512vnni") and features.get("avx512f"))


def pack(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay codes ``(n, d)`` out as the tile reads them: ``(blocks, 2, steps, 16 rows, 4 dimensions)``, padded."""
    count, width = codes.shape
    blocks, steps = -(-count // ROWS), -(-width // 4)
    padded = np.zeros((blocks * ROWS, steps * 4), np.uint8)
    padded[:count, :width] = codes
    shape = (blocks, ROWS // LANES, LANES, steps, 4)
    return np.ascontiguousarray(padded.reshape(shape).transpose(0, 1, 3, 2, 4))


def pack_queries(codes: NDArray[np.int8]) -> NDArray[np.int8]:
    """Pad query codes ``(q, d)`` with zeros to whole tiles and steps."""
    count, width = codes.shape
    padded = np.zeros((-(-count // QUERIES) * QUERIES, -(-width // 4) * 4), np.int8)
    padded[:count, :width] = codes
    return padded


_tile: Any = None
"""The intrinsic, made when a kernel is first wanted: Numba reads it when it compiles."""


def _make_tile() -> Any:
    """Return the intrinsic ``tile(rows, queries, steps, least, scores, bits)``; all but ``steps`` are addresses.

    ``rows`` are one block of ``pack``, ``queries`` twelve rows of ``pack_queries``; ``scores (12, 32)`` int32 and
    ``bits (12)`` uint32 (bit r: row r reaches ``least``) are written.
    """
    ir: Any = import_module("llvmlite.ir")
    types: Any = import_module("numba.types")
    intrinsic: Any = import_module("numba.extending").intrinsic
    word, long, vector = ir.IntType(32), ir.IntType(64), ir.VectorType(ir.IntType(32), LANES)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, queries, steps, least, scores, bits = arguments
        dot = builder.module.declare_intrinsic(
            "llvm.x86.avx512.vpdpbusd.512", fnty=ir.FunctionType(vector, [vector, vector, vector])
        )

        def number(value: int) -> Any:
            return ir.Constant(long, value)

        def place(base: Any, offset: Any, kind: Any) -> Any:
            return builder.inttoptr(builder.add(base, offset), kind.as_pointer())

        def splat(value: Any) -> Any:
            one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(word, 0))
            zeros = ir.Constant(ir.VectorType(word, LANES), [0] * LANES)
            return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)

        before, loop, after = builder.block, builder.append_basic_block("step"), builder.append_basic_block("done")
        half = builder.mul(steps, number(LANES * 4))
        stride = builder.mul(steps, number(4))
        builder.branch(loop)
        builder.position_at_end(loop)
        step = builder.phi(long)
        step.add_incoming(number(0), before)
        sums = [builder.phi(vector) for _ in range(2 * QUERIES)]
        offset = builder.mul(step, number(LANES * 4))
        low = builder.load(place(rows, offset, vector), align=4)
        high = builder.load(place(rows, builder.add(half, offset), vector), align=4)
        grown = []
        for j in range(QUERIES):
            where = builder.add(builder.mul(stride, number(j)), builder.mul(step, number(4)))
            query = splat(builder.load(place(queries, where, word), align=4))
            grown += [builder.call(dot, [sums[2 * j], low, query]), builder.call(dot, [sums[2 * j + 1], high, query])]
        following = builder.add(step, number(1))
        step.add_incoming(following, loop)
        for old, new in zip(sums, grown, strict=True):
            old.add_incoming(ir.Constant(vector, [0] * LANES), before)
            old.add_incoming(new, loop)
        builder.cbranch(builder.icmp_signed("<", following, steps), loop, after)
        builder.position_at_end(after)
        for j in range(QUERIES):
            bound = splat(builder.load(place(least, number(4 * j), word), align=4))
            found = ir.Constant(word, 0)
            for part in range(2):
                value = grown[2 * j + part]
                builder.store(value, place(scores, number((j * ROWS + part * LANES) * 4), vector), align=4)
                mask = builder.bitcast(builder.icmp_signed(">=", value, bound), ir.IntType(LANES))
                found = builder.or_(found, builder.shl(builder.zext(mask, word), ir.Constant(word, part * LANES)))
            builder.store(found, place(bits, number(4 * j), word), align=4)
        return context.get_dummy_value()

    def tile(typing: Any, rows: Any, queries: Any, steps: Any, least: Any, scores: Any, bits: Any) -> Any:
        return types.void(*[types.int64] * 6), emit

    return intrinsic(tile)


@kernel
def _all_scores(blocks: Any, steps: int, queries: Any, least: Any, out: Any) -> None:
    """Write every score: ``out (blocks * 32, q)``."""
    scores, bits = np.empty((QUERIES, ROWS), np.int32), np.empty(QUERIES, np.uint32)
    for block in range(len(blocks)):
        rows = blocks[block].ctypes.data
        for j in range(0, len(queries), QUERIES):
            _tile(rows, queries[j:].ctypes.data, steps, least.ctypes.data, scores.ctypes.data, bits.ctypes.data)
            for r in range(ROWS):
                for q in range(QUERIES):
                    out[block * ROWS + r, j + q] = scores[q, r]


@kernel
def _reaching(
    blocks: Any, steps: int, queries: Any, least: Any, first: int, positions: Any, numbers: Any, out: Any
) -> Any:
    """Write the pairs from block ``first`` on that reach ``least (blocks, q)``; return how many, and the next block."""
    scores, bits = np.empty((QUERIES, ROWS), np.int32), np.empty(QUERIES, np.uint32)
    count, room = 0, len(positions) - ROWS * len(queries)
    for block in range(first, len(blocks)):
        if count > room:
            return count, block
        rows = blocks[block].ctypes.data
        for j in range(0, len(queries), QUERIES):
            bounds = least[block, j:].ctypes.data
            _tile(rows, queries[j:].ctypes.data, steps, bounds, scores.ctypes.data, bits.ctypes.data)
            for q in range(QUERIES):
                if bits[q]:
                    for r in range(ROWS):
                        if scores[q, r] >= least[block, j + q]:
                            positions[count], numbers[count], out[count] = block * ROWS + r, j + q, scores[q, r]
                            count += 1
    return count, len(blocks)


def _prepared(blocks: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    global _tile
    if _tile is None:
        _tile = _make_tile()
    return blocks.reshape(len(blocks), -1), blocks.shape[2]


def all_scores(blocks: NDArray[np.uint8], queries: NDArray[np.int8]) -> NDArray[np.int32]:
    """Return the integer products of packed rows (around 128) and packed queries, ``(blocks * 32, q)``."""
    flat, steps = _prepared(blocks)
    out = np.empty((len(blocks) * ROWS, len(queries)), np.int32)
    _all_scores(flat, steps, queries, np.zeros(QUERIES, np.int32), out)
    return out


def reaching(
    blocks: NDArray[np.uint8], queries: NDArray[np.int8], least: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Return row, query and product of the pairs that reach ``least (blocks, q)``, padding included."""
    flat, steps = _prepared(blocks)
    space = max(1 << 16, 2 * ROWS * len(queries))
    parts, block = [], 0
    while block < len(blocks):
        positions, numbers, scores = np.empty(space, np.int64), np.empty(space, np.int64), np.empty(space, np.int32)
        count, block = _reaching(flat, steps, queries, least, block, positions, numbers, scores)
        parts.append((positions[:count], numbers[:count], scores[:count]))
    positions, numbers, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    return positions, numbers, scores
