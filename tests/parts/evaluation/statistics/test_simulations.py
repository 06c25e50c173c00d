"""Long simulations: p is uniform without an effect, intervals cover what they promise."""

import numpy as np
import pytest
from scipy import stats

from isogloss.evaluation.metrics.clustering import v_measure
from isogloss.evaluation.metrics.correlation import spearman
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics.bootstrap import interval, paired_interval
from isogloss.evaluation.statistics.effects import paired_effect
from isogloss.evaluation.statistics.equivalence import equivalence
from isogloss.evaluation.statistics.permutation import randomisation_test, sign_flip_test
from isogloss.evaluation.statistics.power import smallest_visible, standard_error

pytestmark = pytest.mark.nightly

TIMES = 2000


def report(name, value):
    print(f"{name}: {value:.4f}")  # noqa: T201 - shown by pytest -s
    return value


def correlation(items, weights):
    total = weights.sum(1, keepdims=True)
    middle = weights @ items / total
    products = items[:, [0, 0, 1]] * items[:, [1, 0, 1]]
    both, first, second = (weights @ products / total - middle[:, [0, 0, 1]] * middle[:, [1, 0, 1]]).T
    return both / np.sqrt(first * second)


def uniform(p, draws, rng):
    """P of a test that p is uniform; p sits on steps of 1 / (draws + 1), so chance fills the step below it."""
    return stats.kstest(np.array(p) - rng.random(len(p)) / (draws + 1), "uniform").pvalue


@pytest.mark.parametrize("groups", [8, 30, 200])
def test_sign_flips_are_uniform_without_an_effect(groups):
    rng, p = np.random.default_rng(groups), []
    for number in range(TIMES):
        places = np.repeat(np.arange(groups), rng.integers(1, 4, groups))
        gaps = rng.standard_t(4, groups)[places] + rng.normal(0, 0.5, len(places))
        p.append(sign_flip_test(gaps, groups=places, draws=499, seed=number).p)
    steps = 2 ** (groups - 1) - 1 if groups <= 12 else 499  # with few groups: all arrangements, in mirrored pairs
    assert report(f"sign flips, {groups} groups, KS p", uniform(p, steps, rng)) > 0.01


def test_swaps_are_uniform_without_an_effect_for_a_correlation():
    rng, p = np.random.default_rng(1), []
    for number in range(TIMES):
        truth = rng.normal(size=60)
        one, two = (Sample.of(np.stack([truth, truth + rng.normal(size=60)], 1), aggregate=correlation) for _ in "ab")
        p.append(randomisation_test(one, two, draws=199, seed=number).p)
    assert report("swaps, correlation, KS p", uniform(p, 199, rng)) > 0.01


@pytest.mark.parametrize("enough", [10, 50])
def test_stopping_early_keeps_the_level(enough):
    rng, p = np.random.default_rng(enough), []
    for number in range(TIMES):
        truth = rng.normal(size=40)
        one, two = (Sample.of(np.stack([truth, truth + rng.normal(size=40)], 1), aggregate=correlation) for _ in "ab")
        p.append(randomisation_test(one, two, draws=499, seed=number, enough=enough).p)
    for level in (0.01, 0.05, 0.2):
        share = report(f"stopped at {enough}, share of p <= {level}", np.mean(np.array(p) <= level))
        assert share <= level + 3 * (level * (1 - level) / TIMES) ** 0.5


def ndcg(rng, groups):
    """Scores of questions as they come: some 0, some 1, the rest between."""
    return np.clip(rng.normal(0.45, 0.5, groups), 0, 1)


WORLDS = {
    "normal": (lambda rng, groups: rng.normal(0.3, 1, groups), 0.3),
    "skewed": (lambda rng, groups: rng.gamma(2.0, 0.5, groups), 1.0),
    "ndcg": (ndcg, float(stats.truncnorm.mean(-0.9, 1.1, 0.45, 0.5) * np.diff(stats.norm.cdf([-0.9, 1.1]))[0]
                         + stats.norm.sf(1.1))),
}  # fmt: skip


@pytest.mark.parametrize("method", ["percentile", "bca"])
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("groups", [80, 200])
def test_intervals_of_a_mean_by_group_cover(method, world, groups):
    draw, truth = WORLDS[world]
    rng, hits = np.random.default_rng(groups), 0
    for number in range(TIMES):
        places = np.repeat(np.arange(groups), rng.integers(1, 4, groups))
        values = draw(rng, groups)[places] + rng.normal(0, 0.3, len(places))
        found = interval(Sample.of(values, groups=places), draws=1000, seed=number, method=method)
        hits += found.low <= truth <= found.high
    assert 0.93 <= report(f"{method}, {world}, {groups} groups, covered", hits / TIMES) <= 0.97


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_of_a_paired_difference_cover(method):
    rng, hits = np.random.default_rng(3), 0
    for number in range(TIMES):
        control = ndcg(rng, 150)
        treated = control + rng.gamma(1.0, 0.05, 150)
        found = paired_interval(Sample.of(treated), Sample.of(control), draws=1000, seed=number, method=method)
        hits += found.low <= 0.05 <= found.high
    assert 0.93 <= report(f"{method}, paired, covered", hits / TIMES) <= 0.97


