"""Translations side by side, and piles that hide some: who is kept, who is left out, and what the key says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.examples import ScoredPairs
from isogloss.corpus.translations import hide_translations, translations_of
from isogloss.errors import CorpusError


def scored(left, right):
    return ScoredPairs(left, right, np.ones(len(left)), np.arange(len(left)))


def test_blank_and_repeated_sentences_are_left_out():
    found = translations_of(scored(["a", " "], ["b", "a"]), scored(["A", "X"], ["", "Y"]))
    assert found == {"a": "A"}
    with pytest.raises(CorpusError, match="side by side"):
        translations_of(scored(["a"], ["b"]), scored([], []))


@given(count=st.integers(5, 60), learnt=st.integers(0, 20))
def test_the_key_is_the_translation_and_the_rest_has_none(count, learnt):
    pairs = {f"t{i}": f"s{i}" for i in range(count + learnt)}
    seen = {f"t{i}": f"other{i}" for i in range(learnt)}
    piles = hide_translations(pairs, without=[seen])
    for row, (source, gold) in enumerate(zip(piles.source, piles.gold.tolist(), strict=True)):
        assert (pairs[piles.target[gold]] == source) if gold >= 0 else (f"t{source[1:]}" not in piles.target), row
    assert (piles.gold >= 0).sum() == -(-count // 5)
    assert not {target for target in piles.target if target in seen}
    assert len(set(piles.source)) == len(piles.source)


def test_equal_sources_are_one():
    piles = hide_translations({letter: "same" for letter in "abc"} | {digit: digit * 2 for digit in "12345"})
    assert piles.source.count("same") == 1
    with pytest.raises(CorpusError, match="nothing to hide"):
        hide_translations({"a": "b"})
