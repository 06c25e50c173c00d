"""Positions of longer windows: by hand, against loops over the definitions, and what must hold at any size."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.engines.rotary import Rotary, Turning
from isogloss.encoders.positions import (
    TABLE_METHODS,
    SelfExtend,
    ntk_theta,
    rows_at,
    self_extend_for,
    stretched,
    trained_places,
)
from isogloss.errors import UnsupportedModelError, UsageError

SIZES = st.tuples(st.integers(1, 300), st.integers(1, 300))


def rotary(*turnings, windows=None, head_size=8):
    return Rotary(
        key_heads=1, head_size=head_size, turnings=turnings, windows=windows or (0,) * len(turnings), causal=True,
        joined=False, centred=False, head_norms=False, biases=frozenset(),
    )  # fmt: skip


def test_places_by_hand() -> None:
    # a window of 8 over 3 positions: r = 8 / 3, p / r = 3 p / 8
    assert trained_places("grouped", 8, 3).tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert trained_places("recurrent", 8, 3).tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert trained_places("interpolated", 8, 3).tolist() == [0, 0.375, 0.75, 1.125, 1.5, 1.875, 2, 2]


@given(SIZES)
def test_places_follow_the_definitions(sizes) -> None:
    window, trained = sizes
    ratio = Fraction(window, trained)
    assert trained_places("grouped", window, trained).tolist() == [math.floor(p / ratio) for p in range(window)]
    assert trained_places("recurrent", window, trained).tolist() == [p % trained for p in range(window)]
    expected = [min(float(p / ratio), trained - 1) for p in range(window)]
    np.testing.assert_allclose(trained_places("interpolated", window, trained), expected, rtol=1e-12)


@given(SIZES, st.sampled_from(TABLE_METHODS))
def test_every_place_lies_in_the_table_and_a_window_of_its_size_changes_nothing(sizes, method) -> None:
    window, trained = sizes
    places = trained_places(method, window, trained)
    table = np.random.default_rng(0).standard_normal((trained, 3)).astype(np.float32)
    rows = rows_at(table, places)
    assert rows.shape == (window, 3)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows_at(table, trained_places(method, trained, trained)), table)
    if method != "recurrent":
        assert (np.diff(places) >= 0).all()


@given(st.lists(st.floats(0, 9), min_size=1, max_size=9))
def test_rows_between_are_numpy_s_interpolation(places) -> None:
    table = np.random.default_rng(1).standard_normal((10, 2)).astype(np.float32)
    expected = np.stack([np.interp(places, np.arange(10), table[:, j]) for j in range(2)], 1)
    np.testing.assert_allclose(rows_at(table, np.array(places)), expected, atol=1e-6)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="2 of 3"):
        rows_at(np.zeros((4, 1), np.float32), np.array([-0.5, 3.0, 3.01]))
    with pytest.raises(UsageError, match="grouped, recurrent, interpolated"):
        trained_places("ntk", 4, 2)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="from one"):
        trained_places("grouped", 4, 0)
    for near in (0, 8):
        with pytest.raises(UsageError, match="1 to 7"):
            self_extend_for(16, 8, near)
    assert self_extend_for(10_000, 8, 7) == SelfExtend(7, 10_000)


@given(st.floats(1.5, 16), st.sampled_from([4, 8, 64, 128]))
def test_a_longer_base_keeps_the_fastest_pair_and_slows_the_slowest_by_the_ratio(ratio, size) -> None:
    plain = Turning(10_000.0).frequencies(size)
    slower = Turning(ntk_theta(10_000.0, ratio, size)).frequencies(size)
    assert slower[0] == plain[0] == 1
    assert plain[-1] / slower[-1] == pytest.approx(ratio, rel=1e-4)
    assert (slower[1:] < plain[1:]).all()


def test_only_layers_that_see_everything_are_stretched() -> None:
    before = rotary(Turning(100.0), Turning(10.0), windows=(0, 4))
    ntk, linear = stretched(before, "ntk", 3.0), stretched(before, "linear", 3.0)
    assert ntk.turnings == (Turning(100.0 * 3 ** (8 / 6)), Turning(10.0))
    assert linear.turnings == (Turning(100.0, "linear", 3.0), Turning(10.0))
    again = stretched(linear, "linear", 2.0)
    assert again.turnings[0] == Turning(100.0, "linear", 6.0)
    llama3 = Turning(500.0, "llama3", 8.0)
    assert stretched(rotary(llama3), "ntk", 2.0).turnings[0].kind == "llama3"
    with pytest.raises(UnsupportedModelError, match="llama3"):
        stretched(rotary(llama3), "linear", 2.0)
    with pytest.raises(UnsupportedModelError, match="share their base"):
        stretched(rotary(Turning(10.0), Turning(10.0), windows=(0, 4)), "linear", 2.0)


def test_distances_in_groups_by_hand() -> None:
    # near 4, groups of 3: shift 4 - 4 // 3 = 3; query 10 is in group 3
    how = SelfExtend(near=4, group=3)
    keys = np.arange(16)
    expected = [3 + 3, 3 + 3, 3 + 3, 2 + 3, 2 + 3, 2 + 3, 1 + 3, 3, 2, 1, 0, -1, -2, -3, -1 - 3, -2 - 3]
    assert how.distance(np.array(10), keys).tolist() == expected


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 200))
def test_distances_are_exact_near_by_ordered_and_never_longer_than_said(near, group, window) -> None:
    how = SelfExtend(near, group)
    places = np.arange(window)
    found = how.distance(places[:, None], places[None])
    plain = places[:, None] - places[None]
    close = np.abs(plain) < near
    np.testing.assert_array_equal(found[close], plain[close])
    np.testing.assert_array_equal(found, -found.T)
    assert (np.diff(found, axis=1) <= 0).all()  # a key farther ahead never counts as nearer behind
    assert found.max() <= how.farthest(window)
    # moved by whole groups everything stays: distances are relative
    np.testing.assert_array_equal(how.distance(places[:, None] + 5 * group, places[None] + 5 * group), found)


@given(st.integers(4, 200), st.integers(1, 12))
def test_the_groups_that_are_chosen_are_the_smallest_that_fit(trained, ratio) -> None:
    how = self_extend_for(trained * ratio, trained)
    places = np.arange(trained * ratio)
    assert how.distance(places[-1:], places).max() < trained
    if how.group > 1:
        assert SelfExtend(how.near, how.group - 1).farthest(trained * ratio) >= trained
