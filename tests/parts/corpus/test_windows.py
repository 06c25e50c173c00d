"""Windows of words and shares of letters and digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.windows import digit_share, letter_share, word_windows
from isogloss.errors import UsageError


def test_windows_by_hand():
    assert word_windows(["a b c d e f g"], 3) == ["a b c", "d e f"]  # one word is less than half a window
    assert word_windows(["a b c d e f g h"], 3) == ["a b c", "d e f", "g h"]
    assert word_windows(["a b c d", " x\n y "], 3, most=1) == ["a b c", "x y"]
    with pytest.raises(UsageError):
        word_windows(["a"], 0)


@given(texts=st.lists(st.text(max_size=60), max_size=5), words=st.integers(1, 6))
def test_no_word_changes_and_at_most_half_a_window_is_lost(texts, words):
    for text in texts:
        found = " ".join(word_windows([text], words)).split()
        whole = text.split()
        assert found == whole[: len(found)]
        assert 2 * (len(whole) - len(found)) <= words
        assert all(len(window.split()) <= words for window in word_windows([text], words))


def test_shares_by_hand():
    assert (letter_share("né 1 2"), digit_share("né 1 2")) == (0.5, 0.5)
    assert (letter_share(" "), digit_share("")) == (0.0, 0.0)
    assert digit_share("Shr 34 cts vs 1.19 dlrs") == 5 / 18
