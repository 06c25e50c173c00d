"""Average precision of a class: by scikit-learn, by hand, with ties, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from isogloss.errors import UsageError
from isogloss.evaluation.same_class import same_class_precision


@given(st.integers(0, 99), st.integers(4, 12))
def test_it_is_scikit_learns_average_precision_without_the_item_itself(seed, count):
    draw = np.random.default_rng(seed)
    labels, scores = draw.integers(0, 3, count), draw.permutation(count * count).reshape(count, count) - 7.0
    asked = []
    for i in range(count):
        right, rest = labels == labels[i], np.arange(count) != i
        if (right & rest).any():
            asked.append(average_precision_score(right[rest], scores[i][rest]))
    if asked:
        assert same_class_precision(scores, labels).items.tolist() == pytest.approx(asked)


def test_equal_scores_are_the_worst_order():
    constant = same_class_precision(np.ones((4, 4)), ["a", "a", "b", "b"])
    assert constant.items.tolist() == pytest.approx([1 / 3] * 4)
    assert constant.groups.tolist() == [0, 0, 1, 1]


def test_a_class_of_one_is_left_out():
    scores = np.array([[0.0, 2.0, 1.0], [2.0, 0.0, 1.0], [5.0, 5.0, 9.0]])
    assert same_class_precision(scores, ["a", "a", "b"]).items.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("scores", "labels", "why"),
    [
        (np.zeros((2, 3)), [0, 0], "do not match"),
        (np.full((2, 2), np.nan), [0, 0], "no number"),
        (np.zeros((2, 2)), [0, 1], "shares"),
    ],
)
def test_what_cannot_be_judged_is_refused(scores, labels, why):
    with pytest.raises(UsageError, match=why):
        same_class_precision(scores, labels)
