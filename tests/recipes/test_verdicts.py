"""The rules of verdicts on numbers alone, at their boundaries; effects and their seeds by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.evaluation.sample import Sample
from isogloss.recipes import _verdicts as rules
from isogloss.recipes._effects import LEVEL, Measured, apart, effect, own, seeds_needed
from isogloss.recipes._evidence import p_value
from isogloss.recipes._judging import Outcome

MARGIN = 0.01


def measured(value, half, seed_error=0.0, runs=5):
    return Measured(value, value - half, value + half, half / 2, seed_error, runs, half / 2)


@pytest.mark.parametrize(
    ("d", "m", "seen", "verdict"),
    [
        ((0.02, 0.01), (0.02, 0.01), False, "holds"),
        ((0.0099, 0.001), (0.02, 0.01), True, "inconclusive"),  # surely above 0, but below the margin, not surely
        ((0.02, 0.021), (0.02, 0.01), True, "inconclusive"),  # the gain may be 0
        ((0.02, 0.01), (0.02, 0.021), True, "inconclusive"),  # the placebo may be as good
        ((0.02, 0.01), (0.0, 0.005), True, "other cause"),
        ((0.02, 0.01), (0.005, 0.001), True, "other cause"),  # more than the placebo, but less than worth having
        ((0.0, 0.005), (0.0, 0.005), True, "refuted here"),
        ((0.0, 0.005), (0.0, 0.005), False, "inconclusive"),
        ((-0.05, 0.005), (0.0, 0.005), True, "refuted here"),
        ((math.nan, math.nan), (0.02, 0.01), True, "inconclusive"),
        ((0.02, 0.01), (math.nan, math.nan), True, "inconclusive"),
    ],
)
def test_better(d, m, seen, verdict):
    assert rules.better(measured(*d), measured(*m), MARGIN, seen)[0] == verdict


@pytest.mark.parametrize(
    ("d", "seen", "both", "verdict"),
    [
        ((0.0, 0.009), True, True, "holds"),
        ((0.0, 0.009), False, True, "inconclusive"),
        ((0.0, 0.011), True, True, "inconclusive"),
        ((0.05, 0.01), True, True, "refuted here"),
        ((0.05, 0.01), True, False, "holds"),
        ((-0.05, 0.01), True, False, "refuted here"),
        ((-0.005, 0.006), True, False, "inconclusive"),
        ((math.nan, math.nan), True, True, "inconclusive"),
    ],
)
def test_no_loss(d, seen, both, verdict):
    assert rules.no_loss(measured(*d), MARGIN, seen, both_ways=both)[0] == verdict


UP, FLAT, DOWN = measured(0.05, 0.01), measured(0.001, 0.004), measured(-0.05, 0.01)


@pytest.mark.parametrize(
    ("whole", "steps", "more", "verdict"),
    [
        (UP, [UP, UP], None, "holds"),
        (UP, [UP, DOWN], None, "refuted here"),
        (FLAT, [FLAT, FLAT], None, "refuted here"),
        (UP, [UP, measured(-0.001, 0.004)], None, "inconclusive"),
        (measured(0.05, 0.06), [UP, UP], None, "inconclusive"),
        (UP, [UP, UP], UP, "holds"),
        (UP, [UP, UP], FLAT, "other cause"),
        (UP, [UP, UP], measured(0.01, 0.02), "inconclusive"),
    ],
)
def test_ladders(whole, steps, more, verdict):
    assert rules.ordered(whole, steps, more, MARGIN)[0] == verdict


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [((UP, UP), "holds"), ((UP, FLAT), "refuted here"), ((UP, measured(0.05, 0.06)), "inconclusive")],
)
def test_peaks(gains, verdict):
    assert rules.peaked(gains, None, MARGIN)[0] == verdict


@pytest.mark.parametrize(
    ("here", "more", "m", "verdict"),
    [
        (UP, UP, None, "holds"),
        (FLAT, UP, None, "refuted here"),
        (UP, FLAT, None, "refuted here"),
        (UP, measured(0.05, 0.06), None, "inconclusive"),
        (UP, UP, FLAT, "other cause"),
    ],
)
def test_interactions(here, more, m, verdict):
    assert rules.interacts(here, more, m, MARGIN)[0] == verdict


@pytest.mark.parametrize(
    ("score", "control", "d", "verdict"),
    [
        ((0.9, 0.05), (0.2, 0.05), (0.7, 0.05), "holds"),
        ((0.82, 0.05), (0.2, 0.05), (0.6, 0.05), "inconclusive"),
        ((0.7, 0.05), (0.2, 0.05), (0.5, 0.05), "refuted here"),
        ((0.95, 0.02), (0.9, 0.02), (0.05, 0.02), "refuted here"),
        ((0.9, 0.05), (0.79, 0.05), (0.1, 0.05), "inconclusive"),
    ],
)
def test_truths_that_are_found(score, control, d, verdict):
    assert rules.recovered(measured(*score), measured(*control), measured(*d), None, 0.8)[0] == verdict


@pytest.mark.parametrize(
    ("ratios", "d", "seen", "verdict"),
    [
        ([2.1, 3.0], (0.0, 0.005), True, "holds"),
        ([1.9, 3.0], (0.0, 0.005), True, "inconclusive"),
        ([1.2, 1.9], (0.0, 0.005), True, "refuted here"),
        ([2.1, 3.0], (-0.05, 0.005), True, "refuted here"),
        ([2.1, 3.0], (0.0, 0.005), False, "inconclusive"),
        ([2.1, math.nan], (0.0, 0.005), True, "inconclusive"),
    ],
)
def test_costs(ratios, d, seen, verdict):
    assert rules.cheap(measured(*d), ratios, 2.0, MARGIN, seen)[0] == verdict


def test_invariants_that_are_no_number_are_broken():
    assert rules.invariant([0.0, math.nan], None, 1.0)[0] == "refuted here"
    assert rules.invariant([math.nan, 0.0], None, 1.0)[0] == "refuted here"
    assert rules.invariant([0.0], [math.nan], 1.0)[0] == "inconclusive"
    assert rules.invariant([0.0, math.inf], None, 1.0)[0] == "refuted here"


WORDS = st.sampled_from(["holds", "other cause", "refuted here", "inconclusive"])
RANK = {"holds": 1, "other cause": 0, "inconclusive": 0, "refuted here": 0}


@given(WORDS, st.lists(WORDS, max_size=4))
def test_guards_only_lower(primary, guards):
    word, _ = rules.lowered((primary, ""), [(f"guard {i}", (guard, "")) for i, guard in enumerate(guards)])
    assert RANK[word] <= RANK[primary]
    assert word == primary or primary == "holds"
    assert (word == "holds") == (primary == "holds" and set(guards) <= {"holds"})


# -- effects ----------------------------------------------------------------------------------------------------------


def samples(values):
    return [Sample.of(one, name="x") for one in values]


def test_an_effect_by_hand_where_only_items_vary():
    """Differences 0, 1, 2, 3: mean 1.5, standard error of the mean sqrt(5/3/4) = .6455 (draws know it to 2 %)."""
    found = effect(samples([[0.0, 1, 2, 3]]), samples([[0.0, 0, 0, 0]]))
    assert found.value == 1.5
    assert found.item_error == pytest.approx(math.sqrt(5 / 12), rel=0.06)


def test_an_effect_of_single_numbers_comes_from_the_seeds():
    """1, 2, 3 against 0: mean 2, error 1/sqrt(3), t with 2 degrees at 97.5 % (two-sided) is 6.2053."""
    found = effect(samples([[1.0], [2.0], [3.0]]), samples([[0.0]] * 3))
    assert LEVEL == 0.975
    assert (found.value, found.high - found.value) == (2.0, pytest.approx(6.20535 / math.sqrt(3), rel=1e-5))
    still = effect(samples([[1.0]] * 3), samples([[0.0]] * 3))
    assert still.value == 1.0
    assert math.isnan(still.low)


def test_a_score_that_is_no_number_gives_none():
    assert math.isnan(effect(samples([[1.0, math.nan]]), samples([[0.0, 0.0]])).low)


def test_the_score_of_one_arm():
    found = own(samples([np.arange(100.0)] * 3))
    assert found.value == pytest.approx(49.5)
    assert found.item_error == pytest.approx(np.std(np.arange(100.0), ddof=1) / 10, rel=0.06)


@given(st.floats(-1, 1), st.floats(0.001, 1), st.floats(-1, 1), st.floats(0.001, 1))
def test_differences_of_effects_are_wider_than_either(a, half_a, b, half_b):
    found = apart(measured(a, half_a), measured(b, half_b))
    assert found.high - found.low >= 2 * max(half_a, half_b) - 1e-9
    assert found.low <= a - b <= found.high


def test_seeds_that_would_settle_it():
    open_one = Measured(0.012, -0.01, 0.034, 0.001, 0.008, 5, 0.001, 500)
    needed = seeds_needed(open_one, 0.012)
    assert 5 < needed < 40
    assert f"about {needed} seeds" in rules.settling(open_one, MARGIN)
    assert "more items" in rules.settling(Measured(0.012, -0.01, 0.034, 0.01, 0.0, 5, 0.01, 500), MARGIN)


def test_p_of_a_claim_is_that_of_its_weakest_effect():
    sure, weak = measured(0.05, 0.01), Measured(0.02, 0.02 - 2.2414 * 0.01, 0.02 + 2.2414 * 0.01, 0.01, 0.0, 5)
    outcome = Outcome("better", "x", "holds", "", {"treated - control": sure, "treated - placebo": weak})
    assert p_value(outcome) == pytest.approx(0.02275, abs=1e-4)  # a standard error of .01: z = 2, one-sided
    assert p_value(Outcome("exact", "x", "holds", "")) is None
