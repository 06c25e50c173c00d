"""Who judges what: an index by its own truth, a reranker over fixed candidates, a predictor by accuracy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isogloss.arrays import Hits
from isogloss.corpus.examples import Candidates, LabelledTexts, Splits
from isogloss.errors import UsageError
from isogloss.index.exact import Exact
from isogloss.recipes._judges import LabJudge


def judge(data=None, **options):
    return LabJudge("judge", lambda: data, options=options)


def test_an_index_is_held_to_its_own_truth():
    draw = np.random.default_rng(0)
    vectors, queries = draw.normal(size=(40, 4)).astype(np.float32), draw.normal(size=(6, 4)).astype(np.float32)
    index = Exact()
    index.add(np.arange(100, 140), vectors)
    assert judge(queries=queries, k=5, effort=1.0)(index).items.tolist() == [1.0] * 6

    class Half:
        """Finds the best two of five and three that are not there."""

        score_all = index.score_all

        def search(self, queries, k, allow=None, effort=1.0):
            found = index.search(queries, k).rows.copy()
            found[:, 2:] = -1
            return Hits(found, np.zeros(found.shape, np.float32))

    sample = judge(queries=queries, k=5)(Half())
    assert sample.items.tolist() == pytest.approx([0.4] * 6)
    assert sample.name == "recall@5"


def test_a_reranker_by_hand():
    """Grades 0, 2, 1 in the given order: (2/log2(3) + 1/log2(4)) / (2/log2(2) + 1/log2(3)); then no answer."""
    data = Candidates(["q", "r"], [["a", "b", "c"]] * 2, [np.array([0.0, 2.0, 1.0]), np.zeros(3)])

    class Given:
        def score(self, query, documents):
            return [3.0, 2.0, 1.0]

    expected = (2 / math.log2(3) + 0.5) / (2 + 1 / math.log2(3))
    assert judge(data)(Given()).items.tolist() == pytest.approx([expected, 0.0])
    with pytest.raises(UsageError, match="fixed candidates"):
        judge(["texts"])(Given())


@pytest.mark.parametrize("names", [False, True])
def test_a_predictor_by_number_or_name(names):
    data = LabelledTexts(["x", "y", "z"], np.array([0, 1, 1]), ["a", "b"])

    class Says:
        def predict(self, texts):
            return ["a", "a", "b"] if names else np.array([0, 0, 1])

    assert judge(data)(Says()).items.tolist() == [1.0, 0.0, 1.0]
    assert judge(Splits({"train": data, "test": data}))(Says()).value() == pytest.approx(2 / 3)


def test_what_can_do_nothing_is_not_judged():
    with pytest.raises(UsageError, match="cannot judge a int"):
        judge([])(3)
