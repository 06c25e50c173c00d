"""Sub-word vectors: n-grams by hand, a word as the mean of its rows, vectors of words never seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.learners.subword import Subword, letter_ngrams
from isogloss.learners.vocabulary_counts import count_words
from isogloss.text.hashing import hash_term


def texts():
    draw = np.random.default_rng(0)
    stems = [["walk", "jump", "climb"], ["bright", "dark", "calm"]]
    ends = [["er", "ing", "ed"], ["ness", "ly", "est"]]
    return [[word for _ in range(5) for word in ("the", str(draw.choice(stems[i % 2])) + str(draw.choice(ends[i % 2])))]
            for i in range(600)]  # fmt: skip


def test_the_ngrams_of_a_short_word_by_hand():
    assert letter_ngrams("as") == ["<as", "as>"]
    assert letter_ngrams("a", 1, 2) == ["<", "<a", "a", "a>", ">"]


@given(st.text("abcd", min_size=1, max_size=9), st.integers(1, 4), st.integers(0, 3))
def test_ngrams_are_all_parts_but_the_whole(word, shortest, more):
    whole = f"<{word}>"
    true = {
        whole[i:j] for i in range(len(whole)) for j in range(i + shortest, min(len(whole), i + shortest + more) + 1)
    }
    assert set(letter_ngrams(word, shortest, shortest + more)) == true - {whole}


def test_a_word_is_the_mean_of_its_rows():
    corpus = count_words(texts())
    learner = Subword(dimensions=8, epochs=1, buckets=5000)
    table = learner.fit(corpus, seed=1)
    tables = learner._tables(corpus, 1)
    learner._work(corpus, tables)(0, len(corpus.ids), 0.0, np.random.default_rng(0))  # a rate of 0 moves nothing
    number = table.numbers["walker"]
    rows = [number, *(len(corpus.words) + hash_term(one) % 5000 for one in letter_ngrams("walker"))]
    start = learner._result(corpus, tables, 0)
    np.testing.assert_allclose(start.vector("walker"), tables.inputs[rows].mean(0), atol=1e-7)
    assert (start.vectors != table.vectors).any()


def test_unseen_words_lie_near_their_kind_and_strange_ones_are_refused():
    table = Subword(dimensions=24, epochs=12, buckets=20_000, sample=0.0).fit(count_words(texts()))
    assert "walkest" not in table
    ends = [near for near, _ in table.nearest("jumpinger", 3)]
    assert all(near.startswith(("walk", "jump", "climb")) for near in ends)
    with pytest.raises(UsageError, match="has no vector"):
        table.vector("ξψζω")


def test_runs_repeat_and_settings_are_checked():
    corpus = count_words(texts())
    first, again = (Subword(dimensions=6, epochs=1, buckets=500).fit(corpus, seed=2) for _ in range(2))
    assert (first.vectors == again.vectors).all()
    assert (first.ngrams == again.ngrams).all()
    with pytest.raises(UsageError, match="make no sense"):
        Subword(shortest=4, longest=3).fit(corpus)
