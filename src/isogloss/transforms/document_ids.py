"""Names of documents as short token sequences, for models that write the name of the document that answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.seeding import derive
from isogloss.transforms.kmeans import kmeans

Name = tuple[int, ...]


def atomic_ids(count: int) -> list[Name]:
    """Return one token of its own for each document.

    Examples
    --------
    >>> atomic_ids(3)
    [(0,), (1,), (2,)]
    """
    return [(number,) for number in range(_counted(count))]


def digit_ids(count: int, *, base: int = 10) -> list[Name]:
    """Return the digits of each document's number, all equally many.

    Parameters
    ----------
    count
        Documents.
    base
        Of the digits.

    Examples
    --------
    >>> digit_ids(12)[:2], digit_ids(12)[11]
    ([(0, 0), (0, 1)], (1, 1))
    """
    if base < 2:
        raise UsageError(f"there are no digits in base {base}", "", "take two or more")
    places = 1
    while base**places < _counted(count):
        places += 1
    return [tuple(number // base**place % base for place in reversed(range(places))) for number in range(count)]


def hierarchical_ids(vectors: NDArray[Any], *, branching: int = 10, leaf: int = 100, seed: int = 0) -> list[Name]:
    """Return for each document its path through clusters of clusters, and its number in the last one.

    Documents are clustered by k-means; a cluster of more than ``leaf`` documents is clustered again. Near documents
    share the beginning of their names. No name begins another one.

    Tay et al. 2022, "Transformer Memory as a Differentiable Search Index" (https://arxiv.org/abs/2202.06991), section
    3.2, algorithm 1.

    Parameters
    ----------
    vectors
        ``(n, d)``, one a document.
    branching
        Clusters of a cluster, two or more.
    leaf
        Most documents of a cluster that is not cut further.
    seed
        Of the clusterings.

    Raises
    ------
    UsageError
        Where there are no vectors, or the numbers make no sense.

    Examples
    --------
    >>> names = hierarchical_ids(np.array([[0.0], [5.0], [0.1], [5.1]]), branching=2, leaf=2)
    >>> names[0][0] == names[2][0] != names[1][0] == names[3][0], sorted(name[1] for name in names)
    (True, [0, 0, 1, 1])
    """
    points = np.asarray(vectors, np.float64)
    if points.ndim != 2 or not len(points) or branching < 2 or leaf < 1:
        raise UsageError(
            "documents cannot be named by clusters",
            f"vectors {points.shape}, {branching} clusters each, leaves of {leaf}",
            "give (n, d) vectors, two clusters or more and leaves of one or more",
        )
    names: list[Name] = [()] * len(points)
    waiting: list[tuple[NDArray[np.int64], Name]] = [(np.arange(len(points)), ())]
    while waiting:
        rows, path = waiting.pop()
        if len(rows) <= leaf:
            for number, row in enumerate(rows):
                names[row] = (*path, number)
            continue
        labels = _labels(points[rows], min(branching, len(rows)), derive(seed, "ids", *path))
        waiting += [(rows[labels == label], (*path, int(label))) for label in np.unique(labels)]
    return names


def _labels(points: NDArray[np.float64], clusters: int, seed: int) -> NDArray[np.int64]:
    """Return the cluster of each point; points that k-means cannot part are parted by order."""
    labels, _ = kmeans(points, clusters, seed=seed, iterations=50)
    if len(np.unique(labels)) > 1:
        return labels
    return np.arange(len(points)) * clusters // len(points)


def _counted(count: int) -> int:
    if count < 1:
        raise UsageError("there is nothing to name", f"{count} documents")
    return count
