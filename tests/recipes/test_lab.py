"""The Lab on arms whose effects are known: verdicts, seeds, caching, placebos, guards, roles."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.errors import UsageError
from isogloss.evaluation.sample import Sample
from isogloss.recipes._bench import Bench
from isogloss.recipes._run import Run

# margin of the card: .02


def better(lab, arms, treated, placebo=0.001, **others):
    made = {name: arms.arm(name, effect) for name, effect in others.items()}
    return lab.better(
        arms.arm("treated", treated), arms.arm("control"), arms.arm("placebo", placebo), judge=arms.judge, **made
    )


@pytest.mark.parametrize(
    ("treated", "placebo", "positive", "verdict"),
    [
        (0.04, 0.001, 0.05, "holds"),
        (0.04, 0.039, 0.05, "other cause"),
        (0.001, 0.002, 0.05, "refuted here"),
        (-0.04, 0.002, 0.05, "refuted here"),
        (0.001, 0.002, 0.0, "inconclusive"),  # the positive control shows nothing: neither does the check
    ],
)
def test_better_says_what_was_planted(make_lab, arms, treated, placebo, positive, verdict):
    lab = make_lab()
    evidence = lab.evidence(better(lab, arms, treated, placebo, positive=positive))
    assert evidence.verdict == verdict, evidence.reason


def test_a_planted_loss_is_the_positive_control_where_none_is_given(make_lab, arms):
    lab = make_lab()
    evidence = lab.evidence(better(lab, arms, 0.001))
    assert evidence.verdict == "refuted here"
    planted = evidence.primary.effects["planted - control"]
    assert planted.value == pytest.approx(-0.02, abs=0.01)


def test_nothing_is_refuted_without_a_positive_control(make_lab, arms):
    lab = make_lab()
    made = [arms.arm("treated", 0.001), arms.arm("control"), arms.arm("placebo", 0.002)]
    opaque = [lambda run, arm=arm: frozenset(enumerate(arm(run))) for arm in made]
    evidence = lab.evidence(lab.better(*opaque, judge=lambda made: Sample.of([one for _, one in sorted(made)])))
    assert evidence.verdict == "inconclusive"
    assert "no positive control was seen" in evidence.reason
    assert "frozenset" in evidence.primary.facts["positive control"]


def test_effects_are_those_of_the_numbers(make_lab, arms):
    lab = make_lab()
    evidence = lab.evidence(better(lab, arms, 0.04))
    scores = evidence.primary.scores
    by_hand = np.mean(np.array(scores["treated"]) - np.array(scores["control"]))
    effect = evidence.primary.effects["treated - control"]
    assert effect.value == pytest.approx(by_hand, abs=1e-12)
    assert effect.low < 0.04 < effect.high
    assert evidence.seeds == [0, 1, 2, 3, 4]


def test_inconclusive_checks_run_once_up_to_ten_seeds(make_lab, arms):
    lab = make_lab()
    treated = arms.arm("treated", 0.02, noise=0.4)
    finding = lab.better(treated, arms.arm("control", noise=0.4), arms.arm("placebo", noise=0.4), judge=arms.judge)
    evidence = lab.evidence(finding)
    assert evidence.verdict == "inconclusive"
    assert len(evidence.seeds) == 10
    assert "seeds" in evidence.reason
    assert arms.ran["treated"] == 10


def test_arms_run_once_a_seed_whoever_asks(make_lab, arms):
    lab = make_lab(seeds=3, most=3)
    treated, control = arms.arm("treated", 0.04), arms.arm("control")
    first = lab.better(treated, control, arms.arm("placebo", 0.001), judge=arms.judge)
    another = lambda scores: arms.judge(scores)  # noqa: E731
    lab.evidence(first, [lab.reported(treated, judge=another, name="again")])
    assert arms.ran == {"treated": 3, "control": 3, "placebo": 3}


def test_arms_that_ignore_seed_and_fold_run_once(make_lab, arms):
    lab, ran = make_lab(), []

    def fixed(run):
        ran.append(run.size)
        return arms.base + 0.04

    lab.evidence(lab.better(fixed, arms.arm("control"), arms.arm("placebo", 0.001), judge=arms.judge))
    assert len(ran) == 1


def test_readings_come_back_from_disk(make_lab, arms, tmp_path):
    first = make_lab(bench=Bench(tmp_path))
    before = first.evidence(better(first, arms, 0.04))
    again = make_lab(bench=Bench(tmp_path))
    after = again.evidence(better(again, arms, 0.04))
    assert arms.ran == {"treated": 5, "control": 5, "placebo": 5}
    assert after.primary.effects == before.primary.effects


def test_broken_files_of_readings_are_measured_anew(make_lab, arms, tmp_path):
    first = make_lab(bench=Bench(tmp_path))
    before = first.evidence(better(first, arms, 0.04))
    for path in tmp_path.glob("*.npz"):
        path.write_bytes(path.read_bytes()[:40])
    again = make_lab(bench=Bench(tmp_path))
    assert again.evidence(better(again, arms, 0.04)).primary.effects == before.primary.effects


def test_a_first_seed_gives_other_runs(make_lab, arms):
    lab = make_lab(first_seed=1000)
    assert lab.evidence(better(lab, arms, 0.04)).seeds == [1000, 1001, 1002, 1003, 1004]
    assert lab.runs(2) == [Run(1000, 0), Run(1001, 1)]


def test_a_smoke_run_judges_nothing(make_lab, arms):
    lab = make_lab(smoke=True)
    evidence = lab.evidence(better(lab, arms, 0.04))
    assert (evidence.verdict, evidence.seeds) == ("inconclusive", [0])
    assert arms.ran["treated"] == 1


# -- placebos and guards ----------------------------------------------------------------------------------------------


def test_a_placebo_that_is_the_control_is_not_live(make_lab, arms):
    lab = make_lab()
    control = arms.arm("control")
    evidence = lab.evidence(lab.better(arms.arm("treated", 0.04), control, control, judge=arms.judge))
    assert evidence.verdict == "inconclusive"
    assert "not live" in evidence.reason


def test_a_broken_placebo_is_not_live(make_lab, arms):
    lab = make_lab()
    evidence = lab.evidence(better(lab, arms, 0.04, placebo=-0.4))
    assert evidence.verdict == "inconclusive"
    assert "broken" in evidence.reason


@pytest.mark.parametrize(
    ("guard", "verdict"), [(0.04, "holds"), (0.001, "inconclusive")]
)  # fmt: skip
def test_guards_lower_a_verdict(make_lab, arms, guard, verdict):
    lab = make_lab()
    other = lab.better(
        arms.arm("guard", guard), arms.arm("other control"), arms.arm("other placebo", 0.002), judge=arms.judge,
        positive=arms.arm("positive", 0.05), name="the guard",
    )  # fmt: skip
    evidence = lab.evidence(better(lab, arms, 0.04), [other])
    assert evidence.verdict == verdict
    assert evidence.primary.verdict == "holds"
    assert verdict == "holds" or "the guard" in evidence.reason


def test_guards_never_raise_a_verdict(make_lab, arms):
    lab = make_lab()
    good = better(lab, arms, 0.04)
    bad = lab.better(
        arms.arm("bad", -0.04), arms.arm("its control"), arms.arm("its placebo", 0.002), judge=arms.judge,
        positive=arms.arm("positive", 0.05),
    )  # fmt: skip
    assert lab.evidence(bad, [good]).verdict == "refuted here"


# -- the other kinds --------------------------------------------------------------------------------------------------


def noisy_words(loss=0.0):
    """An arm that makes vectors whose cosine with the first text ranks 100 texts; ``loss`` is a share of noise."""
    from isogloss.recipes._swaps import noisy

    draw = np.random.default_rng(5)
    vectors = draw.normal(size=(101, 8))

    def arm(run):
        return noisy(vectors + np.random.default_rng(run.seed).normal(0, 0.001, vectors.shape), loss, run.seed)

    return arm, vectors


def agreement(vectors):
    """A judge of vectors: how like each row is to what it should be."""

    def judge(found):
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(vectors, axis=1)
        return Sample.of((found * vectors).sum(1) / np.maximum(lengths, 1e-12), name="agreement")

    return judge


@pytest.mark.parametrize(
    ("loss", "verdict"), [(0.0, "holds"), (0.3, "refuted here")]
)  # fmt: skip
def test_no_loss_needs_a_planted_one_to_be_seen(make_lab, loss, verdict):
    lab = make_lab()
    control, vectors = noisy_words()
    treated, _ = noisy_words(loss)
    evidence = lab.evidence(lab.not_worse(treated, control, judge=agreement(vectors), margin=0.05))
    assert evidence.verdict == verdict
    if verdict == "holds":
        assert evidence.primary.effects["planted - control"].value == pytest.approx(-0.05, abs=0.02)


def test_no_loss_is_not_claimed_where_a_loss_could_not_be_seen(make_lab, arms):
    lab = make_lab()
    blind = lab.not_worse(arms.arm("treated"), arms.arm("control"), judge=arms.judge, planted=arms.arm("planted", 0.0))
    evidence = lab.evidence(blind)
    assert evidence.verdict == "inconclusive"
    assert "planted loss was not seen" in evidence.reason


def test_same_looks_both_ways(make_lab, arms):
    lab, seen = make_lab(), arms.arm("planted", -0.02)
    up = lab.same(arms.arm("treated", 0.05), arms.arm("control"), judge=arms.judge, planted=seen)
    assert lab.evidence(up).verdict == "refuted here"
    only_down = make_lab()
    fine = only_down.not_worse(arms.arm("treated", 0.05), arms.arm("control"), judge=arms.judge, planted=seen)
    assert only_down.evidence(fine).verdict == "holds"


@pytest.mark.parametrize(
    ("direction", "by_size", "verdict"),
    [
        ("rising", lambda size: 0.02 * size, "holds"),
        ("falling", lambda size: -0.02 * size, "holds"),
        ("rising", lambda size: -0.02 * size, "refuted here"),
        ("rising", lambda size: 0.0, "refuted here"),
        ("rising", lambda size: {1: 0.0, 2: 0.08, 3: 0.04, 4: 0.1}[size], "refuted here"),
        ("peak", lambda size: 0.05 * (size in (2, 3)), "holds"),
        ("peak", lambda size: 0.02 * size, "refuted here"),
    ],
)
def test_trends(make_lab, arms, direction, by_size, verdict):
    lab = make_lab()
    ladder = arms.arm("treated", by_size=by_size)
    evidence = lab.evidence(lab.trend(ladder, (4, 2, 3, 1), judge=arms.judge, direction=direction))
    assert evidence.verdict == verdict, evidence.reason


def test_a_trend_that_its_placebo_shows_too_has_another_cause(make_lab, arms):
    lab = make_lab()
    rising, same = (arms.arm(name, by_size=lambda size: 0.02 * size) for name in ("treated", "placebo"))
    evidence = lab.evidence(
        lab.trend(rising, (1, 2, 3), judge=arms.judge, direction="rising", placebo=same, margin=0.02)
    )
    assert evidence.verdict == "other cause"


@pytest.mark.parametrize(("there", "verdict"), [(0.0, "holds"), (0.06, "refuted here")])
def test_interaction(make_lab, arms, there, verdict):
    lab = make_lab()

    def pair(here, away, name):
        one, two = arms.arm(f"{name} here", here), arms.arm(f"{name} there", away)
        return lambda run: (one(run), two(run))

    evidence = lab.evidence(
        lab.interaction(
            pair(0.06, there, "treated"),
            pair(0.0, 0.0, "control"),
            here=lambda made: arms.judge(made[0]),
            there=lambda made: arms.judge(made[1]),
        )
    )
    assert evidence.verdict == verdict


@pytest.mark.parametrize(
    ("found", "missed", "verdict"), [(0.4, 0.0, "holds"), (0.1, 0.0, "refuted here"), (0.4, 0.4, "refuted here")]
)
def test_recovers(make_lab, arms, found, missed, verdict):
    lab = make_lab()
    finding = lab.recovers(arms.arm("treated", found), arms.arm("control", missed), truth=arms.judge, at_least=0.8)
    assert lab.evidence(finding).verdict == verdict


@pytest.mark.parametrize(("cost", "verdict"), [(1.0, "holds"), (3.0, "refuted here")])
def test_cheaper_by_a_measure(make_lab, arms, cost, verdict):
    lab = make_lab()

    def priced(name, price):
        scores = arms.arm(name)
        return lambda run: {"scores": scores(run), "price": np.array([price])}

    finding = lab.cheaper(
        priced("treated", cost), priced("control", 4.0), judge=lambda made: arms.judge(made["scores"]),
        cost=lambda made: float(made["price"][0]), factor=2.0,
        planted=lambda run: {"scores": arms.base - 0.05, "price": np.ones(1)},
    )  # fmt: skip
    assert lab.evidence(finding).verdict == verdict


def test_cheaper_by_the_ledger(make_lab, arms):
    from isogloss.arrays import charge

    lab = make_lab()

    def judge(made):
        charge(multiply_adds=made[0])
        return arms.judge(made[1])

    finding = lab.cheaper(
        lambda run: (10, arms.base), lambda run: (100, arms.base), judge=judge, cost="multiply_adds", factor=5.0,
        planted=lambda run: (100, arms.base - 0.05),
    )  # fmt: skip
    evidence = lab.evidence(finding)
    assert evidence.verdict == "holds"
    assert evidence.primary.facts["cost of treated"] == [10.0] * 5
    other = make_lab()
    unknown = other.cheaper(
        lambda run: (1, arms.base), lambda run: (2, arms.base), judge=judge, cost="time", factor=2.0
    )
    with pytest.raises(UsageError, match="ledger"):
        other.evidence(unknown)


def test_exact_needs_what_can_break_it(make_lab):
    lab = make_lab()

    def error(made):
        return float(np.abs(made).max())

    def zero(run):
        return np.zeros(3)

    assert lab.evidence(lab.exact(zero, invariant=error, within=1e-6)).verdict == "holds"
    lab = make_lab()
    assert lab.evidence(lab.exact(lambda run: np.ones(3), invariant=error, within=1e-6)).verdict == "refuted here"
    lab = make_lab()
    evidence = lab.evidence(lab.exact(zero, invariant=error, within=1e-6, broken=lambda run: np.zeros(4)))
    assert evidence.verdict == "inconclusive"
