"""Comparisons: the figures of each part, put together; corrections, ranks, equivalence, power, tie groups."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from isogloss.errors import IsoglossError, UsageError
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.statistics import comparison
from isogloss.evaluation.statistics.bootstrap import interval, paired_interval
from isogloss.evaluation.statistics.comparison import compare
from isogloss.evaluation.statistics.correction import benjamini_hochberg, holm
from isogloss.evaluation.statistics.equivalence import equivalence
from isogloss.evaluation.statistics.friedman import friedman, friedman_of
from isogloss.evaluation.statistics.permutation import randomisation_test, sign_flip_test
from isogloss.evaluation.statistics.power import smallest_visible, standard_error
from isogloss.evaluation.statistics.ties import tie_groups

RNG = np.random.default_rng(3)
BASE = RNG.random(120)
SYSTEMS = {name: Sample.of(BASE + RNG.normal(shift, 0.1, 120), name="ndcg@10")
           for name, shift in (("low", 0.0), ("high", 0.2), ("middle", 0.02))}  # fmt: skip


def squares(items, weights):
    return weights @ items**2 / weights.sum(1)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_a_comparison_is_made_of_its_parts(method):
    found = compare(SYSTEMS, draws=1000, seed=5, method=method)
    assert [score.system for score in found.scores] == ["high", "middle", "low"]
    assert found.metric == "ndcg@10"
    for score in found.scores:
        assert score.interval == interval(SYSTEMS[score.system], draws=1000, seed=5, method=method)
        assert (score.items, score.groups) == (120, 120)
    pairs = [(one.system, one.control) for one in found.differences]
    assert pairs == [("high", "middle"), ("high", "low"), ("middle", "low")]
    for one in found.differences:
        treated, control = SYSTEMS[one.system], SYSTEMS[one.control]
        assert one.interval == paired_interval(treated, control, draws=1000, seed=5, method=method)
        assert one.p == randomisation_test(treated, control, draws=1000, seed=5).p
        assert one.value == treated.value() - control.value()
    assert [one.corrected for one in found.differences] == holm([one.p for one in found.differences]).tolist()
    assert found.ties == [["high"], ["middle", "low"]]
    assert found.notes == []


def test_another_aggregate_goes_the_same_way():
    samples = {name: Sample.of(one.items, aggregate=squares) for name, one in SYSTEMS.items()}
    found = compare(samples, draws=500)
    plain = compare({name: Sample.of(one.items**2) for name, one in SYSTEMS.items()}, draws=500)
    for ours, theirs in zip(found.differences, plain.differences, strict=True):
        assert ours.interval.low == pytest.approx(theirs.interval.low)
        assert ours.visible == pytest.approx(theirs.visible, rel=0.1)  # from draws against by formula
    assert found.ties == plain.ties


def test_costly_tests_take_fewer_swaps_but_enough_to_be_seen(monkeypatch):
    taken = []
    monkeypatch.setattr(
        comparison, "randomisation_test",
        lambda *a, **k: (taken.append(k["draws"]), randomisation_test(*a, **{**k, "draws": 50}))[1],
    )  # fmt: skip
    base = Sample.of(RNG.random(20), aggregate=squares)
    for systems, level, swaps in ((3, 0.95, 2000), (3, 0.999, 6000), (3, 0.9999, 10_000)):
        taken.clear()
        compare({str(i): base for i in range(systems)}, level=level)
        assert taken == [pytest.approx(swaps, abs=1)] * 3


def test_the_same_seed_gives_the_same_and_the_order_of_systems_nothing():
    assert compare(SYSTEMS, draws=300, seed=1) == compare(SYSTEMS, draws=300, seed=1)
    assert compare(SYSTEMS, draws=300, seed=1) != compare(SYSTEMS, draws=300, seed=2)
    assert compare(dict(reversed(SYSTEMS.items())), draws=300, seed=1) == compare(SYSTEMS, draws=300, seed=1)


def test_ten_systems_take_seconds():
    base = RNG.random(2000)
    samples = {f"s{i}": Sample.of(base + RNG.normal(0.01 * i, 0.1, 2000)) for i in range(10)}
    start = time.process_time()
    found = compare(samples)
    assert len(found.differences) == 45
    assert time.process_time() - start < 10  # .4 s where nothing else runs


@pytest.mark.parametrize(
    ("items", "groups", "note"),
    [
        ([[0.5], [0.7]], None, "one item only"),
        ([[0.5, 0.6], [0.7, 0.1]], [3, 3], "all 2 items are of one group"),
        ([[0.5, 0.6, 0.1, 0.2, 0.3], [0.7, 0.1, 0.1, 0.1, 0.2]], None, "only 5 groups"),
        ([[0.5] * 12, [*[0.5] * 11, 0.6]], None, "all 12 items are equal for 1 of 2 systems: a"),
        ([[0.1, 0.2] * 6, [0.1, 0.2] * 6], None, "1 pairs of systems have equal scores on every item: a = b"),
    ],
)  # fmt: skip
def test_what_is_degenerate_is_noted(items, groups, note):
    found = compare({name: Sample.of(row, groups=groups) for name, row in zip("ab", items, strict=True)}, draws=100)
    assert any(one.startswith(note) for one in found.notes)
    if found.scores[0].groups == 1:
        assert np.isnan(found.differences[0].interval.low)
        assert np.isnan(found.differences[0].visible)
        assert (found.differences[0].p, found.ties) == (1.0, [[score.system for score in found.scores]])


def test_what_cannot_be_compared_is_an_error():
    with pytest.raises(IsoglossError, match=r"high were not measured(.|\n)*120 items against 119"):
        compare({"low": SYSTEMS["low"], "high": Sample.of(BASE[:119], name="ndcg@10")})
    groups = np.arange(120)
    groups[7] = 500
    with pytest.raises(IsoglossError, match="1 of 120 items lie in other groups; item 7"):
        compare({"low": SYSTEMS["low"], "high": Sample.of(BASE, groups=groups, name="ndcg@10")})
    with pytest.raises(IsoglossError, match="one measures ndcg@10, the other mrr"):
        compare({"low": SYSTEMS["low"], "high": Sample.of(BASE, name="mrr")})
    with pytest.raises(IsoglossError, match=r"sample high holds(.|\n)*1 of 2 items NaN"):
        compare({"low": Sample.of([1.0, 2.0]), "high": Sample.of([1.0, np.nan])})
    with pytest.raises(UsageError, match="nothing to compare"):
        compare({})


def test_corrections_by_hand_and_by_scipy():
    p = [0.005, 0.011, 0.02, 0.04, 0.13]
    assert holm(p) == pytest.approx([0.025, 0.044, 0.06, 0.08, 0.13])
    for values in (p, RNG.random(30), [0.03, 0.03], [1.0], []):
        assert benjamini_hochberg(values) == pytest.approx(stats.false_discovery_control(values) if len(values) else [])
    for bad in ([0.1, np.nan], [-0.1], [2.0]):
        with pytest.raises(UsageError, match="between 0 and 1"):
            holm(bad)


@given(st.lists(st.floats(0, 1), max_size=20))
def test_corrected_p_are_larger_and_keep_their_order(values):
    p = np.array(values)
    for corrected in (holm(p), benjamini_hochberg(p)):
        assert (corrected >= p * (1 - 1e-12)).all()
        assert (corrected <= 1).all()
        assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= 0).all()
    assert (benjamini_hochberg(p) <= holm(p) + 1e-12).all()


@pytest.mark.parametrize("ties", [False, True])
def test_friedman_equals_scipy(ties):
    scores = RNG.random((25, 5)) + np.arange(5) * 0.1
    scores = scores.round(1) if ties else scores
    ours, theirs = friedman(scores), stats.friedmanchisquare(*scores.T)
    assert (ours.chi2, ours.chi2_p) == pytest.approx(tuple(theirs), abs=1e-10)
    f = 24 * ours.chi2 / (25 * 4 - ours.chi2)
    assert ours.p == pytest.approx(stats.f.sf(f, 4, 96))
    assert ours.ranks.sum() == pytest.approx(15)
    assert ours.ranks.argmin() == scores.mean(0).argmax()


def test_friedman_at_its_ends():
    agreed = friedman(np.tile([1.0, 2.0, 3.0], (4, 1)))
    assert (agreed.f, agreed.p) == (np.inf, pytest.approx(6.0**-3))
    tied = friedman(np.ones((4, 3)))
    assert (tied.chi2, tied.p, tied.ranks.tolist()) == (0.0, 1.0, [2.0] * 3)
    with pytest.raises(UsageError, match="at least two rows"):
        friedman(np.ones((1, 3)))
    grouped = {name: Sample.of(np.repeat(one.items, 2), groups=np.repeat(np.arange(120), 2))
               for name, one in SYSTEMS.items()}  # fmt: skip
    assert friedman_of(grouped).p == pytest.approx(friedman_of(SYSTEMS).p)


def test_equivalence_needs_the_whole_interval():
    base = Sample.of(BASE)
    near, worse = Sample.of(BASE + RNG.normal(0, 0.01, 120)), Sample.of(BASE - 0.03)
    assert equivalence(near, base, margin=0.01).same
    found = equivalence(near, base, margin=1e-4)
    assert not found.same
    assert found.p_same > 0.05
    lower = equivalence(worse, base, margin=0.02)
    assert (lower.not_worse, lower.same) == (False, False)
    assert lower.p_not_worse == 1.0
    better = equivalence(base, worse, margin=0.02)
    assert (better.not_worse, better.same, better.p_not_worse) == (True, False, 1 / 10_001)
    noisy = equivalence(SYSTEMS["low"], base, margin=1e-3)  # not told apart, yet not shown to be the same
    assert not noisy.same
    one = equivalence(Sample.of([1.0, 2.0], groups=[0, 0]), Sample.of([1.0, 2.0], groups=[0, 0]), margin=1.0)
    assert (one.same, one.not_worse, one.p_same) == (False, False, 1.0)
    with pytest.raises(UsageError, match="above 0"):
        equivalence(near, base, margin=0)


def test_two_one_sided_t_tests_agree_with_the_interval():
    """Schuirmann's tests at 5 % are the 90 % interval; p near those of Student's tests."""
    gaps = RNG.normal(0.002, 0.03, 120)
    found = equivalence(Sample.of(BASE + gaps), Sample.of(BASE), margin=0.007, level=0.9)
    lower = stats.ttest_1samp(gaps, -0.007, alternative="greater").pvalue
    upper = stats.ttest_1samp(gaps, 0.007, alternative="less").pvalue
    assert found.p_same == pytest.approx(max(lower, upper), abs=0.02)
    assert found.same == (found.interval.low > -0.007 and found.interval.high < 0.007)


def test_the_standard_error_by_hand_and_by_scipy():
    assert standard_error(BASE) == pytest.approx(stats.sem(BASE))
    # groups (1, 2) and (6): deviations from 3 are -3 and 3, G/(G-1) = 2
    assert standard_error([1.0, 2.0, 6.0], [0, 0, 1]) == pytest.approx(np.sqrt(2 * 18) / 3)


@pytest.mark.parametrize("groups", [12, 60])
def test_the_smallest_visible_difference_is_seen_four_times_in_five(groups):
    rng, seen = np.random.default_rng(7), 0
    delta = smallest_visible(1 / groups**0.5, groups)  # items of standard deviation 1
    for number in range(400):
        seen += sign_flip_test(rng.normal(delta, 1, groups), draws=400, seed=number).p <= 0.05
    assert seen / 400 == pytest.approx(0.8, abs=0.06)  # three standard errors


def test_tie_groups_by_hand():
    apart = np.zeros((5, 5), bool)
    for a, b in ((0, 2), (0, 3), (0, 4), (1, 4), (2, 4), (3, 4)):
        apart[a, b] = True
    assert tie_groups("abcde", apart) == [["a", "b"], ["b", "c", "d"], ["e"]]
    assert tie_groups("abcde", np.zeros((5, 5), bool)) == [list("abcde")]
    assert tie_groups("ab", ~np.eye(2, dtype=bool)) == [["a"], ["b"]]
    with pytest.raises(UsageError, match="one decision a pair"):
        tie_groups("abc", apart)


@given(st.integers(1, 7), st.integers(0, 2**32))
def test_tie_groups_are_the_maximal_runs(count, seed):
    apart = np.triu(np.random.default_rng(seed).random((count, count)) < 0.3, 1)
    found = {tuple(group) for group in tie_groups([str(i) for i in range(count)], apart)}
    runs = {
        (a, b) for a in range(count) for b in range(a + 1, count + 1)
        if not any(apart[i, j] for i, j in itertools.combinations(range(a, b), 2))
    }  # fmt: skip
    maximal = {run for run in runs if not any(o != run and o[0] <= run[0] and run[1] <= o[1] for o in runs)}
    assert found == {tuple(str(i) for i in range(a, b)) for a, b in maximal}
