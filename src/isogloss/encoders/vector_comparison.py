"""How alike two sets of vectors of the same texts are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, normalise


def cosines(a: Dense, b: Dense) -> NDArray[np.float64]:
    """Cosine of each pair of rows; -1 where the widths differ or a number is not finite.

    Examples
    --------
    >>> cosines(np.array([[1.0, 0.0]], np.float32), np.array([[2.0, 0.0]], np.float32)).tolist()
    [1.0]
    """
    if a.shape != b.shape:
        return np.full(len(a), -1.0)
    # in double precision: the last digits decide whether two sources are the same
    left, right = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    both_zero = ~left.any(1) & ~right.any(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(both_zero, 1.0, np.einsum("ij,ij->i", left, right) / norms)
    return np.asarray(np.nan_to_num(np.clip(found, -1, 1), nan=-1.0), np.float64)


def rounded_to(vectors: Dense) -> str:
    """Say whether all numbers are exactly half precision: ``float16``, ``bfloat16``, or an empty string.

    Examples
    --------
    >>> rounded_to(np.array([[0.5, 1 / 3]], np.float16).astype(np.float32)), rounded_to(np.array([[1 / 3]], np.float32))
    ('float16', '')
    """
    finite = np.ascontiguousarray(vectors[np.isfinite(vectors).all(1)], np.float32)
    if not finite.size:
        return ""
    if not (finite.view(np.uint32) & 0xFFFF).any():
        return "bfloat16"
    with np.errstate(over="ignore"):
        return "float16" if np.array_equal(finite.astype(np.float16).astype(np.float32), finite) else ""


def shared_width(ours: Dense, theirs: Dense) -> tuple[int, NDArray[np.float64]]:
    """Compare only the first numbers that both have, as a model cut to fewer dimensions would give.

    Matryoshka Representation Learning, https://arxiv.org/abs/2205.13147.

    Returns
    -------
    tuple
        The shared width, and the cosine of each pair of rows.
    """
    width = min(ours.shape[1], theirs.shape[1])
    return width, cosines(ours[:, :width], theirs[:, :width])


def same_geometry(ours: Dense, theirs: Dense) -> float:
    """Correlate the similarities between texts in both sources: near 1 where one is a rotation of the other."""
    upper = np.triu_indices(len(ours), 1)
    left, right = (np.asarray((normalise(x) @ normalise(x).T)[upper], np.float64) for x in (ours, theirs))
    if left.std() == 0 or right.std() == 0:
        return 0.0
    return float(np.corrcoef(left, right)[0, 1])
