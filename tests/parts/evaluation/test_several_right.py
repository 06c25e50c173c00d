"""nDCG with several right items: by hand, as scikit-learn has it, and as the judge of one right item."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from isogloss.errors import UsageError
from isogloss.evaluation.neighbours import known_item
from isogloss.evaluation.several_right import ndcg_of_several
from isogloss.seeding import generator


def test_by_hand():
    best = 1 + 1 / math.log2(3)
    found = ndcg_of_several(np.array([[4.0, 3.0, 2.0, 1.0]]), [[0, 2]]).items[0]
    assert found == pytest.approx((1 + 1 / 2) / best)
    assert ndcg_of_several(np.ones((1, 4)), [[1, 3]]).items[0] == pytest.approx((1 / 2 + 1 / math.log2(5)) / best)


@given(seed=st.integers(0, 200), right=st.integers(1, 5), k=st.integers(1, 8))
def test_as_scikit_learn(seed, right, k):
    random = generator(seed, "scores")
    scores = random.standard_normal((3, 9))
    items = [random.permutation(9)[:right].tolist() for _ in range(3)]
    truth = np.zeros((3, 9))
    for row, some in zip(truth, items, strict=True):
        row[some] = 1
    assert ndcg_of_several(scores, items, k=k).value() == pytest.approx(ndcg_score(truth, scores, k=k))


@given(seed=st.integers(0, 50))
def test_one_right_item_is_the_known_item(seed):
    random = generator(seed, "scores")
    scores = random.integers(0, 4, (5, 6)).astype(float)  # with equal scores
    gold = random.integers(0, 6, 5)
    assert ndcg_of_several(scores, gold[:, None].tolist(), k=3).items.tolist() == pytest.approx(
        known_item(scores, gold, k=3).items.tolist()
    )


@pytest.mark.parametrize("scores", [np.ones((2, 3)), np.ones((1, 3)) * np.nan, np.ones(3)])
def test_what_does_not_fit_is_refused(scores):
    with pytest.raises(UsageError):
        ndcg_of_several(scores, [[0]])
    with pytest.raises(UsageError, match="without a right item"):
        ndcg_of_several(np.ones((1, 3)), [[]])
