"""Documents by their best passage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.evaluation.passages import best_of_groups, scaled


@given(st.integers(0, 300), st.integers(1, 9), st.integers(1, 4))
def test_it_is_the_loop(seed, passages, documents):
    rng = np.random.default_rng(seed)
    scores, owner = rng.standard_normal((3, passages)), rng.integers(0, documents, passages)
    expected = [
        [max((row[i] for i in range(passages) if owner[i] == d), default=-np.inf) for d in range(documents)]
        for row in scores
    ]
    assert best_of_groups(scores, owner, documents).tolist() == expected


@given(st.integers(0, 300))
def test_scaling_keeps_the_order(seed):
    scores = np.random.default_rng(seed).standard_normal((2, 6)) * 40 + 7
    found = scaled(scores)
    assert (found.min(1) == 0).all()
    assert (found.max(1) == 1).all()
    np.testing.assert_array_equal(np.argsort(found, axis=1), np.argsort(scores, axis=1))


def test_bad_input():
    with pytest.raises(UsageError, match="do not match"):
        best_of_groups(np.zeros((1, 3)), np.array([0, 1]), 2)
    with pytest.raises(UsageError, match="do not match"):
        best_of_groups(np.zeros((1, 2)), np.array([0, 2]), 2)
