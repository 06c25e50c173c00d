"""Effects with intervals from items and seeds: the seam between the Lab and ``evaluation.statistics``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isogloss.evaluation.results import Interval
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics.effects import Effect, paired_effect

DRAWS = 1000
"""Draws of groups for the variances: a standard error is known to 2.2 %."""
LEVEL = 0.975
"""Of every interval: the Lab looks twice (after five seeds and after ten), and 97.5 % at each look are 95 % over both
(Bonferroni)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A difference of two arms (or one arm's score) with its interval, 95 % over both looks.

    Attributes
    ----------
    value, low, high
        The mean over runs and its interval.
    item_error, seed_error
        Standard errors that come from the items, and from the seeds (already divided by the root of their number).
    runs
        How many runs.
    shared_error
        The part of ``item_error`` that more seeds cannot lower.
    groups
        How many groups of items.
    """

    value: float
    low: float
    high: float
    item_error: float
    seed_error: float
    runs: int
    shared_error: float = 0.0
    groups: int = 2

    def mirrored(self) -> Measured:
        """Return the difference the other way round."""
        return replace(self, value=-self.value, low=-self.high, high=-self.low)

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
    """Return ``treated - control`` over paired runs on the same items; NaN where a score is no number.

    Where a judge gives one item only, the interval comes from the seeds alone; where those do not differ either, there
    is nothing to judge by and the interval is NaN.
    """
    values = np.array([[sample.value() for sample in arm] for arm in (treated, control)])
    runs = values.shape[1]
    if not np.isfinite(values).all():
        return Measured(math.nan, math.nan, math.nan, math.nan, math.nan, runs)
    if len(np.unique(treated[0].groups)) < 2:
        return _by_seeds(values[0] - values[1])
    found = paired_effect(treated, control, draws=DRAWS, seed=seed, level=LEVEL)
    return Measured(
        found.value, found.interval.low, found.interval.high, found.item_se, found.seed_se, runs, found.shared_se,
        found.groups,
    )  # fmt: skip


def _by_seeds(differences: NDArray[np.float64]) -> Measured:
    from scipy.special import stdtrit

    runs, value = len(differences), float(differences.mean())
    error = float(differences.std(ddof=1) / math.sqrt(runs)) if runs > 1 else 0.0
    half = float(stdtrit(runs - 1, (1 + LEVEL) / 2)) * error if error > 0 else math.nan
    return Measured(value, value - half, value + half, 0.0, error, runs)


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
    shared = math.hypot(first.shared_error, second.shared_error)
    runs, groups = min(first.runs, second.runs), min(first.groups, second.groups)
    return Measured(value, low, high, item, seed, runs, shared, groups)


def seeds_needed(effect: Measured, distance: float) -> int | None:
    """Return how many seeds would bring the interval's half width below ``distance``; None where no number would.

    Examples
    --------
    >>> seeds_needed(Measured(0.1, -0.1, 0.3, 0.0, 0.1, 5), 0.15)
    15
    >>> seeds_needed(Measured(0.0, -1.0, 1.0, 0.6, 0.0, 5, 0.6), 0.5) is None
    True
    """
    if not distance > 0 or not math.isfinite(effect.low):
        return None
    # an effect whose value is at least the margin is settled when it leaves 0 behind: that is the distance here
    interval = Interval(effect.low, effect.high, LEVEL)
    found = Effect(
        distance, interval, effect.item_error, effect.seed_error, effect.runs, effect.groups,
        shared_se=effect.shared_error,
    )  # fmt: skip
    return found.seeds_needed(min(distance, 1e-9))
