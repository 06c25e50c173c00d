"""Effects over seeds: the textbook's variance components, and what more seeds would do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from isogloss.errors import IsoglossError, UsageError
from isogloss.evaluation.results import Interval
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics.effects import Effect, paired_effect

ZERO = [Sample.of(np.zeros(80))]


def arms(seeds, items, *, seed_sd, item_sd, noise, effect=0.0, state=0):
    """Differences of a two-way layout: what items share over seeds, what seeds share over items, and noise."""
    rng = np.random.default_rng(state)
    shared = rng.normal(0, item_sd, items)
    return [
        Sample.of(effect + shared + rng.normal(0, seed_sd) + rng.normal(0, noise, items))
        for _ in range(seeds)
    ]  # fmt: skip


@pytest.mark.parametrize(("seed_sd", "item_sd", "noise"), [(0.5, 1.0, 0.5), (1.0, 0.2, 0.2), (0.3, 0.0, 1.0)])
def test_parts_are_those_of_the_two_way_layout(seed_sd, item_sd, noise):
    """Var(D) = (MS_items + MS_seeds - MS_rest) / (seeds * items), by mean squares."""
    treated = arms(6, 80, seed_sd=seed_sd, item_sd=item_sd, noise=noise)
    table = np.stack([sample.items for sample in treated])
    by_seed, by_item, whole = table.mean(1), table.mean(0), table.mean()
    rest = table - by_seed[:, None] - by_item + whole
    squares = 6 * ((by_item - whole) ** 2).sum() / 79, 80 * ((by_seed - whole) ** 2).sum() / 5
    left = (rest**2).sum() / (5 * 79)
    found = paired_effect(treated, ZERO, draws=20_000)
    assert found.value == pytest.approx(whole)
    assert found.item_se**2 == pytest.approx(squares[0] / 480, rel=0.05)
    assert found.seed_se**2 == pytest.approx(max(0, squares[1] - left) / 480, rel=0.05)
    assert found.shared_se**2 == pytest.approx(max(0, squares[0] - left) / 480, rel=0.05, abs=1e-4)
    assert found.per_seed == pytest.approx(by_seed.tolist())


def test_seeds_alone_give_the_t_interval_of_seeds():
    """Where items do not vary the interval is Student's over seeds, by hand."""
    values = [0.1, 0.3, 0.2, 0.5, 0.4]
    found = paired_effect([Sample.of(np.full(80, value)) for value in values], ZERO)
    theirs = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert (found.interval.low, found.interval.high) == pytest.approx(theirs)
    assert (found.item_se, found.freedom) == (pytest.approx(0, abs=1e-12), pytest.approx(4))


def test_items_alone_give_the_t_interval_of_items():
    """Seeds that agree add nothing, and one seed is the same."""
    gaps = np.random.default_rng(1).normal(0.3, 1, 80)
    theirs = stats.t.interval(0.95, 79, gaps.mean(), stats.sem(gaps))
    for seeds in (1, 5):
        found = paired_effect([Sample.of(gaps)] * seeds, ZERO, draws=40_000)
        assert (found.interval.low, found.interval.high) == pytest.approx(theirs, abs=0.01)
        assert (found.seed_se, found.seeds, found.groups) == (0.0, seeds, 80)


def test_treated_and_control_are_paired():
    base = arms(5, 80, seed_sd=3.0, item_sd=3.0, noise=1.0)
    found = paired_effect([Sample.of(one.items + 0.01) for one in base], base)
    assert found.interval.low == pytest.approx(0.01, abs=1e-9)
    assert found.interval.high == pytest.approx(0.01, abs=1e-9)


def test_groups_widen_the_interval():
    treated = arms(5, 80, seed_sd=0.0, item_sd=1.0, noise=0.1)
    many = [Sample.of(np.repeat(one.items, 10), groups=np.repeat(np.arange(80), 10)) for one in treated]
    apart = [Sample.of(one.items) for one in many]
    zero = np.zeros(800)
    together = paired_effect(many, [Sample.of(zero, groups=many[0].groups)])
    assert together.item_se == pytest.approx(paired_effect(treated, ZERO).item_se, rel=1e-6)
    assert paired_effect(apart, [Sample.of(zero)]).item_se < 0.4 * together.item_se


