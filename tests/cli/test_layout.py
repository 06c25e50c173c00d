"""Numbers and text as a terminal shows them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isogloss.cli import layout


@given(st.text(max_size=200), st.integers(4, 60))
def test_wrapped_lines_keep_every_character_but_the_spaces_they_break_at(text: str, columns: int) -> None:
    text = layout.clean(text)
    lines = layout.wrap(text, columns)
    assert "".join(text[a:b] for a, b in lines).replace(" ", "") == text.replace(" ", "")
    for a, b in lines:
        assert a < b
        assert layout.width(text[a:b]) <= columns


@given(st.text(max_size=60), st.integers(2, 30))
def test_shortened_text_fits(text: str, columns: int) -> None:
    assert layout.width(layout.shorten(layout.clean(text), columns)) <= max(columns, 1)


@given(st.text())
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    for char in layout.clean(text):
        assert char.isprintable() or char == " " or ord(char) > 0x9F
    assert "\x1b" not in layout.visible(text)


def test_wide_characters_take_two_columns_when_wrapping() -> None:
    text = "日本語の文章です"
    assert [text[a:b] for a, b in layout.wrap(text, 6)] == ["日本語", "の文章", "です"]


def test_marks_stay_inside_their_line() -> None:
    text = "alpha beta gamma"
    lines = layout.wrap(text, 10)
    spans = [[0, 5], [6, 16]]
    marked = [layout.mark(text, line, spans, lambda part: f"<{part}>") for line in lines]
    assert marked == ["<alpha> <beta>", "<gamma>"]


def test_a_share_that_is_not_everything_is_never_printed_as_everything() -> None:
    assert layout.percent(0.99999) == "> 99.99 %"
    assert layout.percent(0.00001) == "< 0.01 %"
    assert layout.percent(0.5) == "50 %"


def test_sizes_at_the_border_take_the_next_unit() -> None:
    assert layout.size(999_960) == "1.0 MB"
    assert layout.size(999_000) == "999.0 kB"
