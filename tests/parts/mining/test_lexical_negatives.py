"""BM25 over plain texts: by hand, against a search, and no negative ever holds the answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.lexical import WordEncoder
from isogloss.errors import UsageError
from isogloss.mining.candidates import WordSource
from isogloss.mining.lexical_negatives import answerless_negatives, bm25_table

TEXTS = ["Nine people came.", "Who came? Nine did.", "The people came late.", "They sang.", "People came, people."]
WORDS = ["stone", "river", "bread", "lamp", "nine"]


def test_a_score_by_hand():
    weight = np.log(1 + (3 - 1 + 0.5) / (1 + 0.5))  # one of three texts has the word, all are as long: 1 / (1 + k1)
    assert bm25_table(["stone"], ["stone river", "lamp lamp", "lamp river"])[0] == pytest.approx([weight / 1.9, 0, 0])


def test_the_table_is_what_a_search_scores():
    encode = WordEncoder(language="en").encode
    hits = WordSource(encode(["people came late"]), encode(TEXTS)).search(5)
    table = bm25_table(["people came late"], TEXTS)[0]
    assert table[hits.rows[0][hits.rows[0] >= 0]] == pytest.approx(hits.scores[0][hits.rows[0] >= 0], rel=1e-5)


def test_negatives_by_hand():
    assert answerless_negatives(["How many people came?"], ["NINE"], TEXTS, [0]) == [[4]]
    assert answerless_negatives(["How many people came?"], ["nine"], TEXTS, [4], per_query=3) == [[2]]
    assert answerless_negatives(["What did they sing?"], ["people"], ["a", "b"], [0]) == [[]]
    with pytest.raises(UsageError, match="each question needs its answer"):
        answerless_negatives(["What?"], [], TEXTS, [0])


@given(rows=st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), min_size=2, max_size=8), data=st.data())
def test_the_best_text_without_the_answer(rows, data):
    corpus = [f"{' '.join(row)} t{i}" for i, row in enumerate(rows)]
    gold, answer = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.sampled_from(WORDS))
    scores = bm25_table(["stone river lamp"], corpus)[0]
    free = [i for i, text in enumerate(corpus) if i != gold and answer not in text and scores[i] > 0]
    (found,) = answerless_negatives(["stone river lamp"], [answer], corpus, [gold])
    assert len(found) == bool(free)
    assert not found or scores[found[0]] == pytest.approx(max(scores[i] for i in free))
