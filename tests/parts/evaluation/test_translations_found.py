"""Translations found among all candidates, and losses as shares."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.evaluation.translations_found import loss_as_share, translations_found


class Table:
    """An encoder that looks vectors up."""

    def __init__(self, rows):
        self.rows = rows

    def encode(self, texts):
        return np.array([self.rows[text] for text in texts], np.float32)


PAIRS = [("one", "eins"), ("two", "zwei"), ("three", "drei")]


def test_a_shift_between_languages_costs_nothing_and_a_constant_finds_nothing():
    rows = {"one": [1, 0], "two": [0, 1], "three": [-1, -1]}
    moved = {other: [rows[one][0] + 50, rows[one][1] - 9] for one, other in PAIRS}
    assert translations_found(Table(rows | moved), PAIRS).value() == 1.0
    flat = {name: [1.0, 2.0] for name in (*rows, *moved)}
    assert translations_found(Table(flat), PAIRS).value() == pytest.approx(1 / math.log2(4))  # the last of three


def test_both_ways_are_one_group():
    rows = {"one": [1, 0], "two": [0, 1], "three": [-1, -1], "eins": [0, 1], "zwei": [1, 0], "drei": [-1, -1]}
    sample = translations_found(Table(rows), PAIRS)
    assert sample.groups.tolist() == [0, 1, 2, 0, 1, 2]
    np.testing.assert_allclose(sample.items, [1 / math.log2(3), 1 / math.log2(3), 1] * 2)


@given(st.lists(st.floats(0.1, 9), min_size=2, max_size=9), st.floats(0.5, 2))
def test_a_loss_times_a_factor_differs_by_its_logarithm(losses, factor):
    rows = np.column_stack([losses, np.arange(len(losses))])
    gap = loss_as_share(rows).value() - loss_as_share(rows * [factor, 1]).value()
    assert gap == pytest.approx(math.log(factor), abs=1e-9)