def planted(rng, items, labels, share):
    """Clusters that have the label of an item with this probability, else any."""
    true = rng.integers(0, labels, items)
    found = [np.where(rng.random(items) < one, true, rng.integers(0, labels, items)) for one in share]
    return [Sample.of(np.column_stack([one, true]), aggregate=v_measure) for one in found]


@pytest.mark.parametrize(("items", "labels"), [(100, 10), (300, 10), (300, 40)])
def test_intervals_of_clusters_cover_the_mean_score_of_so_many_items(items, labels):
    """The bootstrap's own percentiles cover .675, .670 and .172; a score over all texts there are is another number."""
    rng, times = np.random.default_rng(labels), 600
    both = [planted(rng, items, labels, (0.7, 0.6)) for _ in range(4000)]
    one, gap = np.mean([[a.value(), a.value() - b.value()] for a, b in both], axis=0)
    hits = np.zeros(2)
    for number in range(times):
        a, b = planted(rng, items, labels, (0.7, 0.6))
        alone, paired = interval(a, draws=400, seed=number), paired_interval(a, b, draws=400, seed=number)
        hits += [alone.low <= one <= alone.high, paired.low <= gap <= paired.high]
    for name, share in zip(("alone", "paired"), hits / times, strict=True):
        assert 0.90 <= report(f"V-measure, {items} items, {labels} labels, {name}, covered", share) <= 0.98


@pytest.mark.parametrize(("items", "r"), [(30, 0.5), (100, 0.8), (30, 0.95)])
def test_intervals_of_rank_correlations_cover(items, r):
    def drawn():
        pairs = rng.normal(size=(items, 2))
        pairs[:, 1] = r * pairs[:, 0] + (1 - r * r) ** 0.5 * pairs[:, 1]
        return Sample.of(pairs, aggregate=spearman)

    rng, times = np.random.default_rng(items), 1000
    truth = np.mean([drawn().value() for _ in range(6000)])
    found = (interval(drawn(), draws=400, seed=number) for number in range(times))
    share = sum(one.low <= truth <= one.high for one in found) / times
    assert 0.89 <= report(f"Spearman, {items} pairs, {r}, covered", share) <= 0.985


@pytest.mark.parametrize("seeds", [5, 7, 10])
@pytest.mark.parametrize(
    ("seed_sd", "item_sd", "noise"),
    [
        (0.0, 1.0, 0.0), (0.0, 1.0, 1.0), (0.0, 0.3, 1.0), (0.05, 1.0, 0.5), (0.1, 1.0, 0.5), (0.2, 1.0, 0.5),
        (0.1, 0.3, 1.0), (0.5, 1.0, 0.5), (2.0, 1.0, 0.5),
    ],
)  # fmt: skip
def test_effects_over_seeds_cover(seeds, seed_sd, item_sd, noise):
    """From no variance of seeds to hardly anything else, with 100 items."""
    state = [seeds, int(100 * seed_sd), int(10 * item_sd), int(10 * noise), 77]
    rng, hits, zero = np.random.default_rng(state), 0, [Sample.of(np.zeros(100))]
    for number in range(TIMES):
        shared = rng.normal(0, item_sd, 100)
        arms = [Sample.of(shared + rng.normal(0, seed_sd) + rng.normal(0, noise, 100)) for _ in range(seeds)]
        found = paired_effect(arms, zero, draws=300, seed=number)
        hits += found.interval.low <= 0 <= found.interval.high
    name = f"{seeds} seeds, sd of seeds {seed_sd}, items {item_sd}, noise {noise}, covered"
    assert 0.93 <= report(name, hits / TIMES) <= 0.97


def test_power_is_four_in_five_at_the_smallest_visible_difference():
    rng, seen = np.random.default_rng(5), 0
    for number in range(TIMES):
        places = np.repeat(np.arange(60), 3)
        gaps = rng.normal(0, 1, 60)[places] + rng.normal(0, 1, 180)
        # the error that is true here: groups of three with variance 1 + 1/3 each
        delta = smallest_visible((4 / 3 / 60) ** 0.5, 60)
        seen += sign_flip_test(gaps + delta, groups=places, draws=499, seed=number).p <= 0.05
    assert report("power at the smallest visible difference", seen / TIMES) == pytest.approx(0.8, abs=0.03)
    assert standard_error(gaps, places) == pytest.approx((4 / 3 / 60) ** 0.5, rel=0.3)


def test_equivalence_at_the_margin_is_claimed_at_the_level():
    rng, same = np.random.default_rng(6), 0
    for number in range(TIMES):
        control = rng.random(150)
        treated = Sample.of(control + rng.normal(0.02, 0.05, 150))  # exactly on the margin
        same += equivalence(treated, Sample.of(control), margin=0.02, draws=1000, seed=number, level=0.9).same
    assert report("equivalence claimed on the margin, at 5 %", same / TIMES) <= 0.065
