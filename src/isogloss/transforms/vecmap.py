"""VecMap: two spaces into a shared one from many pairs, a few, or none at all."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import IsoglossWarning
from isogloss.seeding import generator
from isogloss.transforms.alignment import LinearAlignment, orthogonal_map
from isogloss.transforms.dictionary_induction import Dictionary, induce, similar_profiles

Floats = NDArray[Any]
_LEAST_GAIN = 1e-6


class VecMap(LinearAlignment):
    """Map two spaces into a shared one, learning dictionary and map from each other in turns.

    Rows are scaled to length one, centred, scaled again. From a first dictionary (given pairs; without them, rows whose
    sorted similarities to their own space look alike) a rotation is learnt, from the rotation a new dictionary, and so
    on; a part of the scores is dropped at random, fewer each time that nothing more is gained. The last map whitens
    both sides, turns them onto their shared directions, weights those by how strongly they agree, and undoes the
    whitening.

    ``VecMap(self_learning=False).fit(X, Y, pairs=...)`` is the supervised method, ``VecMap().fit(X, Y, pairs=...)`` the
    semi-supervised, ``VecMap().fit(X, Y)`` the unsupervised one, which never pairs rows by their number: X and Y may
    have different lengths.

    Source: Artetxe, Labaka, Agirre 2018, "A robust self-learning method for fully unsupervised cross-lingual mappings
    of word embeddings" (https://arxiv.org/abs/1805.06297); the last map: the same authors 2018, "Generalizing and
    Improving Bilingual Word Embedding Mappings with a Multi-Step Framework of Linear Transformations"
    (https://doi.org/10.1609/aaai.v32i1.11992).

    Parameters
    ----------
    self_learning
        Improve the first dictionary in turns; else the given pairs alone are used, once.
    neighbours
        Of the scaling for hubs.
    cutoff
        Rows of each side that the dictionary is made of: the first ones, which should be the most frequent.
    start
        Rows of each side for the first guess without pairs.
    keep
        Chance of a score to stay, at first; it doubles when ``interval`` rounds have gained nothing, up to 1.
    interval
        Rounds without a gain.
    rounds
        At most so many; a warning says where they did not suffice.
    reweight
        Power of the agreement in the weights of the shared directions.
    seed
        Of what is dropped.

    Attributes
    ----------
    weights_, target_weights_
        ``(d, k)`` and ``(e, k)``.
    mean_, target_mean_
        ``(d,)`` and ``(e,)``.
    pairs_
        ``(p, 2)``: the last dictionary.
    objective_
        Mean cosine of each row with its best partner before the last map; 0 without self-learning.
    rounds_
        Rounds that were run.

    Examples
    --------
    >>> first = np.random.default_rng(0).standard_gamma(1.0, (60, 4))
    >>> turn = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    >>> mapping = VecMap(neighbours=3, interval=5).fit(first, first @ turn)
    >>> near = mapping.transform(first) @ mapping.transform_target(first @ turn).T
    >>> bool((near.argmax(1) == np.arange(60)).all())
    True
    """

    normalise = True
    centre = True

    def __init__(
        self, *, self_learning: bool = True, neighbours: int = 10, cutoff: int = 20_000, start: int = 4_000,
        keep: float = 0.1, interval: int = 50, rounds: int = 1_000, reweight: float = 0.5, seed: int = 0,
    ) -> None:  # fmt: skip
        self.self_learning = self_learning
        self.neighbours = neighbours
        self.cutoff = cutoff
        self.start = start
        self.keep = keep
        self.interval = interval
        self.rounds = rounds
        self.reweight = reweight
        self.seed = seed

    def fit(self, X: Any, y: Any = None, *, pairs: Any = None) -> Self:
        """Learn from rows ``X (n, d)``, ``y (m, e)`` and, where there are some, ``pairs (p, 2)`` of their row numbers.

        Raises
        ------
        ValueError
            Where a parameter or a pair is out of its range, or pairs are missing or too few and nothing else is learnt.
        """
        first = self._matrix(X, reset=True)
        second = self._learn_targets(y, None)
        if len(first) < 2:
            raise ValueError("VecMap cannot be fitted on n_samples = 1: two rows a side or more are needed")
        if not 0 < self.keep <= 1 or min(self.cutoff, self.start, self.interval, self.rounds) < 1:
            raise ValueError(
                f"keep={self.keep} must lie above 0 and not above 1; cutoff={self.cutoff}, start={self.start}, "
                f"interval={self.interval} and rounds={self.rounds} must be positive"
            )
        seeds = None if pairs is None else _checked(pairs, len(first), len(second))
        first, second = self._prepared(first, second)
        self.pairs_, self.objective_, self.rounds_ = self._dictionary(first, second, seeds)
        one, other = (side[rows].astype(np.float64) for side, rows in zip((first, second), self.pairs_.T, strict=True))
        weights, target_weights = shared_directions(one, other, power=self.reweight)
        self.weights_, self.target_weights_ = weights.astype(first.dtype), target_weights.astype(first.dtype)
        return self

    def _dictionary(
        self, first: Floats, second: Floats, seeds: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], float, int]:
        if not self.self_learning:
            least = min(first.shape[1], second.shape[1])
            if seeds is None or len(seeds) < least:
                raise ValueError(
                    f"{0 if seeds is None else len(seeds)} pairs do not settle a map of {least} dimensions; give "
                    "fit() more pairs, or set self_learning=True"
                )
            return seeds, 0.0, 0
        if seeds is None:
            seeds = similar_profiles(first, second, rows=self.start, neighbours=self.neighbours).pairs
        return self._self_learnt(first, second, seeds)

    def _self_learnt(
        self, first: Floats, second: Floats, pairs: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], float, int]:
        """Return the dictionary that map and dictionary settle on, its objective and the number of rounds."""
        keep, stale, best = self.keep, 0, -np.inf
        random = generator(self.seed, "vecmap")
        found = Dictionary(pairs, best)
        for number in range(1, self.rounds + 1):
            turned, target = self._turned(first, second, found.pairs)
            found = induce(turned, target, neighbours=self.neighbours, keep=keep, rng=random)
            stale += 1
            if found.objective - best >= _LEAST_GAIN:
                best, stale = found.objective, 0
            if stale >= self.interval:
                if keep >= 1:
                    return found.pairs, found.objective, number
                keep, stale = min(1.0, 2 * keep), 0
        warnings.warn(
            f"VecMap stopped after {self.rounds} rounds, before it settled (it still drops {1 - keep:.0%} of the "
            "scores); set rounds higher",
            IsoglossWarning,
            stacklevel=3,
        )
        return found.pairs, found.objective, self.rounds

    def _turned(self, first: Floats, second: Floats, pairs: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return the frequent rows of both sides in one space, by the rotation that fits the pairs best."""
        rotation, _ = orthogonal_map(first[pairs[:, 0]], second[pairs[:, 1]])
        return first[: self.cutoff] @ rotation, second[: self.cutoff]

    def _solve(self, first: Floats, second: Floats) -> Floats:
        return shared_directions(first, second, power=self.reweight)[0]

    def transform_target(self, y: Any) -> Floats:
        """Return rows ``(m, e)`` of the second space in the shared one, ``(m, k)``."""
        prepared = super().transform_target(y)
        return np.asarray(prepared @ self.target_weights_.astype(prepared.dtype, copy=False))


def _checked(pairs: Any, first: int, second: int) -> NDArray[np.int64]:
    found = np.asarray(pairs)
    if found.ndim != 2 or found.shape[1] != 2 or not len(found) or found.dtype.kind not in "iu":
        raise ValueError(f"pairs of shape {found.shape} and type {found.dtype} must be (p, 2) row numbers, p above 0")
    if found.min() < 0 or found[:, 0].max() >= first or found[:, 1].max() >= second:
        raise ValueError(f"pairs name rows beyond the {first} rows of X and {second} of y")
    return found.astype(np.int64)


def shared_directions(first: Floats, second: Floats, *, power: float) -> tuple[Floats, Floats]:
    """Return maps of both sides into a shared space: whitened, turned, weighted by agreement, unwhitened.

    Source: Artetxe, Labaka, Agirre 2018 (https://doi.org/10.1609/aaai.v32i1.11992), steps 1 to 4.

    Parameters
    ----------
    first, second
        ``(p, d)`` and ``(p, e)``, partners row by row.
    power
        Of the agreement, on each side; 0 for no weights.

    Returns
    -------
    first_map, second_map : ndarray
        ``(d, k)`` and ``(e, k)``, k the smaller width.

    Examples
    --------
    >>> one, other = shared_directions(np.eye(2), np.eye(2)[::-1], power=0.5)
    >>> (np.eye(2) @ one @ other.T @ np.eye(2)[::-1]).round(6).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    whiten, colour = zip(*(_roots(side) for side in (first, second)), strict=True)
    left, agreement, right = np.linalg.svd(whiten[0] @ (first.T @ second) @ whiten[1], full_matrices=False)
    maps = []
    for side, turn in enumerate((left, right.T)):
        back = turn.T @ colour[side] @ turn
        maps.append(whiten[side] @ turn * agreement**power @ back)
    return maps[0], maps[1]


def _roots(side: Floats) -> tuple[Floats, Floats]:
    """Return the inverse root and the root of ``side^T side``; directions in which nothing lies get 0 in both."""
    values, directions = np.linalg.eigh(side.T @ side)
    real = values > values[-1] * max(side.shape) * np.finfo(np.float64).eps
    deviation = np.sqrt(np.where(real, values, 0))
    inverse = np.divide(1, deviation, out=np.zeros_like(deviation), where=real)
    return directions * inverse @ directions.T, directions * deviation @ directions.T
