"""Bootstrap: hand arithmetic, SciPy, and what holds for every sample."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from isogloss.errors import IsoglossError, IsoglossWarning, UsageError
from isogloss.evaluation.metrics.clustering import v_measure
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics import bootstrap, units
from isogloss.evaluation.statistics.proportion import grouped_share_interval, share_interval

VALUES = np.random.default_rng(5).gamma(2.0, size=60)


def spread(items, weights):
    """A weighted standard deviation: an aggregate that is no mean."""
    total = weights.sum(1)
    return np.sqrt(np.maximum(0, weights @ items**2 / total - (weights @ items / total) ** 2))


def plain_mean(items, weights):
    return (weights * items).sum(1) / weights.sum(1)


def test_two_groups_by_hand():
    """Two groups: both drawn (1/2), the first twice (1/4), the second twice (1/4)."""
    sample = Sample.of([1.0, 2.0, 6.0], groups=[4, 4, 9])
    found = bootstrap.resample([sample], draws=4000, seed=3)[0]
    values, counts = np.unique(found.round(12), return_counts=True)
    assert values.tolist() == [1.5, 3.0, 6.0]
    assert np.abs(counts / 4000 - [0.25, 0.5, 0.25]).max() < 0.03
    assert bootstrap.jackknife([sample]).tolist() == [[6.0, 1.5]]


@pytest.mark.parametrize(("method", "theirs"), [("percentile", "percentile"), ("bca", "BCa")])
@pytest.mark.parametrize("statistic", ["mean", "spread"])
def test_intervals_equal_those_of_scipy(method, theirs, statistic):
    sample = Sample.of(VALUES) if statistic == "mean" else Sample.of(VALUES, aggregate=spread)
    ours = bootstrap.interval(sample, draws=20_000, seed=1, method=method)
    rival = np.mean if statistic == "mean" else np.std
    found = stats.bootstrap((VALUES,), rival, n_resamples=20_000, method=theirs, rng=np.random.default_rng(2))
    wide = found.confidence_interval.high - found.confidence_interval.low
    assert ours.low == pytest.approx(found.confidence_interval.low, abs=0.04 * wide)
    assert ours.high == pytest.approx(found.confidence_interval.high, abs=0.04 * wide)


def test_bca_equals_that_of_scipy_on_the_same_draws():
    found = stats.bootstrap((VALUES,), np.mean, n_resamples=999, method="BCa", rng=np.random.default_rng(2))
    left_out = bootstrap.jackknife([Sample.of(VALUES)])[0]
    ours = bootstrap.bca(found.bootstrap_distribution, float(VALUES.mean()), left_out)
    assert (ours.low, ours.high) == pytest.approx(tuple(found.confidence_interval), abs=1e-12)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40),
    st.integers(0, 2**32),
    st.integers(1, 5),
)
def test_matrix_products_equal_one_draw_at_a_time(values, seed, size):
    groups = np.arange(len(values)) // size
    both = [Sample.of(values, groups=groups), Sample.of(values, groups=groups, aggregate=plain_mean)]
    fast, slow = bootstrap.resample(both, draws=20, seed=seed)
    assert fast == pytest.approx(slow, abs=1e-8)
    fast, slow = bootstrap.jackknife(both)
    assert np.allclose(fast, slow, atol=1e-8, equal_nan=True)


def test_blocks_and_the_other_samples_change_no_bit(monkeypatch):
    samples = [Sample.of(VALUES, groups=np.arange(60) // 3), Sample.of(VALUES**2, groups=np.arange(60) // 3)]
    whole = bootstrap.resample(samples, draws=500, seed=7)
    for cells in (1, 97, 1000):
        monkeypatch.setattr(units, "CELLS", cells)
        monkeypatch.setattr(bootstrap, "CELLS", cells)
        assert np.array_equal(bootstrap.resample(samples, draws=500, seed=7), whole)
    assert np.array_equal(bootstrap.resample(samples[1:], draws=500, seed=7), whole[1:])
    assert not np.array_equal(bootstrap.resample(samples, draws=500, seed=8), whole)


def test_a_constant_difference_has_no_spread():
    found = bootstrap.paired_interval(Sample.of(VALUES + 0.25), Sample.of(VALUES))
    assert found.low == pytest.approx(0.25, abs=1e-12)
    assert found.high == pytest.approx(0.25, abs=1e-12)
    same = bootstrap.paired_interval(Sample.of(VALUES), Sample.of(VALUES), method="bca")
    assert (same.low, same.high) == (0.0, 0.0)


def test_copies_in_one_group_add_nothing():
    """Ten copies of each item, drawn together, give the interval of the items; drawn apart a narrower one."""
    many, groups = np.repeat(VALUES, 10), np.repeat(np.arange(60), 10)
    once = bootstrap.interval(Sample.of(VALUES), seed=2)
    together = bootstrap.interval(Sample.of(many, groups=groups), seed=2)
    apart = bootstrap.interval(Sample.of(many), seed=2)
    assert (together.low, together.high) == pytest.approx((once.low, once.high))
    assert apart.high - apart.low < 0.5 * (once.high - once.low)


def test_five_items_come_near_all_their_draws():
    values = np.array([0.0, 1.0, 1.0, 3.0, 7.0])
    every = [np.mean(draw) for draw in itertools.product(values, repeat=5)]
    found = bootstrap.interval(Sample.of(values), draws=100_000, level=0.8)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(every, [0.1, 0.9])), abs=0.05)


def test_what_is_degenerate_is_said():
    assert bootstrap.interval(Sample.of([2.0] * 5), method="bca") == bootstrap.interval(Sample.of([2.0] * 5))
    with pytest.warns(IsoglossWarning, match="one group"):
        assert np.isnan(bootstrap.interval(Sample.of([1.0, 2.0], groups=[0, 0])).low)
    with pytest.raises(IsoglossError, match="1 of 2 items NaN"):
        bootstrap.interval(Sample.of([1.0, np.nan]))
    with pytest.raises(IsoglossError, match="empty"):
        bootstrap.interval(Sample.of([]))
    with pytest.raises(IsoglossError, match="same items"):
        bootstrap.paired_interval(Sample.of([1.0, 2.0]), Sample.of([1.0, 2.0], groups=[0, 2]))
    with pytest.raises(UsageError, match="by the name"):
        bootstrap.interval(Sample.of([1.0, 2.0]), method="normal")
    with pytest.raises(UsageError, match="level"):
        bootstrap.interval(Sample.of([1.0, 2.0]), level=95)
    with pytest.raises(UsageError, match="draws"):
        bootstrap.interval(Sample.of([1.0, 2.0]), draws=0)


def raised_by_repeats(items, weights):
    """A mean that rises with every item that is drawn twice, as agreement of clusters does."""
    return weights @ items / weights.sum(1) + (weights**2).sum(1) / weights.sum(1) - 1


def test_repeats_do_not_move_an_interval_off_its_score():
    """By hand: n draws of n items have sum(c^2) / n = 2 - 1/n; without repeats what is left is the mean's own error."""
    sample, plain = Sample.of(VALUES, aggregate=raised_by_repeats), Sample.of(VALUES)
    drawn, mean_drawn = bootstrap.resample([sample, plain], draws=20_000, seed=4)
    assert drawn.mean() == pytest.approx(sample.value(), abs=1e-9)
    assert drawn.std() == pytest.approx(VALUES.std(ddof=1) / 60**0.5, rel=0.02)
    assert np.array_equal(mean_drawn, bootstrap.resample([plain], draws=20_000, seed=4)[0])
    found, control = bootstrap.interval(sample), Sample.of(VALUES**2, aggregate=raised_by_repeats)
    assert found.low < sample.value() < found.high
    gap = bootstrap.paired_interval(sample, control)
    assert gap.low < sample.value() - control.value() < gap.high
    wanted = bootstrap.paired_interval(plain, Sample.of(VALUES**2))
    assert (gap.low, gap.high) == pytest.approx((wanted.low, wanted.high), abs=0.1 * (wanted.high - wanted.low))


