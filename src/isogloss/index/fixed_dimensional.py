"""Fixed-dimensional encodings: one vector a set of vectors, whose dot product approximates MaxSim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Ragged
from isogloss.errors import UsageError
from isogloss.seeding import generator


@dataclass(frozen=True, slots=True)
class FixedDimensionalEncoding:
    """Turns sets of vectors into single vectors for an ordinary dot-product index.

    Space is cut into ``2**k_sim`` cells by random hyperplanes. A query's block of a cell is the **sum** of its vectors
    there, a document's the **mean** of its own; cells that a document leaves empty take its vector whose cell is
    nearest in Hamming distance. Blocks are projected by random signs to ``d_proj`` dimensions, and the whole is
    repeated with fresh draws and joined ("MUVERA: Multi-Vector Retrieval via Fixed Dimensional Encodings", 2024,
    https://arxiv.org/abs/2405.19504, sections 2.1 and 2.2).

    Parameters
    ----------
    k_sim
        Number of hyperplanes (0: one cell).
    d_proj
        Dimensions of a projected block; None keeps the vectors' own.
    repetitions
        How often the whole is repeated.
    fill_empty
        Whether a document's empty cells are filled.
    document
        ``mean`` as published, or ``sum`` (the ablation: long documents then win).
    cells
        ``simhash`` as published; ``random`` puts each vector into a cell by chance: the same cost and no geometry.
    seed
        Of hyperplanes and projections; queries and documents need the same.

    Examples
    --------
    >>> one = FixedDimensionalEncoding(k_sim=0, d_proj=None, repetitions=1)
    >>> sets = Ragged(np.array([[1.0, 0], [3, 2]], np.float32), np.array([0, 2]))
    >>> one.queries(sets).tolist(), one.documents(sets).tolist()
    ([[4.0, 2.0]], [[2.0, 1.0]])
    """

    k_sim: int = 5
    d_proj: int | None = 16
    repetitions: int = 20
    fill_empty: bool = True
    document: Literal["mean", "sum"] = "mean"
    cells: Literal["simhash", "random"] = "simhash"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.k_sim <= 16 or self.repetitions < 1 or (self.d_proj is not None and self.d_proj < 1):
            raise UsageError(
                "these settings make no encoding",
                f"k_sim={self.k_sim}, d_proj={self.d_proj}, repetitions={self.repetitions}",
                "k_sim 0 to 16, d_proj and repetitions 1 or more",
            )

    def width(self, dimensions: int) -> int:
        """Return the length of an encoding of vectors with ``dimensions`` components."""
        return self.repetitions * (1 << self.k_sim) * (self.d_proj or dimensions)

    def queries(self, sets: Ragged) -> Dense:
        """Encode sets as queries: ``(n, width)`` float32."""
        return self._encode(sets, "sum", fill=False)

    def documents(self, sets: Ragged) -> Dense:
        """Encode sets as documents: ``(n, width)`` float32."""
        return self._encode(sets, self.document, fill=self.fill_empty)

    def _encode(self, sets: Ragged, block: Literal["mean", "sum"], *, fill: bool) -> Dense:
        values = np.asarray(sets.values, np.float32)
        n, d = len(sets), values.shape[1]
        owner = np.repeat(np.arange(n), np.diff(sets.offsets))
        cells, size = 1 << self.k_sim, self.d_proj or d
        out = np.zeros((n, self.repetitions, cells, size), np.float32)
        for repetition in range(self.repetitions):
            rng = generator(self.seed, "fixed dimensional encoding", repetition)
            planes = rng.standard_normal((d, self.k_sim)).astype(np.float32)
            signs = np.asarray(rng.choice([-1.0, 1.0], (d, size)) / np.sqrt(size), np.float32)
            projected = values if self.d_proj is None else values @ signs  # (T, d) -> (T, size)
            place = self._cells(values, planes, rng, block)
            out[:, repetition] = _blocks(projected, owner, place, n, cells, mean=block == "mean")
            if fill:
                _fill(out[:, repetition], projected, sets, place)
        return out.reshape(n, -1)  # (n, repetitions, cells, size) -> (n, width)

    def _cells(self, values: Dense, planes: Dense, rng: np.random.Generator, block: str) -> NDArray[np.int64]:
        if self.cells == "random":  # queries and documents draw apart, or equal positions would meet
            draws = generator(int(rng.integers(2**62)), "cells", block)
            return np.asarray(draws.integers(0, 1 << self.k_sim, len(values)), np.int64)
        above = (values @ planes) > 0  # (T, d) @ (d, k_sim) -> (T, k_sim)
        return np.asarray(above @ (1 << np.arange(self.k_sim)), np.int64)  # -> (T,)


def _blocks(
    vectors: Dense, owner: NDArray[np.int64], place: NDArray[np.int64], n: int, cells: int, *, mean: bool
) -> Dense:
    """Sum (or average) the vectors of each (set, cell): ``(n, cells, size)``."""
    import scipy.sparse

    target = owner * cells + place
    ones = np.ones(len(target), np.float32)
    sums = scipy.sparse.csr_matrix((ones, (target, np.arange(len(target)))), shape=(n * cells, len(target))) @ vectors
    if mean:
        sums = sums / np.maximum(np.bincount(target, minlength=n * cells), 1)[:, None]
    return np.asarray(sums, np.float32).reshape(n, cells, -1)  # (n * cells, size) -> (n, cells, size)


def _fill(blocks: Dense, projected: Dense, sets: Ragged, place: NDArray[np.int64]) -> None:
    """Give each empty cell of a document its vector whose cell differs in the fewest bits (the first of equals)."""
    cells = blocks.shape[1]
    bits = np.array([int(number).bit_count() for number in range(cells)])
    for i in range(len(sets)):
        start, stop = int(sets.offsets[i]), int(sets.offsets[i + 1])
        if stop == start:
            continue
        empty = np.setdiff1d(np.arange(cells), place[start:stop])
        if len(empty):
            nearest = bits[empty[:, None] ^ place[None, start:stop]].argmin(1)  # (empty, t) -> (empty,)
            blocks[i, empty] = projected[start:stop][nearest]
