"""Phrases: the score by hand, gensim beside it, joining that loses no word."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.learners.phrases import Phrases, PhraseTable

TEXTS = [
    ["new", "york", "has", "a", "new", "mayor"],
    ["new", "york", "is", "a", "city"],
    ["a", "mayor", "is", "new"],
] * 4


def test_the_score_by_hand():
    # 60 words; new york 8 times, new 16, york 8
    found = Phrases(delta=2, thresholds=(2.0,)).fit(TEXTS).passes[0]
    assert found["new", "york"] == pytest.approx(60 * (8 - 2) / (16 * 8))


def test_a_second_pass_joins_longer_phrases():
    # 250 words: a b scores 250 * 49 / 50^2 = 4.9; then 200 words: a_b c scores 3.9
    texts = [["a", "b", "c", str(i), str(-i)] for i in range(50)]
    table = Phrases(delta=1, thresholds=(4.0, 3.0)).fit(texts)
    assert table.join(["x", "a", "b", "c"]) == ["x", "a_b_c"]


def test_gensim_scores_the_same_pairs():
    phrases = pytest.importorskip("gensim.models.phrases")
    words = [word for text in TEXTS for word in text]
    ours = Phrases(delta=2, thresholds=(0.0,)).fit(TEXTS).passes[0]
    model = phrases.Phrases(TEXTS, min_count=2, threshold=1e-9, delimiter=" ")
    # their score has the size of their vocabulary, words and pairs, in the place of the number of words
    scale = len(words) / len(model.vocab)
    theirs = model.find_phrases(TEXTS)
    assert len(theirs) > 4  # those that it joins
    for pair, score in theirs.items():
        assert ours[tuple(pair.split(" "))] == pytest.approx(score * scale)


@given(
    st.lists(st.sampled_from("abc"), max_size=10), st.sets(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")))
)
def test_joining_keeps_every_word_in_order(words, pairs):
    joined = PhraseTable((dict.fromkeys(pairs, 1.0),)).join(words)
    assert [letter for word in joined for letter in word.split("_")] == words
    # what was not joined may not be a phrase
    assert not any("_" not in a + b and (a, b) in pairs for a, b in pairwise(joined))


def test_no_words_are_an_error():
    with pytest.raises(UsageError, match="nothing to learn"):
        Phrases().fit([[], []])
