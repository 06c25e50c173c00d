"""Tables of whole words: means by hand, words that are left out, pieces for unknown ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.static import StaticEncoder
from isogloss.encoders.word_table import word_table
from isogloss.errors import UsageError

WORDS = ["heat", "flow", "wing"]
ROWS = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], np.float32)


def test_a_weighted_mean_by_hand():
    made = word_table(WORDS, ROWS, weights=np.array([1.0, 3.0, 1.0]))
    np.testing.assert_allclose(made.encode(["Heat flow, unknown!"]), [[1 / 10**0.5, 3 / 10**0.5]], rtol=1e-6)
    assert not made.encode(["nothing known", ""]).any()


@given(st.lists(st.sampled_from([*WORDS, "heats", "wingspan", "x"]), max_size=8))
def test_only_whole_known_words_count(words):
    found = word_table(WORDS, ROWS).encode([" ".join(words)])[0]
    known = [ROWS[WORDS.index(word)] for word in words if word in WORDS]
    total = np.sum(known, 0) if known else np.zeros(2)
    length = np.linalg.norm(total)
    np.testing.assert_allclose(found, total / length if length else total, atol=1e-6)


def test_pieces_stand_for_unknown_words_only():
    pieces = [("wing", np.array([9.0, 9.0])), ("##s", np.array([0.0, 2.0])), ("x", np.array([5.0, 0.0]))]
    made = word_table(WORDS, ROWS, pieces=[(piece, row.astype(np.float32)) for piece, row in pieces])
    np.testing.assert_allclose(made.encode(["wing"]), [[-1.0, 0.0]], atol=1e-6)  # the word's own vector
    np.testing.assert_allclose(made.encode(["heats"]), [[1 / 5**0.5, 2 / 5**0.5]], atol=1e-6)
    np.testing.assert_allclose(made.encode(["xs"]), np.array([[5, 2]]) / 29**0.5, atol=1e-6)


def test_it_is_saved_and_loaded_bit_for_bit(tmp_path):
    made = word_table(WORDS, ROWS, weights=np.array([0.3, 0.5, 0.7]))
    made.save(tmp_path / "model")
    back = StaticEncoder.load(tmp_path / "model")
    texts = ["heat wing flow", "flow flow"]
    assert (back.encode(texts) == made.encode(texts)).all()
    assert back.identity == made.identity


@pytest.mark.parametrize(("words", "rows"), [(WORDS, ROWS[:2]), (["a", "a", "b"], ROWS), (["a", "[UNK]", "b"], ROWS)])
def test_what_does_not_belong_together_is_refused(words, rows):
    with pytest.raises(UsageError, match="do not belong together"):
        word_table(words, rows)
