"""Slips of the typing hand: one edit each, at the rate that is asked for."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.unknown_words import edits
from isogloss.text.typos import typo, with_typos


@given(st.text("abcé", min_size=2, max_size=9), st.integers(0, 999))
def test_a_slip_is_one_edit_behind_the_first_letter(word, seed):
    found = typo(word, np.random.default_rng(seed))
    assert edits(word, found) == 1
    assert found[0] == word[0]
    assert found == typo(word, np.random.default_rng(seed))


def test_the_rate_is_met_and_short_words_are_left_alone():
    texts = ["the wing was bent"] * 2000
    found = with_typos(texts, 0.3, np.random.default_rng(0))
    slips = [one.split()[i] != text.split()[i] for text, one in zip(texts, found, strict=True) for i in (1, 3)]
    assert abs(np.mean(slips) - 0.3) < 0.03  # 4,000 draws: three standard errors are .02
    assert all(one.split()[0] == "the" and one.split()[2] == "was" for one in found)
    assert typo("a", np.random.default_rng(0)) == "a"
