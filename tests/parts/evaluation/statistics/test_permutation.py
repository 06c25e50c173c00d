"""Paired tests: hand arithmetic, SciPy, and what holds for all differences."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from isogloss.errors import IsoglossError, UsageError
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics import permutation, units
from isogloss.evaluation.statistics.permutation import mean_tests, randomisation_test, sign_flip_test

RNG = np.random.default_rng(11)
ONE, TWO = RNG.normal(0.15, 1, 40), RNG.normal(0, 1, 40)


def summed(items, weights):
    """The mean again, as an aggregate that the fast path does not know."""
    return (weights @ items) / weights.sum(1)


def correlation(items, weights):
    """Weighted Pearson correlation of ``(n, 2)`` items."""
    total = weights.sum(1, keepdims=True)
    x, y = (weights @ items / total).T
    xy, xx, yy = (weights @ (items[:, i] * items[:, j]) / total[:, 0] for i, j in ((0, 1), (0, 0), (1, 1)))
    return (xy - x * y) / np.sqrt((xx - x**2) * (yy - y**2))


def test_three_differences_by_hand():
    """Of the eight signs of 1, 2, 3 the sums are ±6, ±4, ±2, 0, 0."""
    assert sign_flip_test([1.0, 2.0, 3.0]).p == 2 / 8
    assert sign_flip_test([1.0, 2.0, 3.0], side="greater").p == 1 / 8
    assert sign_flip_test([1.0, 2.0, 3.0], side="less").p == 1.0
    assert sign_flip_test([1.0, 2.0, -3.0]).p == 1.0
    assert sign_flip_test([1.0, 2.0, 3.0], groups=[0, 0, 1]).p == 2 / 4  # ±6 and 0, 0


@pytest.mark.parametrize(("side", "theirs"), [("two", "two-sided"), ("greater", "greater"), ("less", "less")])
def test_few_groups_equal_all_arrangements_of_scipy(side, theirs):
    one, two = ONE[:9], TWO[:9]

    def gap(x, y, axis):
        return np.mean(x, axis=axis) - np.mean(y, axis=axis)

    found = stats.permutation_test((one, two), gap, permutation_type="samples", alternative=theirs, n_resamples=np.inf)
    ours = randomisation_test(Sample.of(one), Sample.of(two), side=side)
    # SciPy's two-sided p doubles the smaller side, which is the same here by symmetry
    assert (ours.p, ours.exact, ours.draws) == (pytest.approx(found.pvalue, abs=1e-12), True, 512)


def test_many_groups_come_near_scipy():
    found = stats.permutation_test(
        (ONE - TWO,), np.mean, permutation_type="samples", n_resamples=40_000, rng=np.random.default_rng(1)
    )
    assert sign_flip_test(ONE - TWO, draws=40_000).p == pytest.approx(found.pvalue, abs=0.015)


def test_any_aggregate_goes_the_slow_way_to_the_same_p():
    groups = np.arange(40) // 2
    fast = randomisation_test(Sample.of(ONE, groups=groups), Sample.of(TWO, groups=groups), draws=2000, seed=4)
    slow = randomisation_test(
        Sample.of(ONE, groups=groups, aggregate=summed), Sample.of(TWO, groups=groups, aggregate=summed),
        draws=2000, seed=4,
    )  # fmt: skip
    assert fast == slow
    assert not fast.exact


def test_a_correlation_by_brute_force():
    truth = RNG.normal(size=7)
    items = [np.stack([truth, truth + RNG.normal(0, s, 7)], axis=1) for s in (0.3, 1.5)]
    treated, control = (Sample.of(pairs, aggregate=correlation) for pairs in items)
    seen = treated.value() - control.value()
    count = 0
    for bits in itertools.product([False, True], repeat=7):
        swap = np.array(bits)[:, None]
        first, second = np.where(swap, items[1], items[0]), np.where(swap, items[0], items[1])
        gap = np.corrcoef(first.T)[0, 1] - np.corrcoef(second.T)[0, 1]
        count += abs(gap) >= abs(seen) - 1e-9
    assert randomisation_test(treated, control).p == count / 128


def test_stopping_early_divides_by_the_draws_so_far():
    same = Sample.of(np.stack([ONE, TWO], axis=1), aggregate=correlation)
    other = Sample.of(np.stack([ONE, TWO[::-1]], axis=1), aggregate=correlation)
    whole = randomisation_test(same, other, draws=5000, seed=1)
    early = randomisation_test(same, other, draws=5000, seed=1, enough=50)
    assert early.draws < whole.draws == 5000
    assert early.p == 50 / early.draws
    assert early.p == pytest.approx(whole.p, rel=0.4)
    # the draw that stopped it was the fiftieth as large, counted from the same stream
    assert randomisation_test(same, other, draws=early.draws, seed=1).p == 51 / (early.draws + 1)
    assert randomisation_test(same, other, draws=early.draws - 1, seed=1).p == 50 / early.draws
    # too few are as large: all draws are used
    clear = Sample.of(np.stack([ONE, ONE], axis=1), aggregate=correlation)
    assert randomisation_test(clear, other, draws=500, enough=50).p == 1 / 501


def test_all_pairs_at_once_equal_each_pair_alone():
    samples = [Sample.of(RNG.normal(0.1 * i, 1, 40), groups=np.arange(40) // 2) for i in range(4)]
    found = mean_tests(samples, draws=500, seed=9)
    for a, b in itertools.combinations(range(4), 2):
        assert found[a, b] == found[b, a] == randomisation_test(samples[a], samples[b], draws=500, seed=9).p
    assert np.diag(found).tolist() == [1.0] * 4


def test_blocks_change_no_p(monkeypatch):
    samples = [Sample.of(ONE), Sample.of(TWO), Sample.of(ONE + 0.1)]
    whole = mean_tests(samples, draws=700, seed=2)
    monkeypatch.setattr(units, "CELLS", 333)
    assert np.array_equal(mean_tests(samples, draws=700, seed=2), whole)
    assert sum(len(block) for block in permutation.swaps(40, 700, seed=2)) == 700


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=30), st.integers(0, 100), st.floats(1e-3, 1e3))
def test_p_is_a_probability_and_knows_no_unit(values, seed, unit):
    gaps = np.array(values, float)
    found = sign_flip_test(gaps, draws=99, seed=seed)
    assert 0 < found.p <= 1
    assert sign_flip_test(-gaps, draws=99, seed=seed).p == found.p
    assert sign_flip_test(gaps * unit, draws=99, seed=seed).p == found.p
    assert sign_flip_test(gaps / 10, draws=99, seed=seed).p == found.p  # .1 + .2 ties with .3


def test_equal_systems_are_never_told_apart():
    same = Sample.of(ONE)
    assert randomisation_test(same, same).p == 1.0
    assert sign_flip_test([0.0]).p == 1.0
    assert sign_flip_test([5.0, 5.0], groups=[0, 0]).p == 1.0  # one group: two signs, both as large
    assert sign_flip_test(np.full(50, 0.3), draws=1000).p == 1 / 1001


def test_bad_input_is_an_error():
    with pytest.raises(IsoglossError, match="NaN"):
        sign_flip_test([1.0, np.nan])
    with pytest.raises(UsageError, match="side"):
        sign_flip_test([1.0], side="left")
    with pytest.raises(UsageError, match="draws"):
        sign_flip_test([1.0], draws=0)
    with pytest.raises(IsoglossError, match="2 items against 1"):
        randomisation_test(Sample.of([1.0, 2.0]), Sample.of([1.0]))
