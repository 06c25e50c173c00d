"""k-means: Lloyd's iterations from k-means++ starts, seeded, the same on any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.seeding import generator
from isogloss.transforms.blocks import blocks

Labels = NDArray[np.int64]
Floats = NDArray[Any]


def kmeans(
    x: Floats, k: int, *, seed: int = 0, iterations: int = 300, tolerance: float = 1e-4
) -> tuple[Labels, Floats]:
    """Cluster vectors so that the squared distances to the centres of the clusters are small.

    Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding",
    https://theory.stanford.edu/~sergei/papers/kMeansPP-soda.pdf, with several trials for each centre as in
    scikit-learn; then Lloyd's iterations. A cluster that loses all its items takes the item farthest from its centre.

    Parameters
    ----------
    x
        ``(n, d)``.
    k
        Number of clusters.
    seed
        Of the starts.
    iterations
        At most so many.
    tolerance
        Stops where the centres move by less, squared, than this share of the mean variance.

    Returns
    -------
    labels : ndarray
        ``(n,)`` number of the cluster of each item.
    centres : ndarray
        ``(k, d)`` float64.

    Raises
    ------
    UsageError
        Where ``k`` is not between 1 and ``n``.

    Examples
    --------
    >>> labels, centres = kmeans(np.array([[0.0], [0.2], [5.0], [5.2]]), 2)
    >>> bool(labels[0] == labels[1] != labels[2] == labels[3]), sorted(centres.ravel().round(1).tolist())
    (True, [0.1, 5.1])
    """
    if not 0 < k <= len(x):
        raise UsageError(f"{k} clusters cannot be found", f"there are {len(x)} items", "choose k between 1 and that")
    x = np.asarray(x, np.float64)
    x = x - (middle := x.mean(0))  # distances as differences of squares keep their digits near the origin
    squares = np.einsum("ij,ij->i", x, x)
    random = generator(seed, "kmeans")
    centres = x[_starts(x, squares, k, random)]
    limit = tolerance * float(x.var(0).mean())
    labels = np.full(len(x), -1, np.int64)
    for _ in range(iterations):
        before = labels
        labels, apart = _nearest(x, squares, centres)
        moved = _means(x, labels, apart, k)
        shift = float(((moved - centres) ** 2).sum())
        centres = moved
        if shift <= limit or np.array_equal(labels, before):
            break
    labels, _ = _nearest(x, squares, centres)
    return labels, centres + middle


def _starts(x: Floats, squares: Floats, k: int, random: np.random.Generator) -> Labels:
    """Choose items as first centres, each with a chance by its squared distance, the best of several trials."""
    trials = 2 + int(np.log(k))
    chosen = [int(random.integers(len(x)))]
    apart = _distances(x, squares, x[chosen])[:, 0]
    while len(chosen) < k:
        ends = np.cumsum(apart)
        if ends[-1] <= 0:  # fewer different items than clusters
            chosen.append(int(random.integers(len(x))))
            continue
        found = np.searchsorted(ends, random.random(trials) * ends[-1], side="right").clip(0, len(x) - 1)
        closer = np.minimum(apart[:, None], _distances(x, squares, x[found]))
        best = int(closer.sum(0).argmin())
        chosen.append(int(found[best]))
        apart = closer[:, best]
    return np.array(chosen, np.int64)


def _distances(x: Floats, squares: Floats, centres: Floats) -> Floats:
    """Squared distances ``(n, m)``, never below 0."""
    table = x @ centres.T
    table *= -2
    table += squares[:, None]
    table += np.einsum("ij,ij->i", centres, centres)
    return np.asarray(np.maximum(table, 0.0, out=table), np.float64)


def _nearest(x: Floats, squares: Floats, centres: Floats) -> tuple[Labels, Floats]:
    labels, apart = np.empty(len(x), np.int64), np.empty(len(x))
    for part in blocks(len(x)):  # a table of all items and centres would outgrow the items
        table = _distances(x[part], squares[part], centres)
        labels[part] = table.argmin(1)
        apart[part] = table.min(1)
    return labels, apart


def _means(x: Floats, labels: Labels, apart: Floats, k: int) -> Floats:
    import scipy.sparse

    counts = np.bincount(labels, minlength=k)
    for empty in np.flatnonzero(counts == 0):
        far = int(np.where(counts[labels] > 1, apart, -1.0).argmax())
        counts[labels[far]] -= 1
        labels[far], counts[empty], apart[far] = empty, 1, 0.0
    member = scipy.sparse.csr_matrix((np.ones(len(x)), (labels, np.arange(len(x)))), shape=(k, len(x)))
    return np.asarray((member @ x) / counts[:, None], np.float64)
