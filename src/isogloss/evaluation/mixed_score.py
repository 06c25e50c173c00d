"""Searching and comparing as one score: the mean of a mean over questions and of a rank correlation over pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import IsoglossError
from isogloss.evaluation.metrics.correlation import spearman
from isogloss.evaluation.sample import Sample, mean


def mean_and_spearman(items: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of a mean and a rank correlation: an aggregate of ``items (n, 3)``.

    The first number of an item is 0 where the second is a value to average, 1 where second and third are to correlate.

    Examples
    --------
    >>> mean_and_spearman(np.array([[0, 0.5, 0.0], [1, 3.0, 3.0], [1, 1.0, 1.0]]), np.ones((1, 3))).round(9).tolist()
    [0.75]
    """
    paired = items[:, 0] == 1
    plain = mean(items[~paired, 1], weights[:, ~paired])  # (b,)
    return np.asarray((plain + spearman(items[paired, 1:], weights[:, paired])) / 2)


def mixed(values: Sample, pairs: Sample) -> Sample:
    """Join a sample that is a mean with one that is Spearman's correlation; both count alike.

    Parameters
    ----------
    values, pairs
        Items ``(n,)`` and ``(m, 2)``; a group of the one is never a group of the other.

    Raises
    ------
    IsoglossError
        Where their items have other shapes.

    Examples
    --------
    >>> likeness = Sample.of(np.array([[1.0, 2.0], [2.0, 3.0]]))
    >>> round(mixed(Sample.of([1.0, 0.0]), likeness).value(), 9)
    0.75
    """
    if values.items.ndim != 1 or pairs.items.ndim != 2 or pairs.items.shape[1] != 2:
        raise IsoglossError("a mean and a correlation are needed", f"{values.items.shape} and {pairs.items.shape}")
    plain = np.column_stack([np.zeros(len(values)), values.items, np.zeros(len(values))])
    both = np.column_stack([np.ones(len(pairs)), pairs.items])
    numbers = [np.unique(one.groups, return_inverse=True)[1] for one in (values, pairs)]
    groups = np.concatenate([numbers[0], numbers[1] + numbers[0].max(initial=-1) + 1])
    return Sample(np.concatenate([plain, both]), groups.astype(np.int64), mean_and_spearman, "mean")
