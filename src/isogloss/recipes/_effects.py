"""Effects with intervals from items and seeds: the seam between the Lab and ``evaluation.statistics``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.evaluation.sample import Sample
from isogloss.seeding import generator

DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Measured:
    """A difference of two arms (or one arm's score) with its 95 % interval.

    Attributes
    ----------
    value, low, high
        The mean over runs and its interval.
    item_error, seed_error
        Standard errors that come from the items, and from the seeds (already divided by the root of their number).
    runs
        How many runs.
    """

    value: float
    low: float
    high: float
    item_error: float
    seed_error: float
    runs: int

    def mirrored(self) -> Measured:
        """Return the difference the other way round."""
        return Measured(-self.value, -self.high, -self.low, self.item_error, self.seed_error, self.runs)

    def to_dict(self) -> dict[str, float]:
        """Return plain numbers, rounded for the record."""
        names = ("value", "low", "high", "item_error", "seed_error")
        return {**{name: _rounded(getattr(self, name)) for name in names}, "runs": self.runs}


def _rounded(number: float) -> float:
    return float(f"{number:.6g}") if math.isfinite(number) else float("nan")


def zeros(items: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Aggregate whose score is zero, whatever the items: what an arm's own score is measured against."""
    return np.zeros(len(weights))


def effect(treated: Sequence[Sample], control: Sequence[Sample], seed: int = 0) -> Measured:
    """Return ``treated - control`` over paired runs on the same items."""
    from scipy.stats import t

    first = treated[0]
    _, group = np.unique(first.groups, return_inverse=True)
    count = int(group.max()) + 1
    draw = generator(seed, "effect")
    weights = draw.multinomial(count, np.full(count, 1 / count), size=DRAWS)[:, group].astype(np.float64)
    differences = np.array([a.value() - b.value() for a, b in zip(treated, control, strict=True)])
    drawn = np.mean([a.at(weights) - b.at(weights) for a, b in zip(treated, control, strict=True)], axis=0)
    item = float(np.std(drawn))
    runs = len(differences)
    seeds = float(np.std(differences, ddof=1) / np.sqrt(runs)) if runs > 1 else 0.0
    whole = math.hypot(item, seeds)
    degrees = (runs - 1) * (whole / seeds) ** 4 if seeds > 1e-12 else 1e9
    half = float(t.ppf(0.975, max(1.0, min(degrees, 1e9)))) * whole
    value = float(differences.mean())
    return Measured(value, value - half, value + half, item, seeds, runs)


def own(samples: Sequence[Sample], seed: int = 0) -> Measured:
    """Return the score of one arm with its interval."""
    return effect(samples, [Sample(one.items, one.groups, zeros, one.name) for one in samples], seed)


def apart(first: Measured, second: Measured) -> Measured:
    """Return ``first - second`` of two independent effects, by the method of variance estimates recovery.

    Source: Zou and Donner, Construction of confidence limits about effect measures (2008),
    https://doi.org/10.1002/sim.3095.

    Examples
    --------
    >>> a, b = Measured(0.3, 0.2, 0.4, 0.05, 0, 5), Measured(0.1, 0.1, 0.1, 0, 0, 5)
    >>> round(apart(a, b).low, 3), round(apart(a, b).high, 3)
    (0.1, 0.3)
    """
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    item, seed = math.hypot(first.item_error, second.item_error), math.hypot(first.seed_error, second.seed_error)
    return Measured(value, low, high, item, seed, min(first.runs, second.runs))


def seeds_needed(effect: Measured, distance: float) -> int | None:
    """Return how many seeds would bring the interval's half width below ``distance``; None where no number would.

    Examples
    --------
    >>> seeds_needed(Measured(0.1, -0.1, 0.3, 0.0, 0.1, 5), 0.1), seeds_needed(Measured(0, -1, 1, 0.6, 0, 5), 0.5)
    (20, None)
    """
    if distance <= 0:
        return None
    room = (distance / 1.96) ** 2 - effect.item_error**2
    if room <= 0:
        return None
    one_seed = effect.seed_error**2 * effect.runs
    return max(effect.runs, math.ceil(one_seed / room))
