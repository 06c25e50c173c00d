"""Dictionaries that two mapped spaces suggest: each row's best partner, both ways, and a first guess without a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.transforms.hubness import mean_nearest
from isogloss.transforms.pairs import Preparation

Floats = NDArray[Any]
_TABLE = 2**22
"""Most scores that are held at once."""


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Pairs ``(p, 2)`` of row numbers, and the mean cosine of the best partners, over both directions."""

    pairs: NDArray[np.int64]
    objective: float


def induce(
    first: Floats, second: Floats, *, neighbours: int, keep: float = 1.0, rng: np.random.Generator | None = None
) -> Dictionary:
    """Give every row of each side its best partner on the other, by cosines scaled for hubs (CSLS).

    Scores are dropped (set to 0) with chance ``1 - keep``, each by itself, so that an early map does not only confirm
    itself: stochastic dictionary induction.

    Source: Artetxe, Labaka, Agirre 2018, "A robust self-learning method for fully unsupervised cross-lingual mappings
    of word embeddings" (https://arxiv.org/abs/1805.06297), section 3.3.

    Parameters
    ----------
    first, second
        ``(n, d)`` and ``(m, d)`` in one space, of length one.
    neighbours
        Of the scaling; 0 for plain cosines.
    keep
        Chance of a score to stay.
    rng
        Draws what is dropped; needed where ``keep`` is below 1.

    Examples
    --------
    >>> induce(np.eye(2), np.eye(2)[::-1], neighbours=0).pairs.tolist()
    [[0, 1], [1, 0], [1, 0], [0, 1]]
    """
    forward, one = _partners(first, second, neighbours, keep, rng)
    backward, other = _partners(second, first, neighbours, keep, rng)
    pairs = np.column_stack(
        [np.concatenate([np.arange(len(first)), backward]), np.concatenate([forward, np.arange(len(second))])]
    )
    return Dictionary(pairs, (one + other) / 2)


def _partners(
    asking: Floats, asked: Floats, neighbours: int, keep: float, rng: np.random.Generator | None
) -> tuple[NDArray[np.int64], float]:
    """Return the best partner of each row ``(n,)``, and the mean cosine of the nearest ones before any is dropped."""
    penalty = mean_nearest(asked, asking, neighbours) / 2 if neighbours else np.zeros(len(asked), asked.dtype)
    chosen, nearest = np.empty(len(asking), np.int64), np.empty(len(asking))
    step = max(1, _TABLE // len(asked))
    for start in range(0, len(asking), step):
        table = asking[start : start + step] @ asked.T
        nearest[start : start + step] = table.max(1)
        table -= penalty
        if keep < 1 and rng is not None:
            # sixteen bits for each score: a draw costs less than the score itself
            table[rng.integers(0, 2**16, table.shape, np.uint16) >= round(keep * 2**16)] = 0
        chosen[start : start + step] = table.argmax(1)
    return chosen, float(nearest.mean())


def similar_profiles(first: Floats, second: Floats, *, rows: int, neighbours: int) -> Dictionary:
    """Guess a dictionary without any pair: rows whose sorted similarities to their own side look alike.

    A row's similarities to all others of its space, sorted, do not depend on how the space is turned; those of
    translations look alike. The root of the similarity matrix is taken, which does better.

    Source: Artetxe, Labaka, Agirre 2018 (https://arxiv.org/abs/1805.06297), section 3.2.

    Parameters
    ----------
    first, second
        ``(n, d)`` and ``(m, e)``, the most frequent rows first.
    rows
        Of each side to compare, at most.
    neighbours
        Of the scaling for hubs.

    Examples
    --------
    >>> points = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.5, -0.7]])
    >>> similar_profiles(points, points[:, ::-1], rows=4, neighbours=1).pairs[:4, 1].tolist()
    [0, 1, 2, 3]
    """
    count = min(len(first), len(second), rows)
    prepare = Preparation(normalise=True, centre=True)
    profiles = []
    for side in (first[:count], second[:count]):
        left, values, _ = np.linalg.svd(side, full_matrices=False)
        profile = (left * values) @ left.T
        profile.sort(axis=1)
        profiles.append(prepare.apply(profile, prepare.mean(profile)))
    return induce(profiles[0], profiles[1], neighbours=neighbours)
