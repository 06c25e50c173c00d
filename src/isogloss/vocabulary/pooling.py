"""Pooling of token vectors in NumPy: the twin of the kernel, and the path of single queries."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Ragged
from isogloss.vocabulary.wordpiece_kernel import MEAN, SUM, UNIT, Pooling

Finish: TypeAlias = Literal["sum", "mean", "unit"]
_FINISH: dict[str, int] = {"sum": SUM, "mean": MEAN, "unit": UNIT}


def pooling_of(rows: NDArray[Any], weights: NDArray[np.float32], skip: int = -1, finish: Finish = "unit") -> Pooling:
    """Return how token vectors are pooled, in the types that the kernel expects.

    Parameters
    ----------
    rows
        ``(V, d)`` int8 or float32, C-contiguous; one row a token.
    weights
        ``(V,)`` float32: a token's row counts so much (for int8 rows: times the row's scale).
    skip
        Token that is left out, also of a mean's count (``[UNK]`` by some models); -1 for none.
    finish
        ``"sum"``, ``"mean"``, or ``"unit"`` (length one).
    """
    return Pooling(np.asarray(rows), np.ascontiguousarray(weights, np.float32), skip, _FINISH[finish])


def pool_plain(tokens: Ragged, pooling: Pooling) -> Dense:
    """Pool token vectors in NumPy, the twin of the kernel; ``(n, d)`` float32."""
    ids, offsets = tokens.values, tokens.offsets
    if pooling.skip >= 0:
        keep = ids != pooling.skip
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep)])[offsets]
        ids = ids[keep]
    lengths, vectors = np.diff(offsets), np.zeros((len(offsets) - 1, pooling.rows.shape[1]), np.float32)
    full = np.flatnonzero(lengths)
    for part in np.array_split(full, 1 + int(offsets[-1]) // 50_000):
        if len(part):
            inside = ids[offsets[part[0]] : offsets[part[-1] + 1]]
            weighted = pooling.rows[inside] * pooling.weights[inside, None]
            vectors[part] = np.add.reduceat(weighted, offsets[part] - offsets[part[0]], axis=0, dtype=np.float64)
    if pooling.finish == MEAN:
        vectors /= np.maximum(lengths, 1).astype(np.float32)[:, None]
    elif pooling.finish == UNIT:
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        vectors /= np.where(norms > 0, norms, np.float32(1))[:, None]
    return vectors
