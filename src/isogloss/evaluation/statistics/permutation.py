"""Paired tests by chance swaps: whether a difference is larger than what swapping the two systems gives.

Under the hypothesis that two systems do not differ, their items of a group may be swapped. The test swaps each group
with probability 1/2, many times, and counts how often the difference is at least as large as the one seen (Noreen,
"Computer-Intensive Methods for Testing Hypotheses", 1989; Smucker, Allan and Carterette, "A comparison of statistical
significance tests for information retrieval evaluation", 2007, https://doi.org/10.1145/1321440.1321528). For the mean
a swap turns the sign of the group's summed differences. The arrangement seen counts as one of the draws, so that p is
never 0 (Phipson and Smyth, "Permutation p-values should never be zero", 2010, https://arxiv.org/abs/1603.05766). With
twelve groups or fewer all arrangements are gone through instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics.units import (
    averaged,
    check_paired,
    check_sample,
    checked_value,
    group_sums,
    on_grid,
    spans,
    units_of,
)
from isogloss.seeding import generator

Side: TypeAlias = Literal["two", "greater", "less"]
"""What is tested for: a difference, a difference above 0, a difference below 0."""

FEW = 12
"""Up to so many groups all arrangements are gone through."""

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedTest:
    """What a paired test found.

    Attributes
    ----------
    value
        The difference that was seen.
    p
        Probability of one at least as large without a true difference; never 0.
    draws
        Arrangements that were looked at.
    exact
        Whether these were all that there are.
    """

    value: float
    p: float
    draws: int
    exact: bool


def swaps(groups: int, draws: int, seed: int) -> Iterator[Floats]:
    """Yield blocks ``(b, groups)`` of zeros and ones: which groups an arrangement swaps.

    All ``2**groups`` arrangements where there are at most ``FEW`` groups, else ``draws`` random ones.

    Examples
    --------
    >>> [block.tolist() for block in swaps(2, 10, seed=0)]
    [[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]]
    """
    if groups <= FEW:
        numbers = np.arange(2**groups)
        yield (numbers[:, None] >> np.arange(groups) & 1).astype(np.float64)
        return
    stream = generator(seed, "swaps").bit_generator
    words = -(-groups // 64)
    for start, stop in spans(draws, groups):
        raw = np.asarray(stream.random_raw((stop - start) * words), np.uint64).astype("<u8").view(np.uint8)
        bits = np.unpackbits(raw.reshape(stop - start, -1), axis=1, count=groups, bitorder="little")
        yield bits.astype(np.float64)


def sign_flip_test(
    differences: Sequence[float] | NDArray[np.floating], *, groups: Sequence[int] | NDArray[np.int64] | None = None,
    side: Side = "two", draws: int = 10_000, seed: int = 0,
) -> PairedTest:  # fmt: skip
    """Test whether paired differences have a mean of 0, by turning the signs of whole groups.

    Parameters
    ----------
    differences
        ``(n,)`` treated minus control, item by item.
    groups
        ``(n,)`` group of each item; each is a group of its own by default.
    side
        ``two``, or ``greater`` / ``less`` for a mean above / below 0 only.
    draws, seed
        Of the random signs; twelve groups or fewer are gone through completely.

    Raises
    ------
    IsoglossError
        No items, or items that are no numbers.

    Examples
    --------
    >>> sign_flip_test([1.0, 2.0, 3.0])
    PairedTest(value=2.0, p=0.25, draws=8, exact=True)
    """
    sample = Sample.of(np.asarray(differences, np.float64), groups=groups, name="differences")
    check_sample(sample)
    _check(side, draws)
    units = units_of([sample])
    whole, _ = on_grid(group_sums(sample.items, units.places[0], len(units)), len(units))
    total, count, looked = whole.sum(), 0, 0
    for block in swaps(len(units), draws, seed):
        count += int(_as_large(total - 2 * (block @ whole), total, side, len(units)).sum())
        looked += len(block)
    exact = len(units) <= FEW
    return PairedTest(float(sample.items.mean()), _p(count, looked, exact), looked, exact)


def randomisation_test(
    treated: Sample, control: Sample, *, side: Side = "two", draws: int = 10_000, seed: int = 0, enough: int = 0
) -> PairedTest:
    """Test whether two scores on the same items differ, by swapping the systems' items of whole groups.

    Parameters
    ----------
    treated, control
        Samples over the same items and groups, with any aggregate.
    side
        ``two``, or ``greater`` / ``less`` for a difference above / below 0 only.
    draws, seed
        Of the random swaps; twelve groups or fewer are gone through completely.
    enough
        Stop at the draw that gives so many differences as large as the one seen (0: never). Then
        p = ``enough / draws`` so far, which is as valid (Besag and Clifford, "Sequential Monte Carlo p-values",
        1991, https://doi.org/10.1093/biomet/78.2.301); for costly aggregates, as clear differences still get all
        draws.

    Examples
    --------
    >>> one, two = Sample.of([0.9, 0.8, 0.9, 1.0]), Sample.of([0.1, 0.4, 0.2, 0.3])
    >>> randomisation_test(one, two, side="greater").p
    0.0625
    """
    _check(side, draws)
    check_paired({"treated": treated, "control": control})
    value = checked_value(treated, "treated") - checked_value(control, "control")
    if averaged(treated) and averaged(control):
        gaps = treated.items.astype(np.float64) - control.items.astype(np.float64)
        found = sign_flip_test(gaps, groups=treated.groups, side=side, draws=draws, seed=seed)
        return PairedTest(value, found.p, found.draws, found.exact)
    units = units_of([treated])
    exact = len(units) <= FEW
    swapped, count, looked = _swapper(treated, control, units.places[0]), 0, 0
    for block in swaps(len(units), draws, seed):
        for start, stop in spans(len(block), 2 * len(treated)):
            large = np.cumsum(_as_large(swapped(block[start:stop]), value, side, 0))
            if enough and not exact and count + large[-1] >= enough:
                looked += int(np.searchsorted(large, enough - count)) + 1
                return PairedTest(value, enough / looked, looked, False)
            count, looked = count + int(large[-1]), looked + stop - start
    return PairedTest(value, _p(count, looked, exact), looked, exact)


def mean_tests(samples: Sequence[Sample], *, draws: int = 10_000, seed: int = 0) -> Floats:
    """Return two-sided p of the randomisation test for every pair of samples whose score is the mean.

    One matrix product serves all pairs: the sum under turned signs of a pair is the difference of the two systems'
    sums under the same signs. Equals ``randomisation_test`` of each pair with the same seed.

    Parameters
    ----------
    samples
        Samples of one number an item over the same items and groups.
    draws, seed
        Of the random signs.

    Returns
    -------
    ndarray, shape (systems, systems)
        Symmetric, ones on the diagonal.

    Examples
    --------
    >>> mean_tests([Sample.of([1.0, 2.0, 3.0]), Sample.of([0.0, 0.0, 0.0])]).tolist()
    [[1.0, 0.25], [0.25, 1.0]]
    """
    units = units_of(samples[:1])
    sums = np.stack([group_sums(sample.items, units.places[0], len(units)) for sample in samples])
    # differences of two systems' whole numbers are exact too
    whole, _ = on_grid(sums - sums.mean(0), 2.0 * len(units))
    first, second = np.triu_indices(len(samples), 1)
    totals = whole.sum(1)
    seen = totals[first] - totals[second]
    counts, looked = np.zeros(len(first), np.int64), 0
    for block in swaps(len(units), draws, seed):
        turned = totals - 2 * (block @ whole.T)
        gaps = turned[:, first] - turned[:, second]
        counts += _as_large(gaps, seen, "two", 2 * len(units)).sum(0)
        looked += len(block)
    out = np.ones((len(samples), len(samples)))
    for at, count in enumerate(counts):
        p = _p(int(count), looked, len(units) <= FEW)
        out[first[at], second[at]] = out[second[at], first[at]] = p
    return out


def _swapper(treated: Sample, control: Sample, place: NDArray[np.intp]) -> Callable[[Floats], Floats]:
    """Return the function from ``(b, G)`` swaps to ``(b,)`` differences: each system gets items of both by weight."""
    items = np.concatenate([treated.items, control.items])

    def differences(block: Floats) -> Floats:
        turned = block[:, place]
        own = np.concatenate([1 - turned, turned], axis=1)
        return treated.aggregate(items, own) - control.aggregate(items, 1 - own)

    return differences


def _as_large(found: Floats, seen: Floats | float, side: Side, rounded: int) -> NDArray[np.bool_]:
    """Say where a difference is at least the one seen; equal but for rounding counts as equal, undefined as large.

    ``rounded`` is by how many whole numbers sums on a grid may be off; 0: the numbers are scores.
    """
    near = float(rounded) if rounded else 1e-11 * max(1e-3, float(np.abs(seen).max()))
    if side == "two":
        found, seen = np.abs(found), np.abs(seen)
    elif side == "less":
        found, seen = -found, -seen
    return ~(found < seen - near)


def _p(count: int, looked: int, exact: bool) -> float:
    return count / looked if exact else (1 + count) / (1 + looked)


def _check(side: str, draws: int) -> None:
    if side not in ("two", "greater", "less"):
        raise UsageError(f"there is no side {side} of a test", fix="choose two, greater or less")
    if draws < 1:
        raise UsageError("a randomisation test needs draws", f"draws={draws}", "10,000 are usual")
