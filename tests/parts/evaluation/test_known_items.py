"""Questions with one right text, cut out of a collection."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.corpus.judgements import TestCollection
from isogloss.errors import CorpusError
from isogloss.evaluation.known_items import known_items
from isogloss.protocols import Record

RECORDS = [Record(name, f"text {name}", title="left out") for name in "abcd"]
QRELS = {"1": {"d": 1.0}, "2": {"a": 1.0, "b": 0.0}, "3": {"c": 2.0, "a": 1.0}, "4": {"b": 1.0}}
COLLECTION = TestCollection(RECORDS, {key: f"question {key}" for key in QRELS}, QRELS)


def test_by_hand():
    found = known_items(COLLECTION, texts=3, questions=9)
    assert found.texts == ["text a", "text b", "text c"]
    assert found.questions == [f"question {number}" for number in "2334"]
    assert found.gold.tolist() == [0, 2, 0, 1]
    few = known_items(COLLECTION, texts=3, questions=2)
    assert few.questions == ["question 2", "question 3"]
    assert few.gold.tolist() == [0, 0]


def test_ndcg_against_its_formula():
    found = known_items(COLLECTION, texts=3, questions=9)
    scores = np.array([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    sample = found.ndcg(scores)
    # ranks 0, 1, 1 (a tie counts against it) and 2
    assert sample.items.tolist() == pytest.approx([1, 1 / np.log2(3), 1 / np.log2(3), 1 / 2])
    assert sample.groups.tolist() == [0, 2, 0, 1]


def test_texts_that_nobody_asks_for_are_refused():
    with pytest.raises(CorpusError, match="no question"):
        known_items(TestCollection(RECORDS, {"1": "x"}, {"1": {"d": 1.0}}), texts=2, questions=1)
