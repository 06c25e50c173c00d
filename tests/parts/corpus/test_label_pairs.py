"""Pairs of texts of one label: each label as often as any other, never a text with itself, labels kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.examples import LabelledTexts
from isogloss.corpus.label_pairs import pairs_of_labels
from isogloss.errors import UsageError


def labelled(labels):
    return LabelledTexts([f"t{i}" for i in range(len(labels))], np.array(labels, np.int64), ["a", "b", "c", "d"])


@given(st.lists(st.integers(0, 3), min_size=5, max_size=30), st.integers(0, 40), st.integers(0, 99))
def test_pairs_are_two_texts_of_their_label(labels, count, seed):
    data = labelled(labels)
    found = pairs_of_labels(data, count, np.random.default_rng(seed))
    of = dict(zip(data.texts, labels, strict=True))
    assert len(found.left) == len(found.right) == len(found.labels) == count
    for left, right, label in zip(*found.columns, found.labels.tolist(), strict=True):
        assert left != right
        assert of[left] == of[right] == label
    usable = [label for label in set(labels) if labels.count(label) > 1]
    times = [found.labels.tolist().count(label) for label in usable]
    assert sum(times) == count
    assert max(times) - min(times) <= 1


def test_all_pairs_of_a_label_are_as_likely():
    found = pairs_of_labels(labelled([0, 0, 0]), 6000, np.random.default_rng(0))
    pairs, counts = np.unique([f"{a} {b}" for a, b in zip(*found.columns, strict=True)], return_counts=True)
    assert len(pairs) == 6
    assert abs(counts - 1000).max() < 130  # five deviations of a count of 6,000 draws at a sixth each


def test_a_text_that_stands_twice_is_one_text():
    data = LabelledTexts(["a", "a", "b", "c"], np.array([0, 0, 1, 1]), ["x", "y"])
    assert set(pairs_of_labels(data, 9, np.random.default_rng(1)).labels.tolist()) == {1}


def test_without_two_texts_of_a_label_there_is_no_pair():
    with pytest.raises(UsageError, match="no label has two texts"):
        pairs_of_labels(labelled([0, 1, 2]), 3, np.random.default_rng(0))
