"""Fusion: one ranking from several, by rank or by score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Hits
from isogloss.errors import UsageError


def reciprocal_rank(
    hits: Sequence[Hits], k: int, *, constant: float = 60.0, weights: Sequence[float] | None = None
) -> Hits:
    """Fuse rankings by the sum of ``weight / (constant + rank)``, ranks from 1; scores are not looked at.

    "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods" (Cormack, Clarke and
    Büttcher 2009, https://doi.org/10.1145/1571941.1572114), whose constant 60 is the default.

    Parameters
    ----------
    hits
        Rankings of the same queries, ``(q, k_i)`` each; places with row -1 count for nothing.
    k
        How many rows to return for each query.
    constant
        Evens out the first ranks; greater is flatter.
    weights
        One a ranking, at least 0; None weighs them equally.

    Returns
    -------
    Hits
        ``(q, k)`` by falling fused score, ties by rising row; the same for any order of equally weighted rankings.

    Examples
    --------
    >>> first = Hits(np.array([[1, 2]]), np.array([[0.9, 0.8]], np.float32))
    >>> second = Hits(np.array([[2, -1]]), np.array([[7.0, -np.inf]], np.float32))
    >>> reciprocal_rank([first, second], 3).rows.tolist()
    [[2, 1, -1]]
    """
    if constant < 0:
        raise UsageError("the rankings cannot be fused", f"constant = {constant}", "give a constant of at least 0")
    ranks = [np.broadcast_to(np.arange(1.0, one.rows.shape[1] + 1), one.rows.shape) for one in hits]
    shares = [np.asarray(1.0 / (constant + rank), np.float64) for rank in ranks]
    return _fuse(hits, shares, k, weights)


def weighted(hits: Sequence[Hits], k: int, *, weights: Sequence[float] | None = None) -> Hits:
    """Fuse rankings by the weighted sum of their scores, each scaled to 0 ... 1 within its ranking.

    A ranking's scores of one query are scaled linearly, its worst returned row to 0 and its best to 1 (all to 1
    where they are equal); a row that a ranking did not return gets 0 from it. With few rows this depends on how
    many were asked for, so ask each ranking for the same number. It is the min-max CombSUM of "Combination of
    multiple searches" (Fox and Shaw 1994, https://trec.nist.gov/pubs/trec2/papers/txt/23.txt).

    Parameters
    ----------
    hits
        Rankings of the same queries, ``(q, k_i)`` each; places with row -1 count for nothing.
    k
        How many rows to return for each query.
    weights
        One a ranking, at least 0; None weighs them equally.

    Returns
    -------
    Hits
        ``(q, k)`` by falling fused score, ties by rising row.

    Examples
    --------
    >>> first = Hits(np.array([[1, 2, 3]]), np.array([[9.0, 6.0, 5.0]], np.float32))
    >>> second = Hits(np.array([[2, 1]]), np.array([[0.5, 0.25]], np.float32))
    >>> fused = weighted([first, second], 2, weights=[1.0, 2.0])
    >>> fused.rows.tolist(), fused.scores.tolist()
    ([[2, 1]], [[2.25, 1.0]])
    """
    return _fuse(hits, [_scaled(one) for one in hits], k, weights)


def _scaled(hits: Hits) -> NDArray[np.float64]:
    there = hits.rows >= 0
    scores = np.where(there, hits.scores, 0.0).astype(np.float64)
    if not np.isfinite(scores).all():
        raise UsageError(
            "the rankings cannot be fused", "a score is not finite", "use reciprocal_rank, or drop that row"
        )
    top = np.where(there, scores, -np.inf).max(1, keepdims=True, initial=-np.inf)
    low = np.where(there, scores, np.inf).min(1, keepdims=True, initial=np.inf)
    spread = np.where(there.any(1, keepdims=True), top - low, 1.0)
    flat = spread == 0
    return np.where(flat, 1.0, (scores - np.where(np.isfinite(low), low, 0.0)) / np.where(flat, 1.0, spread))


def _fuse(hits: Sequence[Hits], shares: Sequence[NDArray[np.float64]], k: int, weights: Sequence[float] | None) -> Hits:
    """Add the shares of equal rows up, for each query; the sum does not depend on the order of the rankings."""
    chosen = [1.0] * len(hits) if weights is None else [float(weight) for weight in weights]
    if not hits or len(chosen) != len(hits) or len({len(one) for one in hits}) != 1:
        why = f"{len(hits)} rankings, {len(chosen)} weights, queries {[len(one) for one in hits]}"
        raise UsageError("the rankings cannot be fused", why, "give rankings of the same queries and a weight for each")
    if k < 0 or not all(0 <= weight < np.inf for weight in chosen):
        raise UsageError("the rankings cannot be fused", f"k = {k}, weights = {chosen}", "give numbers of at least 0")
    count = len(hits[0])
    rows = np.concatenate([one.rows.reshape(-1) for one in hits])
    queries = np.concatenate([np.repeat(np.arange(count), one.rows.shape[1]) for one in hits])
    parts = np.concatenate([(share * weight).reshape(-1) for share, weight in zip(shares, chosen, strict=True)])
    there = rows >= 0
    rows, queries, parts = rows[there], queries[there], parts[there]
    order = np.lexsort((parts, rows, queries))  # equal rows meet, their parts in one order whatever the rankings' was
    rows, queries, parts = rows[order], queries[order], parts[order]
    starts = np.flatnonzero(np.r_[True, (rows[1:] != rows[:-1]) | (queries[1:] != queries[:-1])][: len(rows)])
    sums = np.add.reduceat(parts, starts) if len(starts) else parts
    return _ranked(queries[starts], rows[starts], sums.astype(np.float32), count, k)


def _ranked(
    queries: NDArray[np.intp], rows: NDArray[np.int64], scores: NDArray[np.float32], count: int, k: int
) -> Hits:
    order = np.lexsort((rows, -scores, queries))
    queries, rows, scores = queries[order], rows[order], scores[order]
    places = np.arange(len(rows)) - np.searchsorted(queries, queries)
    kept = places < k
    out = Hits(np.full((count, k), -1, np.int64), np.full((count, k), -np.inf, np.float32))
    out.rows[queries[kept], places[kept]] = rows[kept]
    out.scores[queries[kept], places[kept]] = scores[kept]
    return out
