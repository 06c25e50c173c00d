"""Judges of tables of scores where a question has several right items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.evaluation.sample import Sample


def ndcg_of_several(
    scores: NDArray[Any], right: Sequence[Sequence[int]], *, k: int = 10, groups: NDArray[np.int64] | None = None
) -> Sample:
    """Return nDCG@k of each question, all its right items being equally right; equal scores of others count against it.

    Parameters
    ----------
    scores
        ``(questions, items)``.
    right
        For each question the numbers of its right items, at least one.
    k
        Places that count.
    groups
        ``(questions,)`` what is resampled.

    Raises
    ------
    UsageError
        Where shapes do not fit, a score is NaN, or a question has no right item.

    Examples
    --------
    >>> ndcg_of_several(np.array([[3.0, 2.0, 1.0], [1.0, 1.0, 1.0]]), [[0, 1], [0]]).items.tolist()
    [1.0, 0.5]
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or len(scores) != len(right) or not all(map(len, right)):
        short = sum(not len(one) for one in right)
        why = f"scores {scores.shape}, {len(right)} questions, {short} of them without a right item"
        raise UsageError("scores and right items do not match", why)
    if np.isnan(scores).any():
        raise UsageError("a score is no number", f"{int(np.isnan(scores).sum())} of {scores.size} are NaN")
    discounts = 1 / np.log2(np.arange(2, k + 2))
    values = []
    for row, items in zip(scores, right, strict=True):
        chosen = np.unique(np.asarray(items, np.int64))
        own = np.sort(row[chosen])[::-1]  # best first
        others = np.delete(row, chosen)
        places = (others[None, :] >= own[:, None]).sum(1) + np.arange(len(own))  # (right,)
        values.append(discounts[places[places < k]].sum() / discounts[: len(own)].sum())
    return Sample.of(values, groups=groups, name=f"ndcg@{k}")
