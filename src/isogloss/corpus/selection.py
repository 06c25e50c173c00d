"""Which texts are kept, why, and with what score; clusters looked at by a person, and even samples of what is left."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import CorpusError, UsageError
from isogloss.seeding import generator


@dataclass(frozen=True, slots=True)
class Selection:
    """What a selector decided.

    Attributes
    ----------
    keep
        ``(n,)`` whether each text is kept.
    reason
        ``(n,)`` why, in a few words; the same words for the same reason.
    score
        ``(n,)`` float64, higher is better.

    Examples
    --------
    >>> made = Selection(np.array([True, False]), ["kept", "too short"], np.array([1.0, 0.0]))
    >>> made.counts()
    {'kept': 1, 'too short': 1}
    """

    keep: NDArray[np.bool_]
    reason: list[str]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.keep)

    def counts(self) -> dict[str, int]:
        """Return how many texts there are of each reason, the most frequent first."""
        return dict(Counter(self.reason).most_common())


class Selector(Protocol):
    """Chooses among texts."""

    def select(self, texts: Sequence[str]) -> Selection:
        """Return what is kept of ``texts``, why, and with what score."""
        ...


@dataclass(frozen=True, slots=True)
class ClusterSheet:
    """What a person needs to see of a cluster to keep or drop it.

    Attributes
    ----------
    cluster
        Its number.
    size
        How many texts it has.
    nearest, farthest
        Rows of the texts nearest to its centre (nearest first) and farthest from it (farthest first).
    """

    cluster: int
    size: int
    nearest: list[int]
    farthest: list[int]

    @property
    def shown(self) -> list[int]:
        """The distinct rows to look at, nearest first."""
        return list(dict.fromkeys([*self.nearest, *self.farthest]))


def cluster_sheets(
    labels: NDArray[np.int64], distances: NDArray[np.floating[Any]], *, shown: int = 5
) -> list[ClusterSheet]:
    """Return a sheet a cluster, in the order of their numbers; clusters without texts have none.

    Kaddour, "The MiniPile Challenge for Data-Efficient Language Models" (2023, https://arxiv.org/abs/2304.08442),
    looks at the five nearest and the five farthest texts of each cluster.

    Parameters
    ----------
    labels
        ``(n,)`` cluster of each text.
    distances
        ``(n,)`` distance of each text to the centre of its cluster.
    shown
        Texts at either end.

    Examples
    --------
    >>> cluster_sheets(np.array([0, 0, 0, 2]), np.array([0.3, 0.1, 0.2, 0.0]), shown=1)[0]
    ClusterSheet(cluster=0, size=3, nearest=[1], farthest=[0])
    """
    if len(labels) != len(distances) or shown < 1:
        why = f"{len(labels)} labels, {len(distances)} distances, {shown} to show"
        raise UsageError("clusters cannot be shown", why, "give one of each a text")
    order = np.lexsort((np.arange(len(labels)), distances, labels))
    made = []
    for rows in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        if len(rows):
            found = rows.tolist()
            made.append(ClusterSheet(int(labels[rows[0]]), len(rows), found[:shown], found[::-1][:shown]))
    return made


def write_sheets(path: str | Path, sheets: Sequence[ClusterSheet], texts: Sequence[str], *, most: int = 300) -> None:
    """Write the sheets as JSON Lines with ``keep: true``; a person sets it to false for clusters to drop.

    Parameters
    ----------
    path, sheets, texts
        Where, what, and the texts that the rows are of.
    most
        Characters shown of a text.
    """
    rows = [
        {
            "cluster": sheet.cluster, "keep": True, "size": sheet.size,
            "nearest": [texts[row][:most] for row in sheet.nearest],
            "farthest": [texts[row][:most] for row in sheet.farthest],
        }
        for sheet in sheets
    ]  # fmt: skip
    Path(path).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def read_dropped(path: str | Path) -> set[int]:
    """Return the clusters whose ``keep`` a person set to false.

    Raises
    ------
    CorpusError
        Where the file cannot be read, a line is no JSON, or lacks a cluster or a true or false ``keep``.
    """
    dropped = set()
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} cannot be read", str(error), "give the file of sheets") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row: Mapping[str, Any] = json.loads(line)
            cluster, keep = int(row["cluster"]), row["keep"]
        except (ValueError, LookupError, TypeError) as error:
            raise CorpusError(f"{path}, line {number} is no sheet", str(error), "repair the line") from None
        if not isinstance(keep, bool):
            raise CorpusError(f"{path}, line {number}: keep is {keep!r}", "", "write true or false")
        if not keep:
            dropped.add(cluster)
    return dropped


def even_sample(labels: NDArray[np.int64], count: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Draw ``count`` rows so that every cluster gives equally many, as far as it has them; ascending.

    Small clusters give all they have; what they lack is shared evenly among the others, and a rest that cannot be
    shared goes to clusters drawn at random.

    Parameters
    ----------
    labels
        ``(n,)`` cluster of each row.
    count
        How many; all where there are fewer.
    seed
        Of the draw.

    Examples
    --------
    >>> drawn = even_sample(np.array([0, 0, 0, 0, 0, 0, 1, 1, 2]), 6)
    >>> np.bincount(np.array([0, 0, 0, 0, 0, 0, 1, 1, 2])[drawn]).tolist()
    [3, 2, 1]
    """
    if count < 0:
        raise UsageError("a sample has at least no rows", f"count = {count}", "give 0 or more")
    random = generator(seed, "even sample")
    order = random.permutation(len(labels))
    _, number, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    quota = _even_quota(sizes, min(count, len(labels)), random)
    by_cluster = order[np.argsort(number[order], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    place = np.arange(len(labels)) - np.repeat(starts, sizes)
    return np.sort(by_cluster[place < np.repeat(quota, sizes)])


def _even_quota(sizes: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Share ``count`` over clusters of some sizes: the largest common share that all can give, then a rest."""
    quota = np.zeros(len(sizes), np.int64)
    while (left := count - int(quota.sum())) > 0:
        open_ = np.flatnonzero(quota < sizes)
        if left < len(open_):
            quota[random.permutation(open_)[:left]] += 1
        else:
            quota[open_] = np.minimum(sizes[open_], quota[open_] + left // len(open_))
    return quota


def select_clusters(
    labels: NDArray[np.int64], scores: NDArray[np.floating[Any]], dropped: set[int], *, count: int | None = None,
    seed: int = 0,
) -> Selection:  # fmt: skip
    """Drop whole clusters, then sample evenly from the others.

    Parameters
    ----------
    labels, scores
        ``(n,)`` cluster of each text, and its score (such as the cosine with its centre).
    dropped
        Numbers of clusters to drop.
    count
        How many texts to keep; None: all of the clusters that are kept.
    seed
        Of the sample.

    Raises
    ------
    UsageError
        Where a dropped cluster does not exist.

    Examples
    --------
    >>> sorted(select_clusters(np.array([0, 1, 1]), np.ones(3), {0}, count=1).counts().items())
    [('cluster dropped', 1), ('kept', 1), ('not drawn', 1)]
    """
    strange = dropped - set(np.unique(labels).tolist())
    if strange:
        raise UsageError("a cluster to drop does not exist", f"{sorted(strange)}", "look at the sheets again")
    left = np.flatnonzero(~np.isin(labels, sorted(dropped)))
    drawn = left if count is None else left[even_sample(labels[left], count, seed=seed)]
    keep = np.zeros(len(labels), bool)
    keep[drawn] = True
    reason = np.full(len(labels), "cluster dropped", object)
    reason[left] = "not drawn"
    reason[drawn] = "kept"
    return Selection(keep, reason.tolist(), np.asarray(scores, np.float64))
