"""Engines of the exact scan: float32 in NumPy, eight bits in ONNX Runtime, eight bits in Numba with VNNI.

All bound their error, so that ``scan`` gives the same answer with each. The bounds follow from the
Cauchy-Schwarz inequality: with a vector u = a + e and a query q = b + f, where a and b are what the codes stand
for, |u.q - a.b| <= |e| |q| + |a| |f|; the lengths |e|, |f| are measured, not assumed. Rounding in sums of d
products adds at most d roundings of |u| |q| each (Higham, "Accuracy and Stability of Numerical Algorithms",
2002, section 3.1, https://doi.org/10.1137/1.9780898718027).
"""

from __future__ import annotations

import functools
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.index import vnni_kernel
from isogloss.index.candidates import Bounds, Pairs, Scores, bounded, candidates, least_scores
from isogloss.index.scan import Engine
from isogloss.index.segment import BLOCK, ROUNDING, Chunk, Segment, block_maxima, subset
from isogloss.protobuf import initializer, model, node, value_info


def _rounding(segment: Segment) -> NDArray[np.float64]:
    """Bound, for each block and a query of length one, what rounding changes in an approximate and a true score."""
    share = (2 * segment.vectors.shape[1] + 16) * ROUNDING
    return np.asarray(segment.reach * share, np.float64)


class Scored(ABC):
    """An engine that gives all scores of a chunk; which of them matter is found afterwards."""

    name: str
    chunk = 1 << 19

    @abstractmethod
    def scores(self, chunk: Chunk, prepared: Any) -> Scores:
        """Return the scores of the chunk's rows for each query, ``(rows, q)``."""

    @abstractmethod
    def units(self, chunk: Chunk, prepared: Any) -> tuple[Bounds, Bounds]:
        """Return what a score of one stands for and the bound on its error, for each block and query."""

    def pairs(self, chunk: Chunk, prepared: Any, floor: NDArray[np.float64], slack: float) -> Pairs:
        """Return the pairs whose true score may reach the floor of their query."""
        units, errors = self.units(chunk, prepared)
        return candidates(self.scores(chunk, prepared), chunk.allowed, units, errors * slack, floor)


class Float32(Scored):
    """Scores by a float32 matrix product; nothing is kept besides the vectors."""

    name = "float32"

    def prepare(self, queries: Dense) -> tuple[Dense, NDArray[np.float64]]:
        """Return the queries as columns, and their lengths."""
        return np.asarray(queries.T), np.linalg.norm(queries.astype(np.float64), axis=1)

    def scores(self, chunk: Chunk, prepared: Any) -> Scores:
        """Return the scores of the chunk's rows for each query, ``(rows, q)``."""
        scores = chunk.segment.vectors[chunk.rows] @ prepared[0]
        scores *= chunk.segment.factors[chunk.rows, None]
        return np.asarray(scores)

    def units(self, chunk: Chunk, prepared: Any) -> tuple[Bounds, Bounds]:
        """Return the unit (one) and the bound on the error, for each block and query."""
        errors = np.multiply.outer(_rounding(chunk.segment)[chunk.blocks], prepared[1]) + chunk.segment.tiny
        return np.ones_like(errors), errors

    def row_bytes(self, dimensions: int) -> int:
        """Return the bytes read for one row."""
        return 4 * dimensions


@dataclass(slots=True)
class Codes:
    """A segment in eight bits: ``values (n, d)`` uint8 around 128, and for each block its step and bounds.

    ``steps`` is what one unit of a code stands for; ``bounds (blocks, 2)`` are the greatest length of what rounding
    to codes lost (and of what float32 rounding may change), and the greatest length of a coded vector.
    """

    values: NDArray[np.uint8]
    steps: NDArray[np.float64]
    bounds: NDArray[np.float64]


