"""Contexts of words: whole words, within their texts, one a text, chosen by the seed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.word_contexts import word_contexts
from isogloss.errors import UsageError

TEXTS = ["The shock wave, then a wave.", "no such thing", "A Wave of x-rays!", "waves"]
WORDS = st.lists(st.sampled_from(["wing", "Wing", "drag", "wings", "a"]), min_size=1, max_size=30)


def test_whole_words_without_regard_to_case_and_words_of_several_parts():
    found = word_contexts(TEXTS, ["wave", "shock wave", "x-rays", "ray"], length=20)
    assert found == {
        "wave": [TEXTS[0], TEXTS[2]], "shock wave": [TEXTS[0]], "x-rays": [TEXTS[2]], "ray": [],
    }  # fmt: skip


def test_a_context_has_so_many_words_and_begins_at_one():
    text = " ".join(f"w{i}" for i in range(100))
    for seed in range(20):
        (only,) = word_contexts([text], ["w50"], length=7, seed=seed)["w50"]
        assert len(only.split()) == 7
        assert "w50" in only.split()
    assert len({word_contexts([text], ["w50"], length=7, seed=seed)["w50"][0] for seed in range(30)}) > 4


@given(st.lists(WORDS, max_size=8), st.integers(1, 9), st.integers(1, 4), st.integers(0, 5))
def test_against_a_search_in_every_text(rows, length, most, seed):
    texts = [" ".join(row) for row in rows]
    found = word_contexts(texts, ["wing", "drag"], length=length, most=most, seed=seed)
    for word, contexts in found.items():
        holding = [text for text in texts if re.search(rf"\b{word}\b", text, re.IGNORECASE)]
        assert len(contexts) == min(most, len(holding))
        for context in contexts:
            assert any(context in text for text in holding)
            assert word in context.lower().split()
            assert len(context.split()) <= length


def test_a_words_contexts_do_not_depend_on_the_other_words():
    texts = [f"a wing {i} and drag {i} at rest" for i in range(30)]
    alone = word_contexts(texts, ["wing"], length=3, most=5, seed=4)["wing"]
    assert word_contexts(texts, ["drag", "wing"], length=3, most=5, seed=4)["wing"] == alone
    assert word_contexts(texts, ["wing"], length=3, most=5, seed=5)["wing"] != alone


def test_what_is_no_word_is_an_error():
    with pytest.raises(UsageError, match="1 of 2"):
        word_contexts(TEXTS, ["wave", "--"])
    with pytest.raises(UsageError, match="length 0"):
        word_contexts(TEXTS, ["wave"], length=0)
