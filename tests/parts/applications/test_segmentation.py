"""Segments: planted topics, few sentences, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.applications.segmentation import segment
from isogloss.errors import UsageError
from isogloss.evaluation.variation import p_k


@given(st.lists(st.integers(4, 9), min_size=2, max_size=6), st.integers(0, 100))
def test_planted_topics_are_found(lengths, seed):
    rng = np.random.default_rng(seed)
    topics = np.repeat(np.arange(len(lengths)), lengths)
    vectors = np.eye(8)[topics] + 0.02 * rng.standard_normal((len(topics), 8))
    borders = np.cumsum(lengths)[:-1].tolist()
    assert segment(vectors, segments=len(lengths)) == borders
    assert set(borders) <= set(segment(vectors)) | {b + 1 for b in borders}


def test_noise_has_no_better_cut_than_chance():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((200, 16))
    borders = list(range(10, 200, 10))
    chance = [p_k(borders, sorted(rng.choice(np.arange(1, 200), 19, replace=False).tolist()), 200) for _ in range(20)]
    assert p_k(borders, segment(vectors, segments=20), 200) > np.mean(chance) - 0.15


def test_one_segment_and_small_texts():
    assert segment(np.eye(3), segments=1) == []
    assert segment(np.eye(2), segments=2) == [1]


def test_bad_input():
    with pytest.raises(UsageError, match="cut"):
        segment(np.ones((1, 2)))
    with pytest.raises(UsageError, match="not possible"):
        segment(np.ones((3, 2)), segments=4)
