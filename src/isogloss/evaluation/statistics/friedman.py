"""Friedman's test: do several systems differ at all, by their ranks on each item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics.units import check_paired, check_sample, group_sums, units_of


@dataclass(frozen=True, slots=True)
class Friedman:
    """What Friedman's test found.

    Attributes
    ----------
    ranks
        ``(k,)`` mean rank of each system; 1 is best (highest).
    chi2, chi2_p
        Friedman's statistic, corrected for ties, and its p by the chi-square distribution with k - 1 degrees.
    f, p
        Iman and Davenport's statistic and its p by the F distribution, less conservative than ``chi2_p``.
    rows
        Items (or groups) ranked.
    """

    ranks: NDArray[np.float64]
    chi2: float
    chi2_p: float
    f: float
    p: float
    rows: int


def friedman(scores: NDArray[Any]) -> Friedman:
    """Test whether systems differ, by their ranks within each row.

    Friedman, "The use of ranks to avoid the assumption of normality" (1937, https://doi.org/10.2307/2279372); Iman
    and Davenport, "Approximations of the critical region of the Friedman statistic" (1980); both in Demsar,
    "Statistical comparisons of classifiers over multiple data sets" (2006, https://jmlr.org/papers/v7/demsar06a.html):
    F = (n - 1) chi2 / (n (k - 1) - chi2) with k - 1 and (k - 1)(n - 1) degrees of freedom.

    Where all rows rank alike F is infinite and p is its exact value, (1 / k!)^(n - 1). Where all scores are tied
    there is nothing to see: both statistics are 0 and p is 1.

    Parameters
    ----------
    scores
        ``(n, k)``: n rows (items, groups or data sets) that are independent, k systems.

    Raises
    ------
    UsageError
        Fewer than two rows or systems, or scores that are no numbers.

    Examples
    --------
    >>> found = friedman(np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0], [1.0, 2.0, 3.0], [2.0, 1.0, 3.0]]))
    >>> found.ranks.tolist(), round(found.chi2, 2), round(found.p, 3)
    ([2.75, 2.0, 1.25], 4.5, 0.084)
    """
    from scipy.special import chdtrc, fdtrc
    from scipy.stats import rankdata

    scores = np.asarray(scores, np.float64)
    if scores.ndim != 2 or min(scores.shape) < 2 or not np.isfinite(scores).all():
        raise UsageError(
            "Friedman's test needs at least two rows and two systems, all of them numbers",
            f"scores of shape {scores.shape}, {(~np.isfinite(scores)).sum()} of them no numbers",
        )
    n, k = scores.shape
    ranks = rankdata(-scores, axis=1)
    # without ties the spread of the ranks of a row is k (k + 1) (k - 1) / 12
    spread = float(((ranks - (k + 1) / 2) ** 2).sum()) / (n * (k - 1))
    if spread == 0:
        return Friedman(ranks.mean(0), 0.0, 1.0, 0.0, 1.0, n)
    chi2 = n * float(((ranks.mean(0) - (k + 1) / 2) ** 2).sum()) / spread
    rest = n * (k - 1) - chi2
    if rest <= 1e-9 * n * (k - 1):
        return Friedman(ranks.mean(0), chi2, float(chdtrc(k - 1, chi2)), float("inf"), factorial(k) ** -(n - 1.0), n)
    f = (n - 1) * chi2 / rest
    return Friedman(ranks.mean(0), chi2, float(chdtrc(k - 1, chi2)), f, float(fdtrc(k - 1, (k - 1) * (n - 1), f)), n)


def friedman_of(samples: Mapping[str, Sample]) -> Friedman:
    """Test samples whose score is a mean, each group being one row by its own mean.

    Examples
    --------
    >>> found = friedman_of({"a": Sample.of([0.1, 0.2, 0.3]), "b": Sample.of([0.3, 0.4, 0.5])})
    >>> found.ranks.tolist(), found.p
    ([2.0, 1.0], 0.25)
    """
    check_paired(samples)
    columns = []
    for name, sample in samples.items():
        check_sample(sample, name)
        units = units_of([sample])
        sizes = np.bincount(units.places[0], minlength=len(units))
        columns.append(group_sums(sample.items, units.places[0], len(units)) / sizes)
    return friedman(np.stack(columns, axis=1))
