"""Equivalence: is a difference smaller than a margin, not merely invisible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isogloss.errors import UsageError
from isogloss.evaluation.results import Interval
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics.bootstrap import Method, interval_of, jackknife, resample
from isogloss.evaluation.statistics.units import check_paired, checked_value


@dataclass(frozen=True, slots=True)
class Equivalence:
    """What a test of equivalence found.

    Attributes
    ----------
    value, interval
        Treated minus control, and its bootstrap interval.
    margin
        The largest difference that counts as none.
    same
        Whether the whole interval lies inside ``(-margin, margin)``.
    not_worse
        Whether the interval lies above ``-margin``.
    p_same, p_not_worse
        Of the two one-sided tests (the larger of them) and of the lower one alone, from the draws: (1 + the draws
        beyond the margin) / (1 + draws), never 0.
    """

    value: float
    interval: Interval
    margin: float
    same: bool
    not_worse: bool
    p_same: float
    p_not_worse: float


def equivalence(
    treated: Sample, control: Sample, *, margin: float, draws: int = 10_000, seed: int = 0, level: float = 0.95,
    method: Method = "percentile",
) -> Equivalence:  # fmt: skip
    """Test whether two scores on the same items differ by less than ``margin`` (two one-sided tests).

    Both decisions are read from one interval. An interval of level 1 - 2a inside the margin is the two one-sided
    tests at level a (Schuirmann, "A comparison of the two one-sided tests procedure and the power approach", 1987,
    https://doi.org/10.1007/BF01068419): the default of .95 tests at 2.5 %; pass ``level=0.9`` for the usual 5 %.
    Few or noisy items give a wide interval and so never equivalence.

    Parameters
    ----------
    treated, control
        Samples over the same items and groups.
    margin
        Above 0, in units of the score; fixed beforehand.
    draws, seed, level, method
        Of the bootstrap.

    Raises
    ------
    UsageError
        A margin that is not above 0.
    IsoglossError
        Samples over different items, or items that are no numbers.

    Examples
    --------
    >>> base = np.random.default_rng(0).random(500)
    >>> found = equivalence(Sample.of(base + 0.001), Sample.of(base), margin=0.01)
    >>> found.same, found.not_worse, found.p_same < 0.001
    (True, True, True)
    """
    if not margin > 0:
        raise UsageError("a margin of equivalence lies above 0", f"margin={margin}")
    both = [treated, control]
    check_paired({"treated": treated, "control": control})
    value = checked_value(treated, "treated") - checked_value(control, "control")
    if len(np.unique(treated.groups)) < 2:
        # one group says nothing about others, so nothing is shown
        return Equivalence(value, Interval(np.nan, np.nan, level), margin, False, False, 1.0, 1.0)
    scores = resample(both, draws=draws, seed=seed)
    gaps = scores[0] - scores[1]
    without = jackknife(both) if method == "bca" else None
    found = interval_of(gaps, value, None if without is None else without[0] - without[1], level, method)
    # a draw without a defined score counts against
    low = float((1 + (~(gaps > -margin)).sum()) / (1 + draws))
    high = float((1 + (~(gaps < margin)).sum()) / (1 + draws))
    not_worse = found.low > -margin
    return Equivalence(value, found, margin, not_worse and found.high < margin, not_worse, max(low, high), low)
