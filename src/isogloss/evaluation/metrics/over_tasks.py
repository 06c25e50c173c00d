"""The mean over several tasks as one score whose items can still be re-weighted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import IsoglossError
from isogloss.evaluation.sample import Sample, mean


def mean_of_tasks(items: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over tasks of the mean within each: an aggregate of ``items (n, 2)``, a value and its task's number.

    NaN where all items of a task have weight zero.

    Examples
    --------
    >>> mean_of_tasks(np.array([[1.0, 0], [0.0, 0], [1.0, 1]]), np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 2.0]])).tolist()
    [0.75, 0.5]
    """
    values, tasks = np.asarray(items, np.float64).T
    inside = tasks[:, None] == np.unique(tasks)  # (n, tasks)
    with np.errstate(invalid="ignore"):
        return np.asarray(((weights * values) @ inside / (weights @ inside)).mean(1), np.float64)


def over_tasks(samples: Sequence[Sample], *, name: str = "") -> Sample:
    """Join samples of several tasks, each a mean, to one whose score is the mean of their scores.

    Items are drawn whatever their task; a group of one task is never a group of another.

    Parameters
    ----------
    samples
        One a task.
    name
        Of the metric; of the first sample where empty.

    Raises
    ------
    IsoglossError
        Where there is no sample, or one is not a mean of single numbers.

    Examples
    --------
    >>> over_tasks([Sample.of([1.0, 0.0]), Sample.of([1.0])]).value()
    0.75
    """
    if not samples:
        raise IsoglossError("there is no mean over no tasks", "no sample is given")
    if any(one.aggregate is not mean or one.items.ndim != 1 or not len(one) for one in samples):
        raise IsoglossError("only means can be joined", "a sample has another aggregate, or no items", "join scores")
    items = [np.stack([one.items.astype(float), np.full(len(one), i)], 1) for i, one in enumerate(samples)]
    groups, start = [], 0
    for one in samples:
        numbers = np.unique(one.groups, return_inverse=True)[1]
        groups.append(numbers + start)
        start += int(numbers.max()) + 1
    return Sample.of(
        np.concatenate(items), groups=np.concatenate(groups), aggregate=mean_of_tasks, name=name or samples[0].name
    )