class Int8(Scored):
    """Scores by an int8 matrix product in ONNX Runtime; keeps a byte a number, made at the first use.

    Parameters
    ----------
    levels
        Greatest code of a query. With 127 a processor without VNNI instructions may saturate the sum of two
        products (255 * 127 * 2 leaves 16 bits), so that 64 is used there.
    """

    name = "int8"

    def __init__(self, *, levels: int | None = None) -> None:
        self.levels = _safe_levels() if levels is None else levels

    def prepare(self, queries: Dense) -> tuple[Any, ...]:
        """Return the codes as columns, and for each query its step, length and length of the rounding error."""
        exact = queries.astype(np.float64)
        steps = np.abs(exact).max(1, initial=0.0) / self.levels
        steps[steps == 0] = 1.0
        codes = np.rint(exact / steps[:, None])
        lost = np.linalg.norm(exact - codes * steps[:, None], axis=1)
        return np.ascontiguousarray(codes.astype(np.int8).T), steps, np.linalg.norm(exact, axis=1), lost

    def scores(self, chunk: Chunk, prepared: Any) -> Scores:
        """Return the integer scores of the chunk's rows for each query, ``(rows, q)``."""
        return _multiply(self.codes(chunk.segment).values[chunk.rows], prepared[0])

    def units(self, chunk: Chunk, prepared: Any) -> tuple[Bounds, Bounds]:
        """Return what an integer score of one stands for and the bound on the error, for each block and query."""
        codes = self.codes(chunk.segment)
        steps, lengths, lost = prepared[1:4]
        errors = codes.bounds[chunk.blocks] @ np.stack([lengths, lost]) + chunk.segment.tiny
        return np.multiply.outer(codes.steps[chunk.blocks], steps), errors

    def row_bytes(self, dimensions: int) -> int:
        """Return the bytes read for one row."""
        return dimensions

    def codes(self, segment: Segment) -> Codes:
        """Return the segment's codes, made at the first call."""
        if self.name not in segment.codes:
            segment.codes[self.name] = encode(segment)
        made: Codes = segment.codes[self.name]
        return made


class Vnni(Int8):
    """Scores by Numba on processors with AVX512-VNNI; only pairs that reach their bound leave the registers.

    The codes are those of ``Int8``, laid out for the kernel.
    """

    name = "vnni"
    chunk = 1 << 22

    def __init__(self) -> None:
        super().__init__(levels=127)  # vpdpbusd adds in 32 bits

    def prepare(self, queries: Dense) -> tuple[Any, ...]:
        """Return what ``Int8`` does, the codes in whole tiles, and what codes around 128 add to each score."""
        base = super().prepare(queries)
        packed = vnni_kernel.pack_queries(base[0].T)
        return (*base, packed, 128 * packed.sum(1, dtype=np.int32))

    def codes(self, segment: Segment) -> Codes:
        """Return the segment's codes, made and laid out at the first call."""
        if self.name not in segment.codes:
            made = encode(segment)
            segment.codes[self.name] = Codes(vnni_kernel.pack(made.values), made.steps, made.bounds)
        found: Codes = segment.codes[self.name]
        return found

    def scores(self, chunk: Chunk, prepared: Any) -> Scores:
        """Return the integer scores of the chunk's rows for each query, ``(rows, q)``."""
        packed, shift = prepared[4:]
        scores = vnni_kernel.all_scores(self.codes(chunk.segment).values[chunk.blocks], packed)
        return np.asarray((scores - shift)[: len(chunk), : len(prepared[1])])

    def pairs(self, chunk: Chunk, prepared: Any, floor: NDArray[np.float64], slack: float) -> Pairs:
        """Return the pairs whose true score may reach the floor of their query."""
        units, errors = self.units(chunk, prepared)
        errors = errors * slack
        packed, shift = prepared[4:]
        least = np.full((len(units), len(packed)), np.iinfo(np.int32).max, np.int32)
        found = least_scores(floor, units, errors, "i").astype(np.int64) + shift[: len(floor)]
        least[:, : len(floor)] = np.clip(found, np.iinfo(np.int32).min, np.iinfo(np.int32).max)
        blocks = self.codes(chunk.segment).values[chunk.blocks]
        positions, numbers, scores = vnni_kernel.reaching(blocks, packed, least)
        inside = positions < len(chunk)  # the last block is padded
        positions, numbers, scores = positions[inside], numbers[inside], scores[inside]
        return bounded(positions, numbers, scores - shift[numbers], chunk.allowed, units, errors)


