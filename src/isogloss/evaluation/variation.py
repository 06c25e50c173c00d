"""The shape of a document in an encoder's eyes: how alike neighbouring sentences are, and who agrees on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import normalise
from isogloss.errors import UsageError
from isogloss.evaluation.metrics.correlation import spearman
from isogloss.evaluation.sample import Sample

BLOCK = 25
"""Neighbouring pairs that are drawn together: a series is not independent from place to place."""


def similarity_series(vectors: NDArray[Any], *, window: int = 1) -> NDArray[np.float32]:
    """Return the cosine of each sentence with the next one, smoothed over ``window`` places: ``(n - window,)``.

    Parameters
    ----------
    vectors
        ``(n, d)`` in the order of the text.
    window
        Length of the moving mean; 1 for none.

    Examples
    --------
    >>> similarity_series(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).tolist()
    [1.0, 0.0]
    """
    unit = normalise(np.asarray(vectors, np.float32))
    if unit.ndim != 2 or window < 1 or len(unit) <= window:
        raise UsageError(
            "no series can be made", f"{np.shape(vectors)} vectors, window {window}", "give more sentences"
        )
    series = np.einsum("ij,ij->i", unit[:-1], unit[1:])  # (n, d) -> (n - 1,)
    return np.asarray(np.convolve(series, np.full(window, 1 / window), "valid"), np.float32)


def self_similarity(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Return the cosines of all pairs of sentences, upper triangle row by row: ``(n (n - 1) / 2,)``.

    Examples
    --------
    >>> self_similarity(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).tolist()
    [1.0, 0.0, 0.0]
    """
    unit = normalise(np.asarray(vectors, np.float32))
    rows, columns = np.triu_indices(len(unit), 1)
    return np.asarray((unit @ unit.T)[rows, columns], np.float32)  # (n, d) @ (d, n) -> (n, n) -> (pairs,)


def agreement(left: NDArray[Any], right: NDArray[Any], *, block: int = BLOCK) -> Sample:
    """Return the Spearman correlation of two series over the same places; blocks of neighbours are drawn together.

    Parameters
    ----------
    left, right
        ``(n,)`` series of two encoders.
    block
        Places of a group.

    Examples
    --------
    >>> round(agreement(np.arange(60.0), np.arange(60.0) ** 2).value(), 6)
    1.0
    """
    left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
    if left.shape != right.shape or left.ndim != 1 or len(left) < 3:
        raise UsageError("two series of the same places are compared", f"{left.shape} and {right.shape}")
    return Sample.of(
        np.stack([left, right], 1), groups=np.arange(len(left)) // block, aggregate=spearman, name="agreement"
    )


def mantel(left: NDArray[Any], right: NDArray[Any], *, permutations: int = 200, seed: int = 0) -> tuple[float, float]:
    """Return the rank correlation of two self-similarity matrices and its one-sided p under permuted sentences.

    The p is ``(1 + permutations at least as correlated) / (1 + permutations)``: never 0 ("The Detection of Disease
    Clustering and a Generalized Regression Approach", Mantel 1967).

    Parameters
    ----------
    left, right
        ``(n, d)`` and ``(n, e)`` vectors of the same sentences.

    Examples
    --------
    >>> vectors = np.random.default_rng(0).standard_normal((12, 3))
    >>> r, p = mantel(vectors, vectors, permutations=19)
    >>> round(r, 6), p
    (1.0, 0.05)
    """
    from scipy.stats import rankdata

    from isogloss.seeding import generator

    if len(left) != len(right) or len(left) < 4:
        raise UsageError("two encodings of the same sentences are compared", f"{len(left)} and {len(right)} rows")
    rng = generator(seed, "mantel")
    ranks = rankdata(self_similarity(left))
    rows, columns = np.triu_indices(len(right), 1)
    unit = normalise(np.asarray(right, np.float32))
    square = np.zeros((len(right),) * 2)
    square[rows, columns] = square[columns, rows] = rankdata((unit @ unit.T)[rows, columns])
    centred = (ranks - ranks.mean()) / (np.linalg.norm(ranks - ranks.mean()) or 1.0)

    def correlation(order: NDArray[np.int64]) -> float:
        other = square[order][:, order][rows, columns]
        other = other - other.mean()
        return float(centred @ other / (np.linalg.norm(other) or 1.0))

    found = correlation(np.arange(len(right)))
    chance = [correlation(rng.permutation(len(right))) for _ in range(permutations)]
    return found, (1 + sum(one >= found - 1e-12 for one in chance)) / (1 + permutations)


def p_k(reference: Sequence[int], found: Sequence[int], length: int, *, k: int | None = None) -> float:
    """Return Pk of a segmentation: the share of places ``k`` apart that it wrongly joins or parts (0 is best).

    Parameters
    ----------
    reference, found
        Places where a new segment begins, without 0.
    length
        Number of sentences.
    k
        Distance; half the mean length of the reference's segments by default ("Statistical Models for Text
        Segmentation", Beeferman et al. 1999).

    Examples
    --------
    >>> p_k([4], [4], 8), p_k([4], [], 8, k=2)
    (0.0, 0.3333333333333333)
    """
    for name, places in (("reference", reference), ("found", found)):
        if any(not 0 < place < length for place in places):
            raise UsageError("a boundary lies outside the text", f"{name}: {list(places)[:5]}, length {length}")
    k = k or max(1, round(length / (len(set(reference)) + 1) / 2))
    if not 0 < k < length:
        raise UsageError("k does not fit the text", f"k {k}, length {length}")
    segments = [np.isin(np.arange(length), list(places)).cumsum() for places in (reference, found)]
    same = [segment[k:] == segment[:-k] for segment in segments]
    return float(np.mean(same[0] != same[1]))
