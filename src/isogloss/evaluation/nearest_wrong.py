"""How far right pairs stand out: the cosine of a pair less that of the nearest text of another label."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.evaluation.neighbours import cosines
from isogloss.evaluation.sample import Sample


def gap_to_nearest_wrong(left: NDArray[Any], right: NDArray[Any], labels: NDArray[np.int64]) -> Sample:
    """Return for each pair ``cos(left, right) - max cos(left, another pair's right)`` over pairs of other labels.

    Parameters
    ----------
    left, right
        Vectors ``(n, d)`` of the two texts of each pair.
    labels
        ``(n,)`` label of each pair; texts of one label are never wrong for each other.

    Raises
    ------
    UsageError
        Where the shapes do not fit, or a pair has no text of another label.

    Examples
    --------
    >>> gap_to_nearest_wrong(np.eye(2), np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([0, 1])).items.round(4).tolist()
    [0.4, 0.8]
    """
    if not len(left) == len(right) == len(labels) or len(set(np.asarray(labels).tolist())) < 2:
        found = f"{len(left)} and {len(right)} vectors, {len(labels)} labels"
        raise UsageError("pairs need vectors, a label each, and two labels or more", found)
    near = cosines(left, right).astype(np.float64)  # (n, n)
    other = labels[:, None] != labels[None, :]
    return Sample.of(near.diagonal() - np.where(other, near, -np.inf).max(1), groups=labels, name="gap")