def test_items_of_their_own_for_each_seed():
    """Disjoint items: the mean over seeds of independent samples, whose variance is that of all items together."""
    rng = np.random.default_rng(2)
    treated = [Sample.of(rng.normal(0, 1, 50), groups=np.arange(50) + 50 * s) for s in range(6)]
    control = [Sample.of(np.zeros(50), groups=one.groups) for one in treated]
    found = paired_effect(treated, control, draws=5000)
    assert found.groups == 300
    assert np.hypot(found.item_se, found.seed_se) == pytest.approx(300**-0.5, rel=0.25)
    assert found.shared_se < 0.3 * found.item_se  # more seeds bring more items


@given(st.integers(2, 6), st.integers(2, 12), st.integers(0, 1000))
def test_swapping_the_arms_turns_the_interval(seeds, items, state):
    one = arms(seeds, items, seed_sd=1, item_sd=1, noise=1, state=state)
    two = arms(seeds, items, seed_sd=1, item_sd=1, noise=1, state=state + 5000)
    there, back = paired_effect(one, two, draws=50), paired_effect(two, one, draws=50)
    assert there.interval.low == pytest.approx(-back.interval.high, abs=1e-9)
    assert there.interval.low <= there.value <= there.interval.high
    assert there == paired_effect(one, two, draws=50)


def test_the_seeds_that_would_settle_it():
    # seeds alone: half = t(n-1) * .1 / sqrt(n) for a value of .1, which n = 7 is the first to bring below .1
    effect = Effect(0.1, Interval(-0.02, 0.22), 0.0, 0.1 / 5**0.5, 5, 100)
    assert effect.seeds_needed(0.05) == 7 == next(n for n in range(2, 50) if stats.t.ppf(0.975, n - 1) / n**0.5 < 1)
    # below the margin: to be refuted, the interval must fall below it
    assert Effect(0.0, Interval(-0.1, 0.1), 0.0, 0.1 / 5**0.5, 5, 100).seeds_needed(0.1) == 7
    # what items share is not lowered by seeds
    assert Effect(0.1, Interval(-0.2, 0.4), 0.1, 0.01, 5, 100, shared_se=0.1).seeds_needed(0.05) is None
    # settled already
    assert Effect(0.1, Interval(0.05, 0.15), 0.0, 0.02, 5, 100).seeds_needed(0.05) == 5


def test_seeds_needed_are_enough_in_a_simulation():
    made = {"seed_sd": 0.5, "item_sd": 0.1, "noise": 0.1, "effect": 0.4}
    needed = paired_effect(arms(5, 80, **made, state=8), ZERO).seeds_needed(0.2)
    assert needed is not None
    assert needed > 5
    seen = [paired_effect(arms(2 * needed, 80, **made, state=s), ZERO, draws=200).interval.low > 0 for s in range(30)]
    assert np.mean(seen) > 0.6


def test_bad_arms_are_errors():
    with pytest.raises(UsageError, match=r"2 treated, 3 control; treated fits neither"):
        paired_effect(ZERO * 2, ZERO * 3)
    with pytest.raises(UsageError, match="one sample a seed"):
        paired_effect([], [])
    with pytest.raises(IsoglossError, match=r"control \(seed 1\) were not measured"):
        paired_effect(ZERO * 2, [ZERO[0], Sample.of(np.zeros(79))])
    with pytest.raises(IsoglossError, match=r"treated \(seed 0\)(.|\n)*1 of 80 items NaN"):
        paired_effect([Sample.of([np.nan, *np.zeros(79)])], ZERO)
    alone = paired_effect([Sample.of([1.0, 2.0], groups=[0, 0])] * 5, [Sample.of([0.0, 0.0], groups=[0, 0])])
    assert np.isnan(alone.interval.low)
    assert alone.seeds_needed(0.1) is None
