"""Consistency of pairs: by hand, by brute force over a planted world; and the planting itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import Similarity
from isogloss.encoders.lexical import WordEncoder
from isogloss.errors import UsageError
from isogloss.mining.consistency import FOUND, LOST, consistent_pairs
from isogloss.mining.mismatches import mismatched


class Points:
    """Text ``q3`` or ``d3`` is the third row of the one or the other table."""

    similarity = Similarity.COSINE

    def __init__(self, seed, n):
        rng = np.random.default_rng(seed)
        self.rows = {kind: rng.standard_normal((n, 4)).astype(np.float32) for kind in "qd"}

    def encode(self, texts, *, role=None):
        return np.stack([self.rows[text[0]][int(text[1:])] for text in texts])


def test_by_hand():
    queries = ["red apples", "blue whales", "green tea", "old maps"]
    documents = ["blue whales sing", "red apples fall", "green tea", "blue whales sing"]
    found = consistent_pairs(WordEncoder(), queries, documents, k=1)
    assert found.keep.tolist() == [False, False, True, False]
    assert found.reason == [LOST, LOST, FOUND, LOST]
    # the fourth document is equal to the first, which is found before it
    turned = consistent_pairs(WordEncoder(), ["x", "blue whales", "y", "blue whales"], documents, k=1)
    assert turned.keep.tolist() == [False, False, False, True]


@given(st.integers(0, 1000), st.integers(2, 12), st.integers(1, 4))
def test_is_the_rank_by_brute_force(seed, n, k):
    encoder = Points(seed, n)
    queries, documents = [f"q{i}" for i in range(n)], [f"d{i}" for i in range(n)]
    q, d = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in encoder.rows.values())
    scores = q @ d.T
    ranks = (scores > np.diag(scores)[:, None]).sum(1)
    assert consistent_pairs(encoder, queries, documents, k=k).keep.tolist() == (ranks < k).tolist()


@given(st.integers(0, 1000), st.integers(0, 40), st.floats(0, 1))
def test_mismatched_items_have_another_ones_text(seed, n, share):
    texts = [str(number) for number in range(n)]
    count = round(share * n)
    if count == 1:
        with pytest.raises(UsageError, match="cannot be mismatched"):
            mismatched(texts, share, seed=seed)
        return
    moved, wrong = mismatched(texts, share, seed=seed)
    assert sorted(moved) == sorted(texts)
    assert [old != new for old, new in zip(texts, moved, strict=True)] == wrong.tolist()
    assert wrong.sum() == count
    again = mismatched(texts, share, seed=seed)
    assert again[0] == moved


def test_what_cannot_be_filtered():
    with pytest.raises(UsageError, match="2 queries, 1 documents"):
        consistent_pairs(WordEncoder(), ["a", "b"], ["a"])
    with pytest.raises(UsageError, match="k = 0"):
        consistent_pairs(WordEncoder(), ["a"], ["a"], k=0)
    with pytest.raises(UsageError, match="a share of 2"):
        mismatched(["a"] * 3, 2.0, seed=0)