def test_the_score_of_clusters_lies_in_its_interval():
    rng = np.random.default_rng(8)
    true = rng.integers(0, 40, 300)
    found = [np.where(rng.random(300) < share, true, rng.integers(0, 40, 300)) for share in (0.7, 0.6)]
    better, worse = (Sample.of(np.column_stack([one, true]), aggregate=v_measure) for one in found)
    drawn = np.stack([np.bincount(rng.integers(0, 300, 300), minlength=300) for _ in range(500)])
    assert np.quantile(better.at(drawn), 0.01) > better.value(), "the bootstrap itself lies above the score"
    interval = bootstrap.interval(better, draws=500)
    assert interval.low < better.value() < interval.high
    assert 0.05 < interval.high - interval.low < 0.11  # the score's own error is .019: 3.92 of it are .075
    gap = bootstrap.paired_interval(better, worse, draws=500)
    assert gap.low < better.value() - worse.value() < gap.high


def test_draws_without_a_fifth_repeat_nothing_and_are_the_same_in_any_block(monkeypatch):
    def all_of(groups):
        return np.concatenate([counts for _, counts in bootstrap.left_out_draws(groups, 300, seed=5)])

    whole = all_of(40)
    assert set(np.unique(whole)) == {0.0, 1.0}
    assert set(whole.sum(1)) == {32.0}
    assert np.abs(whole.mean(0) - 0.8).max() < 0.1
    monkeypatch.setattr(units, "CELLS", 97)
    assert np.array_equal(all_of(40), whole)


def test_undefined_draws_are_counted():
    def strict(items, weights):
        out = np.asarray((weights @ items) / weights.sum(1))
        return np.where((weights > 0).sum(1) > 1, out, np.nan)  # undefined where one item only was drawn

    with pytest.warns(IsoglossWarning, match=r"\d+ of 1,000 draws have no defined score"):
        found = bootstrap.interval(Sample.of([0.0, 1.0, 2.0], aggregate=strict), draws=1000)
    assert 0 < found.low < found.high < 2


def test_shares_by_hand():
    """Wilson by hand: 5 of 10 with z = 1.96 gives .5 ± .2634; SciPy has the same."""
    found, theirs = share_interval(5, 10), stats.binomtest(5, 10).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert found.low == pytest.approx(0.5 - 0.2634, abs=1e-4)
    alone = grouped_share_interval([True] * 5 + [False] * 5, range(10))
    # 10 trials with the standard error of 9 degrees of freedom
    assert alone.low == pytest.approx(share_interval(4.5, 9).low, abs=0.02)
    copies = grouped_share_interval(([True] * 5 + [False] * 5) * 10, list(range(10)) * 10)
    assert (copies.low, copies.high) == pytest.approx((alone.low, alone.high))
    assert share_interval(0, 0).high == 1.0
    with pytest.raises(UsageError):
        share_interval(3, 2)
