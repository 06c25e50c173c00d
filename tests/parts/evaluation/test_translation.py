"""Two spaces without pairs: what each side sees, and how matches are counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.evaluation.translation import Axes, Matching, rotation, unpaired_sides


def spaces(n=60, seed=0):
    drawn = np.random.default_rng(seed)
    first = drawn.normal(size=(n, 6)) * np.array([3, 2.5, 2, 1.5, 1, 0.5]) + 1
    turn = np.linalg.qr(drawn.normal(size=(6, 6)))[0]
    return [first, first @ turn - 4]


def dealt(n=60, **options):
    return unpaired_sides(spaces(n), asked=10, axes=4, rng=np.random.default_rng(1), **options)


def test_no_text_is_on_both_sides():
    first, second = spaces()
    tagged = [np.c_[first, np.arange(60) * 1e-9], np.c_[second, np.arange(60) * 1e-9]]
    sides = unpaired_sides(tagged, asked=10, axes=7, rng=np.random.default_rng(1))
    assert len(sides.first) == len(sides.second) == len(sides.partners) == 25
    assert len(sides.asked) == 10
    same = np.linalg.norm(sides.partners[:, None] - sides.second[None], axis=2)
    assert same.min() > 1e-3


def test_points_have_one_length_and_come_back():
    sides = dealt()
    np.testing.assert_allclose(np.linalg.norm(sides.first, axis=1), 2)
    axes = Axes(np.array([1.0, 1.0]), np.array([[0.0, 1.0]]))
    assert axes.onto(np.array([[9.0, 4.0]])).tolist() == [[1.0]]
    assert axes.back(np.array([[2.0]])).tolist() == [[0.0, 2.0]]


def test_pairs_find_everything_and_chance_nothing():
    sides = dealt(600)
    judge = Matching(spaces(600)[1][-10:])
    turned = sides.asked @ rotation(sides.first, sides.partners)
    assert judge.first(sides.axes.back(turned)).value() == 1.0
    noise = np.random.default_rng(0).normal(size=turned.shape)
    assert judge.reciprocal(sides.axes.back(noise)).value() < 0.7


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_rotation_is_found(seed):
    drawn = np.random.default_rng(seed)
    points, turn = drawn.normal(size=(20, 3)), np.linalg.qr(drawn.normal(size=(3, 3)))[0]
    np.testing.assert_allclose(rotation(points, points @ turn), turn, atol=1e-8)


def test_ranks_by_hand():
    truth = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    judge = Matching(truth)
    assert judge.ranks(np.array([[2.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, -3.0]])).tolist() == [1, 4, 2, 1]
    assert judge.reciprocal(truth).value() == 1.0
    assert judge.first(np.zeros((4, 2))).value() == 0.0  # ties count against


def test_clear_errors():
    with pytest.raises(UsageError, match="two sides of 30"):
        dealt(side=30)
    with pytest.raises(UsageError, match="4 axes"):
        dealt(14)
