"""Hashed letter n-grams: counted by hand, against the n-grams spelt out, and alike for words that share letters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.text.hashing import hash_term
from isogloss.text.letter_hashes import hashes_of
from isogloss.vocabulary.letter_grams import LetterGrams
from isogloss.vocabulary.pooling import pooling_of


def test_counts_by_hand():
    # <so>: <so so> of three letters, <so> of four, and the word; the full stop: <.> and itself
    grams = LetterGrams(10_000, shortest=3, longest=4)
    assert grams.counts(["So", "so.", ""]).tolist() == [4, 6, 0]


@given(words=st.lists(st.text("aeßñz19", min_size=1, max_size=9), min_size=1, max_size=5))
def test_as_the_grams_spelt_out(words):
    grams = LetterGrams(997, shortest=2, longest=5)
    wanted = [[value % 997 for value in hashes_of(word, 2, 5)] + [hash_term(word) % 997] for word in words]
    found = grams.ids([" ".join(words), *words])
    assert found[0].tolist() == [value for row in wanted for value in row]
    assert [found[i].tolist() for i in range(1, len(words) + 1)] == wanted
    assert grams.ids([" ".join(words)])[0].tolist() == found[0].tolist()  # remembered words are the same words


def test_a_text_is_pooled_from_its_tokens():
    grams = LetterGrams(50)
    rows = np.eye(50, dtype=np.float32)
    vectors, counts = grams.pool(["Warsaw", "war", ""], pooling_of(rows, np.ones(50, np.float32), -1, "sum"))
    np.testing.assert_array_equal(vectors[0], np.bincount(grams.ids(["warsaw"])[0], minlength=50))
    assert counts.tolist() == vectors.sum(1).tolist()
    assert not vectors[2].any()


def test_settings_are_the_identity_and_must_make_sense():
    assert LetterGrams(50).identity == LetterGrams(50).identity != LetterGrams(51).identity
    for bad in ({"buckets": 0}, {"shortest": 5, "longest": 4}, {"shortest": 0}):
        with pytest.raises(UsageError):
            LetterGrams(**bad)
