"""Translations among two piles of sentences: margin scores over nearest neighbours, searched in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Rows, normalise
from isogloss.errors import UsageError
from isogloss.index.exact import Exact
from isogloss.seeding import generator

Margin = Literal["ratio", "distance", "absolute"]
Retrieval = Literal["max", "intersection", "forward", "backward"]


@dataclass(frozen=True, slots=True)
class Bitext:
    """Pairs of a source and a target sentence by falling score: rows ``(m,)`` of each side, scores ``(m,)``."""

    source: Rows
    target: Rows
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, threshold: float) -> Bitext:
        """Return the pairs that score at least ``threshold``."""
        kept = self.scores >= threshold
        return Bitext(self.source[kept], self.target[kept], self.scores[kept])


def mine_bitext(
    source: Dense, target: Dense, *, k: int = 4, margin: Margin = "ratio", retrieval: Retrieval = "max",
    strangers: int | None = None,
) -> Bitext:  # fmt: skip
    """Find pairs whose cosine stands out against the mean cosine of both sentences' nearest neighbours.

    Artetxe and Schwenk, "Margin-based Parallel Corpus Mining with Multilingual Sentence Embeddings" (2018,
    https://arxiv.org/abs/1811.01136): with ``a`` the mean cosine of the ``k`` neighbours of either sentence in the
    other pile, averaged over the two, the score is ``cos / a`` (ratio), ``cos - a`` (distance) or ``cos`` (absolute).

    Parameters
    ----------
    source, target
        ``(n, d)`` and ``(m, d)`` vectors; their lengths do not matter.
    k
        Neighbours; fewer where a pile is smaller.
    margin
        Which score.
    retrieval
        ``"forward"``: each source with its best neighbour; ``"backward"``: each target with its best;
        ``"intersection"``: what both agree on, which needs no threshold; ``"max"``: both, the best first, and no
        sentence twice.
    strangers
        Seed that deals each sentence the neighbours' mean of another one, to tell what the neighbourhood itself adds.

    Raises
    ------
    UsageError
        Where a side is empty, the widths differ, or a setting is unknown.

    Examples
    --------
    >>> pairs = mine_bitext(np.eye(3, dtype=np.float32)[:2], np.eye(3, dtype=np.float32), k=2)
    >>> pairs.source.tolist(), pairs.target.tolist(), pairs.scores.tolist()
    ([0, 1], [0, 1], [2.0, 2.0])
    """
    if source.ndim != 2 or target.ndim != 2 or not len(source) or not len(target):
        raise UsageError("there is nothing to pair", f"vectors {source.shape} and {target.shape}", "give (n, d) twice")
    if k < 1 or margin not in ("ratio", "distance", "absolute"):
        raise UsageError("no margin can be computed", f"k = {k}, margin = {margin!r}", "ratio, distance or absolute")
    if retrieval not in ("max", "intersection", "forward", "backward"):
        why = f"retrieval = {retrieval!r}"
        raise UsageError("pairs cannot be chosen", why, "max, intersection, forward or backward")
    ahead, mean_source = _neighbours(source, target, k)  # (n, k), (n,)
    back, mean_target = _neighbours(target, source, k)  # (m, k), (m,)
    if strangers is not None:
        draw = generator(strangers, "strangers")
        mean_source, mean_target = draw.permutation(mean_source), draw.permutation(mean_target)
    a, b = normalise(source), normalise(target)

    def scored(left: Rows, right: Rows) -> NDArray[np.float64]:
        cosine = np.einsum("ij,ij->i", a[left], b[right], dtype=np.float64)
        return _margin(cosine, (mean_source[left] + mean_target[right]) / 2, margin)

    forward = _best(np.repeat(np.arange(len(ahead)), ahead.shape[1]), ahead.ravel(), scored)
    backward = _best(np.repeat(np.arange(len(back)), back.shape[1]), back.ravel(), lambda t, s: scored(s, t))
    backward = Bitext(backward.target, backward.source, backward.scores)
    if retrieval in ("forward", "backward"):
        return _ordered(forward if retrieval == "forward" else backward)
    codes = forward.source * len(target) + forward.target
    if retrieval == "intersection":
        both = np.isin(codes, backward.source * len(target) + backward.target)
        return _ordered(Bitext(forward.source[both], forward.target[both], forward.scores[both]))
    return _each_once(forward, backward)


def _neighbours(queries: Dense, documents: Dense, k: int) -> tuple[Rows, NDArray[np.float64]]:
    """Return the nearest rows of each query ``(q, k)`` and their mean cosine ``(q,)``."""
    index = Exact()
    index.add(np.arange(len(documents), dtype=np.int64), np.asarray(documents, np.float32))
    hits = index.search(np.asarray(queries, np.float32), min(k, len(documents)))
    return hits.rows, hits.scores.astype(np.float64).mean(axis=1)


def _margin(cosine: NDArray[np.float64], mean: NDArray[np.float64], margin: Margin) -> NDArray[np.float64]:
    if margin == "absolute":
        return cosine
    if margin == "distance":
        return cosine - mean
    # a mean at or below 0 says that nothing is near; the ratio would change its sign there
    return np.asarray(cosine / np.maximum(mean, 1e-6), np.float64)


def _best(left: Rows, right: Rows, scored: Any) -> Bitext:
    """Return for each left row the neighbour with the greatest score, ties to the smaller row."""
    scores = scored(left, right)
    order = np.lexsort((right, -scores, left))
    left, right, scores = left[order], right[order], scores[order]
    first = np.ones(len(left), bool)
    first[1:] = left[1:] != left[:-1]
    return Bitext(left[first], right[first], scores[first])


def _ordered(pairs: Bitext) -> Bitext:
    order = np.lexsort((pairs.target, pairs.source, -pairs.scores))
    return Bitext(pairs.source[order], pairs.target[order], pairs.scores[order])


def _each_once(forward: Bitext, backward: Bitext) -> Bitext:
    """Take pairs from the best down, none with a sentence that is taken already."""
    whole = _ordered(
        Bitext(
            np.concatenate([forward.source, backward.source]),
            np.concatenate([forward.target, backward.target]),
            np.concatenate([forward.scores, backward.scores]),
        )
    )
    taken: tuple[set[int], set[int]] = (set(), set())
    kept = []
    for place, (left, right) in enumerate(zip(whole.source.tolist(), whole.target.tolist(), strict=True)):
        if left not in taken[0] and right not in taken[1]:
            taken[0].add(left)
            taken[1].add(right)
            kept.append(place)
    return Bitext(whole.source[kept], whole.target[kept], whole.scores[kept])


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold of scores, and how good the pairs at or above it are."""

    value: float
    f1: float
    precision: float
    recall: float


def best_threshold(pairs: Bitext, right: NDArray[np.bool_], gold: int) -> Threshold:
    """Return the threshold with the best F1 on labelled pairs; of equal ones the highest.

    Parameters
    ----------
    pairs
        By falling score, as :func:`mine_bitext` gives them.
    right
        ``(m,)`` whether each pair is a translation.
    gold
        How many translations there are, found or not.

    Raises
    ------
    UsageError
        Where there are no pairs, flags do not fit, or fewer translations than found ones.

    Examples
    --------
    >>> pairs = Bitext(np.arange(3), np.arange(3), np.array([0.9, 0.5, 0.1]))
    >>> best_threshold(pairs, np.array([True, True, False]), 2)
    Threshold(value=0.5, f1=1.0, precision=1.0, recall=1.0)
    """
    if not len(pairs) or len(right) != len(pairs) or gold < max(1, int(np.sum(right))):
        why = f"{len(pairs)} pairs, {len(right)} flags, {int(np.sum(right))} right ones found of {gold}"
        raise UsageError("no threshold can be chosen", why, "give a flag a pair, and how many translations there are")
    found = np.cumsum(right)
    taken = np.arange(1, len(pairs) + 1)
    f1 = 2 * found / (taken + gold)
    last = np.append(pairs.scores[1:] != pairs.scores[:-1], True)  # equal scores stand or fall together
    place = int(np.argmax(np.where(last, f1, -1.0)))
    return Threshold(
        float(pairs.scores[place]), float(f1[place]), float(found[place] / taken[place]), float(found[place] / gold)
    )
