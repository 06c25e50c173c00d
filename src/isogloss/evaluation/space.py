"""The shape of a set of vectors: how one-sided it is, how many directions it uses, how alike two sets are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import IsoglossError

Matrix = NDArray[Any]


def _checked(vectors: Matrix, at_least: int) -> NDArray[np.float64]:
    rows = np.asarray(vectors, np.float64)
    if rows.ndim != 2 or len(rows) < at_least:
        raise IsoglossError("too few vectors", f"{rows.shape} are given", f"give a matrix of {at_least} rows or more")
    if not np.isfinite(rows).all():
        raise IsoglossError("vectors are not finite", f"{int((~np.isfinite(rows)).any(1).sum())} rows hold NaN or inf")
    return rows


def mean_cosines(vectors: Matrix) -> NDArray[np.float64]:
    """Return for each row the mean cosine with every other row: ``(n,)``, in ``O(n d)``.

    The mean of it all is the anisotropy of the space ("How Contextual are Contextualized Word Representations",
    Ethayarajh 2019, https://arxiv.org/abs/1909.00512): near 0 where rows point everywhere, near 1 in a narrow cone.
    Rows of zeros have the cosine 0.

    Raises
    ------
    IsoglossError
        Where there are fewer than two rows, or they are not finite.

    Examples
    --------
    >>> mean_cosines(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])).tolist()
    [0.5, 0.5, 0.0]
    """
    rows = _checked(vectors, 2)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    own = (lengths[:, 0] > 0).astype(np.float64)  # the cosine of a row with itself
    return np.asarray((unit @ unit.sum(0) - own) / (len(rows) - 1))


def anisotropy(vectors: Matrix) -> float:
    """Return the mean cosine of two different rows, over all pairs; see :func:`mean_cosines`.

    Examples
    --------
    >>> round(anisotropy(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])), 6)
    0.333333
    """
    return float(mean_cosines(vectors).mean())


def effective_rank(vectors: Matrix, *, centre: bool = True) -> float:
    """Return how many directions the rows use: the exponential of the entropy of their singular values' shares.

    Source: Roy and Vetterli 2007, "The effective rank" (https://ieeexplore.ieee.org/document/7098875). Between 1 and
    the rank; 0 where all rows are equal (or zero, without ``centre``).

    Examples
    --------
    >>> round(effective_rank(np.eye(4), centre=False), 6)
    4.0
    """
    rows = _checked(vectors, 1)
    if centre:
        rows = rows - rows.mean(0)
    values = np.linalg.svd(rows, compute_uv=False)
    if not values.any() or values[0] <= 1e-12 * np.abs(np.asarray(vectors)).max():
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def isotropy(vectors: Matrix) -> float:
    """Return the least over the largest of ``Z(c) = sum exp(c . x)``, c running over the principal directions.

    Source: Mu and Viswanath 2018, "All-but-the-Top" (https://arxiv.org/abs/1702.01417). 1 where no direction differs
    from another, towards 0 the more one-sided the rows are; both ends of each direction are tried.

    Examples
    --------
    >>> isotropy(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    1.0
    """
    rows = _checked(vectors, 1)
    _, directions = np.linalg.eigh(rows.T @ rows)
    projected = rows @ np.concatenate([directions, -directions], axis=1)
    top = projected.max()
    sums = np.exp(projected - top).sum(0)
    return float(sums.min() / sums.max())


def linear_cka(left: Matrix, right: Matrix) -> float:
    """Return how alike two sets of vectors of the same items are, whatever their rotation, scale and width: 0 to 1.

    Source: Kornblith et al. 2019, "Similarity of Neural Network Representations Revisited"
    (https://arxiv.org/abs/1905.00414).

    Parameters
    ----------
    left, right
        ``(n, d)`` and ``(n, e)``, row by row the same items.

    Raises
    ------
    IsoglossError
        Where the rows differ in number, or one side is constant.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0], [3.0, -1.0], [0.0, 1.0]])
    >>> round(linear_cka(x, 5 * x[:, ::-1] + 7), 9)
    1.0
    """
    a, b = (_checked(side, 2) for side in (left, right))
    if len(a) != len(b):
        raise IsoglossError("the two sides are not of the same items", f"{len(a)} and {len(b)} rows", "pair them up")
    a, b = a - a.mean(0), b - b.mean(0)
    norms = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    if not norms > 0:
        raise IsoglossError("one side is constant", "all its rows are equal", "there is nothing to compare")
    return float(np.linalg.norm(a.T @ b) ** 2 / norms)
