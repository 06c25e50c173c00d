"""The gap between a right pair and the nearest wrong text: by hand, by a loop, and what it does not change with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.evaluation.nearest_wrong import gap_to_nearest_wrong


def test_by_hand():
    """The second text of the first label is nearer than its partner, and does not count."""
    left = np.array([[1.0, 0.0], [0.0, 2.0]])
    right = np.array([[0.6, 0.8], [0.0, 1.0]])
    assert gap_to_nearest_wrong(left, right, np.array([0, 1])).items.round(6).tolist() == [0.6, 0.2]
    three = gap_to_nearest_wrong(left[[0, 0, 1]], np.array([[0.6, 0.8], [1, 0], [0, 1]]), np.array([0, 0, 1]))
    assert three.items.round(6).tolist() == [0.6, 1.0, 0.2]


@given(st.integers(0, 99), st.integers(2, 12), st.floats(0.1, 9))
def test_a_loop_finds_the_same_and_lengths_do_not_count(seed, count, scale):
    draw = np.random.default_rng(seed)
    left, right = draw.standard_normal((2, count, 3))
    labels = np.concatenate([[0, 1], draw.integers(0, 3, count - 2)])
    unit = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (left, right)]
    wanted = [
        unit[0][i] @ unit[1][i] - max(unit[0][i] @ unit[1][j] for j in range(count) if labels[j] != labels[i])
        for i in range(count)
    ]
    found = gap_to_nearest_wrong(left * scale, right, labels)
    assert np.allclose(found.items, wanted, atol=1e-5)
    assert np.array_equal(found.groups, labels)


def test_one_label_has_nothing_wrong():
    with pytest.raises(UsageError, match="two labels"):
        gap_to_nearest_wrong(np.eye(2), np.eye(2), np.array([1, 1]))
    with pytest.raises(UsageError, match="two labels"):
        gap_to_nearest_wrong(np.eye(2), np.eye(3), np.array([0, 1]))
