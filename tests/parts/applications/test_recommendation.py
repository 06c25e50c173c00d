"""Next items by hand, against a loop, and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.applications.recommendation import in_order, leave_last_out, next_item_scores
from isogloss.errors import UsageError


@given(st.integers(0, 300), st.floats(0.1, 1.0), st.integers(1, 4))
def test_it_is_the_loop(seed, decay, last):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((9, 4))
    history = rng.permutation(9)[:5].tolist()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    profile = sum(decay**age * unit[item] for age, item in enumerate(reversed(history[-last:])))
    expected = unit @ profile / np.linalg.norm(profile)
    found = next_item_scores([history], vectors, last=last, decay=decay)[0]
    assert np.isneginf(found[history]).all()
    rest = [i for i in range(9) if i not in history]
    np.testing.assert_allclose(found[rest], expected[rest], atol=1e-5)
    again = next_item_scores([history], vectors, last=last, decay=decay, repeat=True)[0]
    np.testing.assert_allclose(again, expected, atol=1e-5)


def test_sequences():
    assert in_order([1, 1, 2, 1], [10, 11, 12, 9], [3, 1, 0, 3]) == [[11, 9, 10], [12]]
    histories, targets, users = leave_last_out([[1], [2, 3, 4], [5, 6, 7, 8]])
    assert histories == [[2, 3], [5, 6, 7]]
    assert targets.tolist() == [4, 8]
    assert users.tolist() == [1, 2]


def test_bad_input():
    with pytest.raises(UsageError, match="long enough"):
        leave_last_out([[1]])
    with pytest.raises(UsageError, match="empty"):
        next_item_scores([[]], np.eye(2))
    with pytest.raises(UsageError, match="profile"):
        next_item_scores([[0]], np.eye(2), decay=0)
    with pytest.raises(UsageError, match="not match"):
        in_order([1], [1, 2], [0])
