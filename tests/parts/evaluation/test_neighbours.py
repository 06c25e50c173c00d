"""Judges of scores: by hand, against loops, and bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.evaluation.neighbours import cosines, gold_ranks, hits_at, known_item, recall_of_best


@given(st.integers(0, 500), st.integers(1, 6), st.integers(1, 8))
def test_ranks_and_gains_are_the_loops(seed, questions, items):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (questions, items)).astype(float)
    gold = rng.integers(0, items, questions)
    ranks = [sum(1 for j in range(items) if j != g and row[j] >= row[g]) for row, g in zip(scores, gold, strict=True)]
    assert gold_ranks(scores, gold).tolist() == ranks
    assert known_item(scores, gold, k=3).items.tolist() == [1 / math.log2(r + 2) if r < 3 else 0 for r in ranks]
    assert hits_at(scores, gold, k=2).items.tolist() == [float(r < 2) for r in ranks]


def test_constant_scores_know_nothing():
    assert known_item(np.zeros((5, 20)), np.arange(5)).value() == 0


@given(st.integers(0, 500))
def test_recall_of_the_best(seed):
    rng = np.random.default_rng(seed)
    scores, truth = rng.permutation(30).reshape(3, 10), rng.permutation(30).reshape(3, 10)
    expected = [len(set(np.argsort(-t)[:3]) & set(np.argsort(-s)[:5])) / 3 for s, t in zip(scores, truth, strict=True)]
    np.testing.assert_allclose(recall_of_best(scores, truth, best=3, within=5).items, expected)
    assert recall_of_best(truth, truth, best=3, within=3).value() == 1


def test_groups_are_kept():
    assert known_item(np.eye(3), np.arange(3), groups=np.array([4, 4, 9])).groups.tolist() == [4, 4, 9]


def test_bad_input():
    with pytest.raises(UsageError, match="do not match"):
        gold_ranks(np.zeros((2, 3)), np.zeros(3, int))
    with pytest.raises(UsageError, match="no number"):
        gold_ranks(np.array([[np.nan, 1]]), np.array([0]))
    with pytest.raises(UsageError, match="do not match"):
        recall_of_best(np.zeros((2, 3)), np.zeros((2, 4)))
    assert cosines(np.zeros((1, 2)), np.ones((1, 2))).tolist() == [[0.0]]
