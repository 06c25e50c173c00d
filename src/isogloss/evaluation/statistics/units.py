"""The units that are drawn: which items belong to which group, and checks that samples can be drawn together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import IsoglossError
from isogloss.evaluation.sample import Sample, mean

CELLS = 1 << 20
"""Numbers of a weight matrix that are held at a time; results do not depend on it."""


def check_sample(sample: Sample, name: str = "") -> None:
    """Say what is wrong with a sample that cannot be judged.

    Raises
    ------
    IsoglossError
        Where there is no item, or an item is NaN or infinite (the message counts them).

    Examples
    --------
    >>> check_sample(Sample.of([1.0, float("nan")]), "words")
    Traceback (most recent call last):
    isogloss.errors.IsoglossError: the sample words holds items that are no numbers
    why: 1 of 2 items NaN or infinite, the first at position 1
    fix: repair the system or metric that gave them; leaving them out would judge another set of items
    """
    label = " ".join(["the sample", name or sample.name]).strip()
    if not len(sample):
        raise IsoglossError(f"{label} is empty", "0 items", "check that questions and judgements share their ids")
    items = np.asarray(sample.items)
    if not np.issubdtype(items.dtype, np.floating):
        return
    bad = ~np.isfinite(items.reshape(len(items), -1)).all(axis=1)
    if bad.any():
        raise IsoglossError(
            f"{label} holds items that are no numbers",
            f"{bad.sum():,} of {len(items):,} items NaN or infinite, the first at position {int(bad.argmax())}",
            "repair the system or metric that gave them; leaving them out would judge another set of items",
        )


def checked_value(sample: Sample, name: str = "") -> float:
    """Return the score of a sample that was checked; a score that is no number is an error.

    Examples
    --------
    >>> checked_value(Sample.of([1.0, 3.0]))
    2.0
    """
    check_sample(sample, name)
    value = sample.value()
    if not np.isfinite(value):
        raise IsoglossError(
            " ".join(["the score of", name or sample.name or "a sample", "is not defined"]),
            f"{len(sample):,} items give {value}",
            "a correlation needs values that differ, a rate needs both classes; give it such items",
        )
    return value


def check_paired(samples: Mapping[str, Sample]) -> None:
    """Check that samples are over the same items: as many of them, in the same groups, in the same order.

    Raises
    ------
    IsoglossError
        The message names the first sample that differs from the first one, and where.

    Examples
    --------
    >>> check_paired({"words": Sample.of([1.0, 0.0]), "minilm": Sample.of([0.0, 1.0])})
    """
    first, *others = samples.items()
    for name, sample in others:
        why = _unlike(first[1], sample)
        if why:
            raise IsoglossError(
                f"{first[0]} and {name} were not measured on the same items",
                why,
                "measure all systems on the same questions, in the same order",
            )


def _unlike(first: Sample, other: Sample) -> str:
    if first.name and other.name and first.name != other.name:
        return f"one measures {first.name}, the other {other.name}"
    if len(first) != len(other):
        return f"{len(first):,} items against {len(other):,}"
    if not np.array_equal(first.groups, other.groups):
        unlike = np.flatnonzero(first.groups != other.groups)
        at = int(unlike[0])
        return (
            f"{len(unlike):,} of {len(first):,} items lie in other groups; "
            f"item {at} in group {first.groups[at]} against {other.groups[at]}"
        )
    if np.asarray(first.items).shape[1:] != np.asarray(other.items).shape[1:]:
        return f"items of shape {np.asarray(first.items).shape} against {np.asarray(other.items).shape}"
    return ""


@dataclass(frozen=True, slots=True)
class Units:
    """Groups of several samples, numbered together.

    Attributes
    ----------
    numbers
        ``(G,)`` distinct group numbers of all samples, ascending: the units that are drawn.
    places
        For each sample ``(n,)`` the place of each item's group in ``numbers``.
    """

    numbers: NDArray[np.int64]
    places: list[NDArray[np.intp]]

    def __len__(self) -> int:
        return len(self.numbers)


def units_of(samples: Sequence[Sample]) -> Units:
    """Return the groups of several samples, numbered together; groups of one number are one unit.

    Examples
    --------
    >>> units_of([Sample.of([1.0, 2.0, 3.0], groups=[7, 7, 9]), Sample.of([1.0], groups=[8])])
    Units(numbers=array([7, 8, 9]), places=[array([0, 0, 2]), array([1])])
    """
    numbers = np.unique(np.concatenate([sample.groups for sample in samples])).astype(np.int64)
    return Units(numbers, [np.searchsorted(numbers, sample.groups) for sample in samples])


def averaged(sample: Sample) -> bool:
    """Say whether the score is the plain mean of one number an item, for which matrix products do."""
    return sample.aggregate is mean and np.asarray(sample.items).ndim == 1


def on_grid(values: NDArray[np.float64], weight: float) -> tuple[NDArray[np.float64], float]:
    """Round to whole multiples of a power of two, so fine that sums up to ``weight`` values are exact in any order.

    A matrix product adds in an order that depends on threads and blocks; whole numbers below 2^53 do not mind. The
    rounding is below ``weight * max|values| * 2^-52``.

    Parameters
    ----------
    values
        ``(..., n)`` finite numbers.
    weight
        The most that the absolute weights of one sum add up to.

    Returns
    -------
    tuple of ndarray and float
        Whole numbers in float64, and the step: ``values`` is about ``whole * step``.

    Examples
    --------
    >>> whole, step = on_grid(np.array([0.5, -0.25]), 8.0)
    >>> (whole * step).tolist(), whole.astype(int).tolist() == whole.tolist()
    ([0.5, -0.25], True)
    """
    largest = float(np.abs(values).max(initial=0.0)) * max(weight, 1.0)
    if largest == 0:
        return np.zeros_like(values), 1.0
    step = float(np.ldexp(1.0, max(int(np.frexp(largest)[1]) - 52, -1022)))
    return np.rint(values / step), step


def group_sums(values: NDArray[Any], places: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """Return ``(count,)`` the sum of the values of each unit."""
    return np.asarray(np.bincount(places, weights=np.asarray(values, np.float64), minlength=count), np.float64)


def spans(total: int, width: int) -> Iterable[tuple[int, int]]:
    """Cut ``total`` rows of ``width`` numbers into blocks of at most ``CELLS`` numbers (one row at least).

    Examples
    --------
    >>> list(spans(5, CELLS // 2))
    [(0, 2), (2, 4), (4, 5)]
    """
    rows = max(1, CELLS // max(1, width))
    return ((start, min(total, start + rows)) for start in range(0, total, rows))