def encode(segment: Segment) -> Codes:
    """Round each vector times its factor to eight bits, with one step for each block of rows."""
    count, width = segment.vectors.shape
    steps = np.zeros(-(-count // BLOCK))
    values = np.empty((count, width), np.uint8)
    lost, kept = np.zeros(count), np.zeros(count)
    for start in range(0, count, 32 * BLOCK):
        stop = min(start + 32 * BLOCK, count)
        blocks = slice(start // BLOCK, -(-stop // BLOCK))
        scaled = segment.vectors[start:stop] * segment.factors[start:stop, None]
        largest = np.maximum(scaled.max(1), -scaled.min(1)).astype(np.float64)
        step = block_maxima(largest) / 127
        step[step == 0] = 1.0
        steps[blocks] = step
        each = np.repeat(step, BLOCK)[: stop - start]
        scaled /= each[:, None].astype(np.float32)
        rounded = np.rint(scaled)
        np.add(rounded, 128, out=values[start:stop], casting="unsafe")
        # lengths in steps, so that squares of tiny vectors do not vanish in float32
        kept[start:stop] = np.sqrt(np.einsum("ij,ij->i", rounded, rounded)) * each
        rounded -= scaled
        lost[start:stop] = np.sqrt(np.einsum("ij,ij->i", rounded, rounded)) * each
    # the lengths themselves are rounded, and so is a step in float32: allow for both
    kept = block_maxima(kept) * (1 + 1e-4)
    lost = block_maxima(lost) * (1 + 1e-4) + 1e-6 * kept
    return Codes(values, steps, np.stack([lost + _rounding(segment), kept], axis=1))


def _multiply(left: NDArray[np.uint8], right: NDArray[np.int8]) -> NDArray[np.int32]:
    product: NDArray[np.int32] = _session().run(None, {"rows": left, "queries": right})[0]
    return product


@functools.cache
def _session() -> Any:
    """Return the graph ``(rows - 128) @ queries`` in integers, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    graph = model(
        [node("MatMulInteger", ["rows", "queries", "zero"], ["scores"])],
        [value_info("rows", "uint8", ["n", "d"]), value_info("queries", "int8", ["d", "q"])],
        [value_info("scores", "int32", ["n", "q"])],
        [initializer("zero", np.array(128, np.uint8))],
    )
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


@functools.cache
def _safe_levels() -> int:
    """Return the greatest query code with which this processor's product is exact: 127, or 64 where it saturates."""
    left, right = np.full((32, 64), 255, np.uint8), np.full((64, 32), 127, np.int8)
    return 127 if (_multiply(left, right) == 127 * 127 * 64).all() else 64


_faster: dict[tuple[int, int, bool], Engine] = {}


def faster(segment: Segment, count: int, *, compiled: bool = False) -> Engine:
    """Return the engine that scores ``count`` queries fastest here, by a probe of some milliseconds.

    The probe runs once a process for each number of dimensions and power of two of queries. With ``compiled``
    engines in Numba take part, whose import and first compilation take about a second.
    """
    count = min(256, 1 << max(0, count - 1).bit_length())
    key = segment.vectors.shape[1], count, compiled
    if key not in _faster:
        some = np.zeros(len(segment), np.bool_)
        some[:2048] = True
        sample = subset(segment, some)
        queries = np.resize(sample.vectors, (count, key[0]))
        engines: list[Engine] = [FLOAT32, Int8()]
        if compiled and vnni_kernel.usable():
            engines.append(Vnni())
        seconds = [_seconds(engine, sample, queries) for engine in engines]
        _faster[key] = engines[int(np.argmin(seconds))]
    return _faster[key]


def _seconds(engine: Engine, sample: Segment, queries: Dense) -> float:
    """Return the best time of three to find no pairs at all, after one run that is not counted."""
    prepared, floor = engine.prepare(queries), np.full(len(queries), 1e30)
    chunk = Chunk(sample, 0, len(sample), sample.alive)
    taken = []
    for _ in range(4):
        start = time.perf_counter()
        engine.pairs(chunk, prepared, floor, 1.0)
        taken.append(time.perf_counter() - start)
    return min(taken[1:])


FLOAT32: Engine = Float32()
