"""Mined pairs: F1 and precision by hand, against scikit-learn over the whole table, and against sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score

from isogloss.errors import UsageError
from isogloss.evaluation.pairs_found import pairs_found
from isogloss.seeding import generator


def test_by_hand():
    # four taken, two right, three there: F1 = 4 / 7; the same sentence taken twice counts twice as taken
    source, target, gold = np.array([0, 0, 1, 3]), np.array([4, 5, 6, 6]), np.array([4, -1, 8, 6])
    assert pairs_found(source, target, gold).value() == pytest.approx(4 / 7)
    assert pairs_found(source, target, gold, precision=True).value() == pytest.approx(0.5)
    assert pairs_found(source[:0], target[:0], gold).value() == 0
    assert pairs_found(source[:0], target[:0], gold, precision=True).value() == 0


@given(seed=st.integers(0, 5000))
def test_as_scikit_learn_over_the_table(seed):
    draw = generator(seed, "pairs found")
    sources, targets = 7, 5
    gold = draw.permutation(np.r_[np.arange(3), np.full(4, -1)])
    table = draw.random((sources, targets)) < 0.3
    truth = np.zeros((sources, targets), bool)
    truth[gold >= 0, gold[gold >= 0]] = True
    source, target = np.nonzero(table)
    for precision, score in ((False, f1_score), (True, precision_score)):
        wanted = score(truth.ravel(), table.ravel(), zero_division=0)
        assert pairs_found(source, target, gold, precision=precision).value() == pytest.approx(wanted)


def test_weights_are_of_sentences():
    sample = pairs_found(np.array([0, 1]), np.array([0, 9]), np.array([0, 1]))
    assert sample.at(np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])).tolist() == [0.5, 1.0, 0.0]


def test_rows_must_be_rows():
    for source, target in (([3], [0]), ([-1], [0]), ([0, 1], [0])):
        with pytest.raises(UsageError, match="none of these sentences"):
            pairs_found(np.array(source), np.array(target), np.array([0, 1]))
