"""Weights exchanged within rows, and tokens that a text does not have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from isogloss.arrays import CSR
from isogloss.encoders.sparse_weights import exchanged, foreign_tokens
from isogloss.errors import UsageError

TOKENS = ["dog", "##s", "bark", "é", "cat"]
ROWS = st.lists(st.lists(st.integers(1, 99), max_size=6), max_size=5)


def sparse(rows, columns=None):
    offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    columns = [range(len(row)) for row in rows] if columns is None else columns
    indices = np.array([one for row in columns for one in row], np.int64)
    return CSR(offsets, indices, np.array([one for row in rows for one in row], np.float32), 9)


@given(ROWS, st.integers(0, 3))
def test_rows_keep_their_columns_and_their_numbers(rows, seed):
    before = sparse(rows)
    after = exchanged(before, np.random.default_rng(seed))
    np.testing.assert_array_equal(after.indices, before.indices)
    np.testing.assert_array_equal(after.offsets, before.offsets)
    assert [sorted(after.row(i)[1].tolist()) for i in range(len(rows))] == [sorted(row) for row in rows]
    np.testing.assert_array_equal(exchanged(before, np.random.default_rng(seed)).values, after.values)


def test_every_order_of_a_row_comes_as_often():
    drawn = exchanged(sparse([[1, 2, 3]] * 6000), np.random.default_rng(0)).values.reshape(-1, 3)
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(counts) == 6
    assert ((counts - 1000) ** 2 / 1000).sum() < 20.5  # chi-square with 5 degrees of freedom, p = .001


def test_foreign_tokens_by_hand():
    tokenizer = Tokenizer(models.WordPiece({token: i for i, token in enumerate(TOKENS)}, unk_token="dog"))
    texts = ["DOGS bark", "a cat", ""]
    assert foreign_tokens(sparse([[1] * 3, [1], []], [[0, 2, 4], [4], []]), texts, tokenizer) == 1
    assert foreign_tokens(sparse([[1], [1, 1], []], [[3], [0, 2], []]), texts, tokenizer) == 3
    with pytest.raises(UsageError, match="1 vectors, 3 texts"):
        foreign_tokens(sparse([[1]]), texts, tokenizer)
