"""Swapped letters: the same letters in another order, in half of the texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.swapped import swapped_letters
from isogloss.errors import CorpusError


def test_one_swap_by_hand():
    data = swapped_letters(["a1bc"] * 4, np.random.default_rng(0), swaps=1)
    texts = [*data["train"].texts, *data["test"].texts]
    labels = [*data["train"].labels, *data["test"].labels]
    assert sorted(labels) == [0, 0, 1, 1]
    assert all(text == ("a1cb" if label else "a1bc") for text, label in zip(texts, labels, strict=True))


@given(st.lists(st.text(max_size=12), min_size=4, max_size=12), st.integers(1, 4), st.integers(0, 5))
def test_letters_stay_and_only_their_order_changes(texts, swaps, seed):
    data = swapped_letters(texts, np.random.default_rng(seed), swaps=swaps)
    found = [*data["train"].texts, *data["test"].texts]
    labels = [*data["train"].labels, *data["test"].labels]
    assert sum(labels) == len(texts) // 2
    for before, after, label in zip(texts, found, labels, strict=True):
        assert sorted(before) == sorted(after)
        assert label or before == after
    assert found == [*(again := swapped_letters(texts, np.random.default_rng(seed), swaps=swaps))["train"].texts,
                     *again["test"].texts]  # fmt: skip


def test_too_few_texts_are_refused():
    with pytest.raises(CorpusError, match="3, 4 are needed"):
        swapped_letters(["a"] * 3, np.random.default_rng(0))
