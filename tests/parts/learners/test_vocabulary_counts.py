"""Counted words: arithmetic by hand, shares of the noise table, errors that say what was found."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.learners.vocabulary_counts import count_words, keep_probabilities, noise_table, plain_words
from isogloss.vocabulary.wordpiece import WordPiece

TEXTS = st.lists(st.lists(st.sampled_from("abcdef"), max_size=8), min_size=1, max_size=6)


@given(TEXTS, st.integers(1, 3))
def test_counts_are_those_of_a_counter(texts, least):
    true = Counter(word for text in texts for word in text)
    known = {word for word, count in true.items() if count >= least}
    try:
        corpus = count_words(texts, min_count=least)
    except UsageError:
        assert len(known) < 2 or (len(texts) > 1 and all(text == texts[0] for text in texts))
        return
    assert dict(zip(corpus.words, corpus.counts.tolist(), strict=True)) == {w: true[w] for w in known}
    assert corpus.counts.tolist() == sorted(corpus.counts.tolist(), reverse=True)
    rows = [[corpus.words[i] for i in row] for row in corpus.rows()]
    assert rows == [[word for word in text if word in known] for text in texts]
    assert corpus.read == true.total()


def test_a_largest_vocabulary_keeps_the_frequent():
    assert count_words(["a a a b b c"], min_count=1, largest=2).words == ("a", "b")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "there is no text"),
        (["", "!?"], "hold no word"),
        (["so so so"], "one word, 3 times"),
        (["a b c d"], "0 of 4 distinct words occur 5 times"),
        (["one two"] * 9, "9 texts of the same 2 words"),
    ],
)
def test_nothing_to_learn_from_is_said_with_counts(texts, said):
    with pytest.raises(UsageError) as raised:
        count_words(texts)
    assert said in raised.value.why


def test_thinning_by_hand():
    # 100 words, t = .01: a word of 90 has t / f = 1 / 90
    kept = keep_probabilities(np.array([90, 9, 1]), 0.01)
    np.testing.assert_allclose(kept, [(1 / 90) ** 0.5 + 1 / 90, (1 / 9) ** 0.5 + 1 / 9, 1], rtol=1e-6)
    assert keep_probabilities(np.array([90, 9, 1]), 0).tolist() == [1, 1, 1]


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20), st.sampled_from([0.0, 0.75, 1.0]))
def test_noise_has_the_shares_of_its_distribution(counts, power):
    table = noise_table(np.array(counts), power, 4096)
    true = np.array(counts, float) ** power
    found = np.bincount(table, minlength=len(counts)) / 4096
    assert np.abs(found - true / true.sum()).max() <= 1 / 4096 + 1e-9


@pytest.mark.parametrize(
    "text", ["Heat-flow at 300K, Œuvre naïve?", "Das Maß der Dinge 大熊猫", "a\x00b don't\tstop", ""]
)
def test_words_are_those_that_a_table_of_words_looks_up(text):
    words = plain_words(text)
    pieces = WordPiece(["[UNK]", *dict.fromkeys(words)])
    found = [pieces.tokens[i] for i in pieces.ids([text]).values if i]
    assert found == words
