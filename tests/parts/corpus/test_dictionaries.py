"""Definitions of words: which ones are taken, and that a word's senses stay together when they are parted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.dictionaries import Definitions, definitions_of
from isogloss.errors import UsageError

ROWS = [
    {"members": ["dog", "domestic dog"], "definition": "a tame animal"},
    {"members": ["dog"], "definition": ""},
    {"members": ["cad", "dog"], "definition": "a bad man"},
    {"members": ["cat"], "definition": None},
]


def test_known_words_with_their_definitions_by_hand():
    found = definitions_of(ROWS, {"dog", "cat", "cad"})
    assert list(zip(found.words, found.texts, strict=True)) == [
        ("dog", "a tame animal"), ("cad", "a bad man"), ("dog", "a bad man")
    ]  # fmt: skip


def test_no_known_word_is_said():
    with pytest.raises(UsageError, match="no wanted word"):
        definitions_of(ROWS, {"cat"})


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.integers(0, 9))
def test_senses_stay_together_and_nothing_is_lost(numbers, share, seed):
    whole = Definitions([f"w{n}" for n in numbers], [f"t{i}" for i in range(len(numbers))])
    first, second = whole.apart(share, np.random.default_rng(seed))
    assert not set(first.words) & set(second.words)
    assert len(set(second.words)) == round(share * len(set(whole.words)))
    pairs = [list(zip(part.words, part.texts, strict=True)) for part in (whole, first, second)]
    assert sorted(pairs[1] + pairs[2]) == sorted(pairs[0])


def test_some_are_drawn_without_replacement():
    whole = Definitions(list("abcde"), list("12345"))
    found = whole.some(3, np.random.default_rng(0))
    assert len(set(found.words)) == 3
    assert set(zip(found.words, found.texts, strict=True)) <= set(zip(whole.words, whole.texts, strict=True))
    assert sorted(whole.some(9, np.random.default_rng(0)).words) == list("abcde")


def test_own_words_stand_in_the_definition_by_hand():
    whole = Definitions(["dog", "cat", "gold"], ["a tame animal", "purrs", "yellow metal yellow"])
    found = whole.under_own_words({"a", "tame", "animal", "yellow", "metal", "dog"})
    assert found == Definitions(["animal", "cat", "yellow"], whole.texts)
