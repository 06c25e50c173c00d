"""Texts cut in two: by hand, and that nothing is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isogloss.text.halves import halves


def test_by_hand():
    assert halves(["one two three four", "one  two\tthree", "one", ""]) == (
        ["one two", "one", "one", ""],
        ["three four", "two three", "one", ""],
    )


@given(st.lists(st.lists(st.text("abc", min_size=1, max_size=3), min_size=2, max_size=9).map(" ".join), max_size=4))
def test_the_halves_are_the_text_and_of_one_length(texts):
    for text, first, second in zip(texts, *halves(texts), strict=True):
        assert f"{first} {second}" == text
        assert 0 <= len(second.split()) - len(first.split()) <= 1
