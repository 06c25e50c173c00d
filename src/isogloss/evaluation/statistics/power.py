"""How small a difference the items at hand can show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics.units import check_sample, group_sums, units_of


def standard_error(
    differences: Sequence[float] | NDArray[np.floating], groups: Sequence[int] | NDArray[np.int64] | None = None
) -> float:
    """Return the standard error of the mean of ``(n,)`` values that come in groups.

    With e_g the sum of the group's deviations from the mean, se = sqrt(G / (G - 1) * sum e_g^2) / n: the linearised
    variance of a ratio of sums (Cochran, "Sampling Techniques", 1977, section 9A). With groups of one item it is the
    usual standard error. NaN with a single group.

    Examples
    --------
    >>> round(standard_error([1.0, 2.0, 3.0]), 4), standard_error([1.0, 2.0], [0, 0])
    (0.5774, nan)
    """
    sample = Sample.of(np.asarray(differences, np.float64), groups=groups, name="differences")
    check_sample(sample)
    units = units_of([sample])
    if len(units) < 2:
        return float("nan")
    rests = group_sums(sample.items - sample.items.mean(), units.places[0], len(units))
    return float(np.sqrt(len(units) / (len(units) - 1) * (rests**2).sum()) / len(sample))


def smallest_visible(error: float, groups: int, *, power: float = 0.8, alpha: float = 0.05) -> float:
    """Return the smallest true difference that a two-sided paired test would show with the given power.

    delta = (t(1 - alpha/2) + t(power)) * se, with Student quantiles of G - 1 degrees of freedom: the difference whose
    estimate lies above the bound of the test in ``power`` of all samples (Bloom, "Minimum detectable effects", 1995,
    https://doi.org/10.1177/0193841X9501900504).

    Parameters
    ----------
    error
        Standard error of the difference, such as ``standard_error`` gives.
    groups
        Number of groups G behind it.
    power, alpha
        Chance to see it, and level of the test.

    Examples
    --------
    >>> round(smallest_visible(0.01, 2000), 4), smallest_visible(float("nan"), 1)
    (0.028, nan)
    """
    from scipy.special import stdtrit

    if groups < 2 or np.isnan(error):
        return float("nan")
    return float(error * (stdtrit(groups - 1, 1 - alpha / 2) + stdtrit(groups - 1, power)))
