"""Invariants: matches mark query words exactly; the cut is bounded; white space is collapsed; any Unicode works."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isogloss.collection.snippets import matches, snippet
from isogloss.encoders.lexical import WordEncoder
from isogloss.text.words import words


def test_marks_matches_in_a_short_text() -> None:
    shown, spans, start = snippet("Heat  conduction\nin slabs.", {"conduction", "slabs"}, words)
    assert shown == "Heat conduction in slabs."
    assert [shown[a:b] for a, b in spans] == ["conduction", "slabs"]
    assert start == 0


def test_cuts_around_the_densest_window() -> None:
    text = "zip once. " + "filler words here " * 40 + "read one file of a zip archive today. " + "more filler " * 40
    shown, spans, start = snippet(text, {"zip", "archive", "file"}, words, width=120)
    assert {shown[a:b] for a, b in spans} == {"zip", "archive", "file"}
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert start > 100
    assert len(shown) <= 120 + 4


def test_without_matches_the_beginning_is_shown() -> None:
    shown, spans, start = snippet("alpha " * 100, {"omega"}, words, width=50)
    assert shown.startswith("alpha alpha")
    assert spans == []
    assert start == 0


@given(st.text(max_size=400), st.integers(20, 100))
def test_every_match_is_a_query_word(text: str, width: int) -> None:
    terms = {word for word, _, _ in words(text)[::3]}
    shown, spans, _ = snippet(text, terms, words, width=width)
    assert len(shown) <= width + 4
    for start, stop in spans:
        assert 0 <= start < stop <= len(shown)
        assert not shown[start:stop].isspace()


@given(st.text(st.characters(max_codepoint=127), max_size=300), st.booleans())
def test_narrowing_by_first_letters_finds_the_same_words(text: str, stemmed: bool) -> None:
    encoder = WordEncoder(language="en" if stemmed else None)
    terms = {word for word, _, _ in encoder.words(text)[::2]}
    assert matches(text, terms, encoder.words) == [found for found in encoder.words(text) if found[0] in terms]
