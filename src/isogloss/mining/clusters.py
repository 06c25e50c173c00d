"""Clusters of texts: numbers for batches of neighbours, and a filter that keeps or drops whole clusters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, normalise
from isogloss.corpus.selection import ClusterSheet, Selection, cluster_sheets, select_clusters
from isogloss.errors import UsageError
from isogloss.seeding import generator
from isogloss.transforms.kmeans import kmeans

FITTED_ON = 20_000
"""Rows that the centres are fitted on; more of them are only assigned."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """Cluster of each row ``(n,)``, unit centres ``(k, d)``, and each row's cosine with its centre ``(n,)``."""

    labels: NDArray[np.int64]
    centres: Dense
    cosines: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.centres)


def cluster_rows(vectors: Dense, k: int, *, least: int = 1, seed: int = 0) -> Clusters:
    """Cluster vectors by their direction (k-means over unit vectors); the numbers serve batches of neighbours.

    Parameters
    ----------
    vectors
        ``(n, d)``; the centres are fitted on at most 20,000 rows drawn at random.
    k
        Clusters; fewer come back where some are too small.
    least
        A cluster with fewer rows is dissolved, its rows go to the nearest of the others, so that every cluster fills
        a batch.
    seed
        Of the draw and of the starts.

    Raises
    ------
    UsageError
        Where there are fewer rows than clusters, or fewer than ``least``.

    Examples
    --------
    >>> made = cluster_rows(np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [0.7, 0.7]], np.float32), 3, least=2)
    >>> len(made), sorted(np.bincount(made.labels).tolist())
    (2, [2, 3])
    """
    if not 0 < k <= len(vectors) or not 1 <= least <= len(vectors):
        why = f"{len(vectors)} rows, k = {k}, at least {least} a cluster"
        raise UsageError("these rows cannot be clustered", why, "ask for fewer or smaller clusters")
    unit = normalise(np.asarray(vectors, np.float32))
    rows = np.arange(len(unit))
    if len(unit) > FITTED_ON:
        rows = np.sort(generator(seed, "fitted on").permutation(len(unit))[:FITTED_ON])
    _, found = kmeans(unit[rows], k, seed=seed)
    centres = normalise(np.asarray(found, np.float32))
    while True:
        labels, cosines = _nearest(unit, centres)
        sizes = np.bincount(labels, minlength=len(centres))
        small = np.flatnonzero(sizes < least)
        if not len(small):
            return Clusters(labels, centres, cosines)
        centres = np.delete(centres, small[sizes[small].argmin()], axis=0)  # one at a time: its rows may fill others


def _nearest(unit: Dense, centres: Dense) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    labels, cosines = np.zeros(len(unit), np.int64), np.zeros(len(unit), np.float64)
    for start in range(0, len(unit), 1 << 14):
        part = slice(start, start + (1 << 14))
        table = unit[part] @ centres.T  # (rows, k)
        labels[part] = table.argmax(axis=1)
        cosines[part] = table.max(axis=1)
    return labels, cosines


def clusters_within(
    vectors: Dense, sources: NDArray[np.int64], k: int, *, least: int = 1, seed: int = 0
) -> NDArray[np.int64]:
    """Cluster the rows of each source apart, and return numbers ``(n,)`` that no two sources share.

    Merrick 2024, "Embedding And Clustering Your Data Can Improve Contrastive Pretraining"
    (https://arxiv.org/abs/2407.18887): batches of one cluster of one source have neighbours for negatives.

    Parameters
    ----------
    vectors
        ``(n, d)``.
    sources
        ``(n,)`` number of each row's source.
    k
        Clusters of all sources together; each source gets its share by size, and at least one.
    least, seed
        As for :func:`cluster_rows`.

    Raises
    ------
    UsageError
        Where a source has fewer rows than ``least``, or there are more sources than clusters.

    Examples
    --------
    >>> rows = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 0]], np.float32)
    >>> clusters_within(rows, np.array([0, 0, 0, 0, 1]), 3).tolist() in ([0, 0, 1, 1, 2], [1, 1, 0, 0, 2])
    True
    """
    names, counts = np.unique(sources, return_counts=True)
    if k < len(names) or len(sources) != len(vectors):
        why = f"{len(vectors)} rows, {len(sources)} of them with a source, {len(names)} sources, k = {k}"
        raise UsageError("these rows cannot be clustered within their sources", why, "ask for more clusters")
    labels, used = np.zeros(len(vectors), np.int64), 0
    for name, count in zip(names, counts, strict=True):
        rows = np.flatnonzero(sources == name)
        own = min(count, max(1, round(k * count / len(vectors))))
        made = cluster_rows(np.asarray(vectors)[rows], own, least=least, seed=seed)
        labels[rows] = used + made.labels
        used += len(made)
    return labels


Inspector = Callable[[ClusterSheet], bool]
"""Says whether a cluster is kept, after a look at its sheet: a person, or something that stands in for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFilter:
    """Keeps texts of clusters that an inspector accepts, and samples evenly from them; a ``Selector``.

    Kaddour, "The MiniPile Challenge for Data-Efficient Language Models" (2023, https://arxiv.org/abs/2304.08442):
    embed, cluster (k = 220), look at five texts at either end of each cluster, drop clusters, sample evenly.

    Attributes
    ----------
    encode
        From texts to their vectors ``(n, d)``, such as ``encoder.encode`` of a dense encoder.
    inspect
        Says of each sheet whether its cluster is kept.
    clusters
        How many; no more than there are texts.
    shown
        Texts at either end of a sheet.
    count
        How many texts to keep; None: all of the clusters that are kept.
    seed
        Of clusters and sample.

    Examples
    --------
    >>> from isogloss.encoders.static import bundled_static
    >>> texts = ["heat flows", "heat flow", "0 0 0 1 1", "1 0 1 0 0"]
    >>> digits = lambda sheet: any(character.isalpha() for row in sheet.shown for character in texts[row])
    >>> made = ClusterFilter(encode=bundled_static().encode, inspect=digits, clusters=2).select(texts)
    >>> made.keep.tolist()
    [True, True, False, False]
    """

    encode: Callable[[Sequence[str]], Any]
    inspect: Inspector
    clusters: int = 220
    shown: int = 5
    count: int | None = None
    seed: int = 0

    def select(self, texts: Sequence[str]) -> Selection:
        """Return what is kept of ``texts``; the score is the cosine with the cluster's centre.

        Raises
        ------
        UsageError
            Where there is no text, or there is not one dense vector a text.
        """
        if not len(texts):
            raise UsageError("there is nothing to select from", "no text is given")
        vectors: Any = self.encode(list(texts))
        if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or len(vectors) != len(texts):
            found = getattr(vectors, "shape", type(vectors).__name__)
            raise UsageError("clusters need a dense vector a text", f"{len(texts)} texts give {found}")
        made = cluster_rows(vectors, min(self.clusters, len(vectors)), seed=self.seed)
        sheets = cluster_sheets(made.labels, -made.cosines, shown=self.shown)
        dropped = {sheet.cluster for sheet in sheets if not self.inspect(sheet)}
        return select_clusters(made.labels, made.cosines, dropped, count=self.count, seed=self.seed)
