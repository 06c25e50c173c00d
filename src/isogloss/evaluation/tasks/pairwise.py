"""How alike two lists of vectors are, row by row: the similarities that tasks over pairs of texts measure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Ragged, Similarity, Vectors
from isogloss.errors import UsageError
from isogloss.evaluation.tasks.encode import taken

Numbers = NDArray[np.float64]

_BLOCK = 4096  # pairs compared at a time

OWN = "own"
"""Name of the encoder's own similarity among the results of :func:`similarities`."""


def similarities(left: Vectors, right: Vectors, similarity: Similarity) -> dict[str, Numbers]:
    """Compare ``left[i]`` with ``right[i]`` in every way that suits the kind of vectors; higher is more alike.

    Dense vectors are compared by the encoder's own similarity (``own``), ``cosine``, ``dot``, negative ``manhattan``
    and negative ``euclidean`` distance; sparse ones by ``own``, ``cosine`` and ``dot``; ragged ones by ``own``, which
    is the sum over the left vectors of the greatest dot product with a right one. All in float64; equal vectors
    have a cosine of exactly 1, a vector of zeros has one of 0 with every other.

    Raises
    ------
    UsageError
        Where the two kinds of vectors, their numbers, or the similarity do not fit.

    Examples
    --------
    >>> a, b = np.array([[3.0, 4.0]], np.float32), np.array([[4.0, 3.0]], np.float32)
    >>> {name: round(float(scores[0]), 2) for name, scores in similarities(a, b, Similarity.DOT).items()}
    {'cosine': 0.96, 'dot': 24.0, 'manhattan': -2.0, 'euclidean': -1.41, 'own': 24.0}
    """
    if len(left) != len(right):
        raise UsageError("pairs cannot be compared", f"{len(left)} on the left, {len(right)} on the right")
    if len(left) > _BLOCK:
        parts = [similarities(taken(left, rows), taken(right, rows), similarity) for rows in _blocks(len(left))]
        whole = {kind: np.concatenate([part[kind] for part in parts]) for kind in parts[0] if kind != OWN}
        return {**whole, OWN: whole.get(similarity.value, np.concatenate([part[OWN] for part in parts]))}
    if isinstance(left, Ragged) and isinstance(right, Ragged) and similarity is Similarity.MAXSIM:
        return {OWN: np.array([_maxsim(a, b) for a, b in zip(left, right, strict=True)], np.float64)}
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        found = _dense(left, right)
    elif isinstance(left, CSR) and isinstance(right, CSR):
        found = _sparse(left, right)
    else:
        why = f"{type(left).__name__} and {type(right).__name__} vectors with {similarity.value} similarity"
        raise UsageError("pairs cannot be compared", why, "give two dense, two sparse or two ragged sets of vectors")
    if similarity.value not in found:
        raise UsageError("pairs cannot be compared", f"by {similarity.value} similarity", "use cosine or dot")
    return {**found, OWN: found[similarity.value]}


def alike(left: Vectors, right: Vectors, similarity: Similarity) -> Numbers:
    """Return the encoder's own similarity of ``left[i]`` and ``right[i]``: ``(n,)`` float64.

    Errors as :func:`similarities`, of which it is ``own``.

    Examples
    --------
    >>> alike(np.ones((2, 3), np.float32), np.ones((2, 3), np.float32), Similarity.DOT).tolist()
    [3.0, 3.0]
    """
    return similarities(left, right, similarity)[OWN]


def _blocks(count: int) -> list[NDArray[np.int64]]:
    """Return the rows of each block; float64 copies of more pairs at once would fill the memory."""
    return [np.arange(start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK)]


def _maxsim(a: NDArray[Any], b: NDArray[Any]) -> float:
    if not len(a) or not len(b):
        return 0.0
    return float((a.astype(np.float64) @ b.astype(np.float64).T).max(1).sum())


def _dense(left: NDArray[Any], right: NDArray[Any]) -> dict[str, Numbers]:
    a, b = left.astype(np.float64), right.astype(np.float64)
    difference = a - b
    return {
        "cosine": _cosine(a, b),
        "dot": np.einsum("ij,ij->i", a, b),
        "manhattan": -np.abs(difference).sum(1),
        "euclidean": -np.sqrt(np.einsum("ij,ij->i", difference, difference)),
    }


def _cosine(a: Numbers, b: Numbers) -> Numbers:
    a_length, b_length = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    # half the squared distance of the unit vectors: exactly 0 for equal ones, as ranks of ties demand
    apart = _unit(a, a_length) - _unit(b, b_length)
    return np.where((a_length > 0) & (b_length > 0), 1 - np.einsum("ij,ij->i", apart, apart) / 2, 0.0)


def _unit(vectors: Numbers, lengths: Numbers) -> Numbers:
    return vectors / np.where(lengths > 0, lengths, 1.0)[:, None]


def _sparse(left: CSR, right: CSR) -> dict[str, Numbers]:
    dot = np.zeros(len(left))
    lengths = np.ones((2, len(left)))
    for i in range(len(left)):
        (a, x), (b, y) = left.row(i), right.row(i)
        _, ours, theirs = np.intersect1d(a, b, assume_unique=True, return_indices=True)
        x, y = x.astype(np.float64), y.astype(np.float64)
        dot[i] = x[ours] @ y[theirs]
        lengths[:, i] = x @ x, y @ y
    product = np.sqrt(lengths[0] * lengths[1])
    return {"cosine": np.where(product > 0, dot / np.where(product > 0, product, 1), 0.0), "dot": dot}
