"""Candidates by words: BM25's order, and wrong answers that are never the right one."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.encoders.lexical import WordEncoder
from isogloss.errors import CorpusError
from isogloss.index.inverted import Inverted
from isogloss.mining.word_candidates import best_by_words, wrong_answers

TEXTS = ["The sea is warm.", "A cup of tea.", "A warm cup of warm tea.", "Ships cross the sea.", "Stones."]
QUERIES = ["warm sea", "cups", "granite"]


def test_the_order_is_that_of_an_index_by_bm25():
    words, index = WordEncoder(language="en"), Inverted()
    index.add(np.arange(5), words.encode(TEXTS))
    rows = index.search(words.encode(QUERIES), 3).rows
    assert best_by_words(QUERIES, TEXTS, 3) == [[int(one) for one in row if one >= 0] for row in rows]
    assert best_by_words(QUERIES, TEXTS, 3)[2] == []
    assert best_by_words(["Ship"], TEXTS, 3, language=None) == [[]]


def test_wrong_answers_are_among_the_best_and_never_right():
    drawn = {wrong_answers(["warm sea"], [TEXTS[0]], TEXTS * 2, depth=3, seed=seed)[0] for seed in range(20)}
    assert drawn == {TEXTS[2], TEXTS[3]}
    assert wrong_answers(QUERIES, TEXTS[:3], TEXTS, seed=1) == wrong_answers(QUERIES, TEXTS[:3], TEXTS, seed=1)


def test_a_query_without_candidates_gets_any_other_text():
    drawn = {wrong_answers(["granite"], [TEXTS[4]], TEXTS, seed=seed)[0] for seed in range(40)}
    assert drawn == set(TEXTS[:4])
    with pytest.raises(CorpusError, match="1 different"):
        wrong_answers(["a"], ["b"], ["b", "b"])
