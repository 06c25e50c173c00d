"""Sets of word vectors as one: rotations undone, missing words completed, by hand and as properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.word_ensemble import meta_embedding
from isogloss.errors import UsageError

WORDS = [f"w{i}" for i in range(40)]


def space(seed=0, rows=40, width=5):
    return np.random.default_rng(seed).standard_normal((rows, width))


def turned(seed, width=5):
    return np.linalg.qr(space(seed, width, width))[0]


@given(st.integers(0, 50))
def test_a_turned_source_is_turned_back(seed):
    rows = space(seed)
    words, found = meta_embedding([(WORDS, rows), (WORDS, rows @ turned(seed + 1))])
    alone = meta_embedding([(WORDS, rows)])[1]
    assert words == WORDS
    np.testing.assert_allclose(found, alone, atol=1e-5)
    wrong = meta_embedding([(WORDS, rows), (WORDS, rows @ turned(seed + 1))], align="none")[1]
    assert np.abs(wrong - alone).max() > 0.05


def test_turning_sources_beforehand_changes_nothing_but_the_turn():
    one, other = space(1), space(2)
    before = meta_embedding([(WORDS, one), (WORDS, other)])[1]
    after = meta_embedding([(WORDS, one @ turned(3)), (WORDS, other @ turned(4))])[1]
    np.testing.assert_allclose(before @ before.T, after @ after.T, atol=1e-5)


def test_the_first_source_keeps_its_cosines():
    rows = space(5)
    other = space(6)
    _, found = meta_embedding([(WORDS, rows), (WORDS, other)], combine="concat")
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    unit = unit - unit.mean(0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    np.testing.assert_allclose(2 * found[:, :5] @ found[:, :5].T, unit @ unit.T, atol=1e-5)


def test_a_missing_word_by_hand():
    one = np.array([[1.0, 0], [0, 1], [-1, -1]])
    other = np.array([[1.0, 0], [0, 1], [-1, -1], [0.9, 0.1]])
    sources = [(["a", "b", "c"], one), (["a", "b", "c", "d"], other)]
    words, found = meta_embedding(sources, neighbours=1)
    assert words == ["a", "b", "c", "d"]
    assert np.argmax(found[:3] @ found[3]) == 0
    words, bare = meta_embedding(sources, missing="zeros")
    np.testing.assert_allclose(np.linalg.norm(bare, axis=1), 1, atol=1e-6)
    assert np.abs(bare[3] - found[3]).max() > 1e-3


def test_what_cannot_be_joined_is_said():
    with pytest.raises(UsageError, match="cannot be joined"):
        meta_embedding([(["a"], space(rows=1)), (["b"], space(rows=1))])
    with pytest.raises(UsageError, match="cannot be joined"):
        meta_embedding([(["a", "a"], space(rows=2))])
    with pytest.raises(UsageError, match="narrower"):
        meta_embedding([(WORDS, space()), (WORDS, space(width=3))])
