"""Pairs of stretches: out of one document, as long as was said, every document in turn."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.span_pairs import span_pairs
from isogloss.errors import UsageError


def _document(number, length):
    return [f"d{number}w{i}" for i in range(length)]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=6), st.integers(1, 20), st.integers(0, 9))
def test_both_stretches_are_of_one_document_and_of_the_length_that_was_said(lengths, count, seed):
    rows = [_document(i, length) for i, length in enumerate(lengths)]
    texts = [" ".join(row) for row in rows]
    if max(lengths) < 8:
        with pytest.raises(UsageError, match="long enough"):
            span_pairs(texts, count, seed=seed)
        return
    pairs = span_pairs(texts, count, seed=seed)
    assert pairs == span_pairs(texts, count, seed=seed)
    for first, second in zip(*pairs, strict=True):
        number = int(first.split("w")[0][1:])
        for side in (first, second):
            assert f" {side} " in f" {texts[number]} "
            assert 4 <= len(side.split()) <= max(4, round(lengths[number] / 2))


def test_every_document_is_taken_in_turn():
    texts = [" ".join(_document(i, 20)) for i in range(5)]
    first, _ = span_pairs(texts, 10)
    assert set(Counter(one.split("w")[0] for one in first).values()) == {2}


@pytest.mark.parametrize("wrong", [{"shortest": 0.0}, {"longest": 1.5}, {"shortest": 0.6}, {"least": 0}])
def test_shares_that_are_no_shares(wrong):
    with pytest.raises(UsageError, match="shares"):
        span_pairs(["a b c d e f g h"], 1, **wrong)
