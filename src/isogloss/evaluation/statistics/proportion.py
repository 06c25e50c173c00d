"""Intervals of shares, which stay honest where nothing (or everything) was found."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.evaluation.results import Interval
from isogloss.evaluation.statistics.power import standard_error


def share_interval(found: float, total: float, level: float = 0.95) -> Interval:
    """Return Wilson's score interval of ``found / total``.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927,
    https://doi.org/10.1080/01621459.1927.10502953). Without any trial nothing is known: 0 to 1.

    Examples
    --------
    >>> found = share_interval(0, 10)
    >>> found.low, round(found.high, 3)
    (0.0, 0.278)
    """
    if not 0 <= found <= total or not 0 < level < 1:
        raise UsageError("a share lies between 0 and 1, and so does a level", f"{found} of {total}, level={level}")
    if total == 0:
        return Interval(0.0, 1.0, level)
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    share = found / total
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = (z2 * (share * (1 - share) / total + z2 / (4 * total**2))) ** 0.5 / (1 + z2 / total)
    low = 0.0 if found == 0 else max(0.0, middle - half)
    return Interval(low, 1.0 if found == total else min(1.0, middle + half), level)


def grouped_share_interval(
    found: Sequence[bool] | NDArray[np.bool_], groups: Sequence[int] | NDArray[np.int64], level: float = 0.95
) -> Interval:
    """Return the interval of a share whose trials come in groups.

    Wilson's interval with as many trials as independent ones would give the standard error by group (Kish's design
    effect), at least the number of groups and at most that of trials; where all trials agree, the number of groups.

    Examples
    --------
    >>> alone = grouped_share_interval([True, False] * 10, range(20))
    >>> pairs = grouped_share_interval([True, True, False, False] * 5, [i // 2 for i in range(20)])
    >>> pairs.low < alone.low, pairs.high > alone.high
    (True, True)
    """
    flags = np.asarray(found, np.float64)
    units = len(np.unique(np.asarray(groups)))
    if not len(flags):
        return share_interval(0, 0, level)
    share = float(flags.mean())
    error = standard_error(flags, np.asarray(groups)) if units > 1 else float("nan")
    trials = share * (1 - share) / error**2 if error > 0 else float(units)
    trials = min(max(trials, units), len(flags))
    return share_interval(share * trials, trials, level)
