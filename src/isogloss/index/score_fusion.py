"""Fusion of whole tables of scores, as first-stage searches would fuse their first so many answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Hits, pad_hits, top_k
from isogloss.errors import UsageError
from isogloss.index.fusion import weighted


def first_hits(scores: NDArray[Any], k: int, *, matched: bool = False) -> Hits:
    """Return for each query the best ``k`` items of a table of scores, as an index over them would.

    Parameters
    ----------
    scores
        ``(q, n)``.
    k
        How many; padded where there are fewer.
    matched
        Only items with a score above 0, as an inverted index finds them.

    Examples
    --------
    >>> first_hits(np.array([[0.0, 3.0, 2.0]]), 3, matched=True).rows.tolist()
    [[1, 2, -1]]
    """
    table = np.where(scores > 0, scores, -np.inf) if matched else np.asarray(scores, np.float64)  # (q, n)
    found = [top_k(row, k) for row in table]
    return pad_hits([(best, row[best].astype(np.float32)) for best, row in zip(found, table, strict=True)], k)


def fused_scores(
    tables: Sequence[NDArray[Any]], *, depth: int = 1000, weights: Sequence[float] | None = None,
    matched: Sequence[bool] | None = None,
) -> Dense:  # fmt: skip
    """Return one table of scores from several: the weighted sum of each one's first answers, scaled to 0 ... 1.

    Each query's best ``depth`` items of a table are scaled linearly, the worst of them to 0 and the best to 1, as
    :func:`isogloss.index.fusion.weighted` does; an item that is in none of the tables' first answers has 0.

    Parameters
    ----------
    tables
        ``(q, n)`` each, of the same queries and items.
    depth
        Answers that each table gives.
    weights
        One a table; None weighs them equally.
    matched
        For each table whether only scores above 0 are answers; None: all are.

    Returns
    -------
    Dense
        ``(q, n)`` float32.

    Raises
    ------
    UsageError
        Where tables differ in shape or a score is not finite.

    Examples
    --------
    >>> fused_scores([np.array([[9.0, 5.0, 1.0]]), np.array([[0.0, 4.0, 2.0]])], matched=[False, True]).tolist()
    [[1.0, 1.5, 0.0]]
    """
    shapes = {table.shape for table in tables}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise UsageError("tables of scores do not fit", f"their shapes are {sorted(shapes)}", "give (q, n) each")
    asked = [False] * len(tables) if matched is None else list(matched)
    if not all(np.isfinite(table).all() for table in tables):
        raise UsageError("tables of scores cannot be fused", "a score is not finite", "leave that item out")
    hits = [first_hits(table, depth, matched=one) for table, one in zip(tables, asked, strict=True)]
    fused = weighted(hits, depth * len(tables), weights=weights)
    out = np.zeros(tables[0].shape, np.float32)  # (q, n)
    query, place = np.nonzero(fused.rows >= 0)
    out[query, fused.rows[query, place]] = fused.scores[query, place]
    return out
