"""Sentences: known cuts, exact cover of any text, and time linear in hostile ones."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.text.sentences import LONGEST, sentences


def cut(text):
    return [text[start:end].strip() for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two? Three!", ["One.", "Two?", "Three!"]),
        ("Dr. Wu met Prof. Li at 3.50 p.m. today.", ["Dr. Wu met Prof. Li at 3.50 p.m. today."]),
        ("J. K. Rowling wrote it. It sold.", ["J. K. Rowling wrote it.", "It sold."]),
        ("He lives in the U.S. The house is big.", ["He lives in the U.S.", "The house is big."]),
        ("The U.S. Senate met. It voted.", ["The U.S. Senate met.", "It voted."]),
        ("See Fig. 3 and e.g. this. Done.", ["See Fig. 3 and e.g. this.", "Done."]),
        ("Well... maybe. Wait… What?!", ["Well... maybe.", "Wait…", "What?!"]),
        ("It ended... Nobody knew.", ["It ended...", "Nobody knew."]),
        ("“Go,” he said. “Now.” She went.", ["“Go,” he said.", "“Now.”", "She went."]),
        ('"Why?" he asked. Then left.', ['"Why?" he asked.', "Then left."]),
        ("他走了。她也走了！真的？是。", ["他走了。", "她也走了！", "真的？", "是。"]),
        ("「行く。」と言った。終わり。", ["「行く。」", "と言った。", "終わり。"]),
        ("मैं गया। वह आया।", ["मैं गया।", "वह आया।"]),
        ("Title\n\nA wrapped\nline. End.", ["Title", "A wrapped\nline.", "End."]),
        (
            "Needs:\n- milk\n- eggs and\n  flour\n1. Mix. Stir.",
            ["Needs:", "- milk", "- eggs and\n  flour", "1. Mix.", "Stir."],
        ),
        ("x = 1\n    y = foo.bar\n    z = 2", ["x = 1", "y = foo.bar", "z = 2"]),
        (
            "Das kostet ca. 5 Euro, vgl. Abb. 3 u.a. dort. Gut.",
            ["Das kostet ca. 5 Euro, vgl. Abb. 3 u.a. dort.", "Gut."],
        ),
        ("Version 1.2.3 of node.js is out.", ["Version 1.2.3 of node.js is out."]),
    ],
)
def test_known_texts_are_cut_where_a_reader_would(text, expected):
    assert cut(text) == expected


@given(st.text(st.sampled_from("aB1 .!?。…\n\t\"')「」-*#|`ัé"), max_size=200), st.integers(1, 50))
def test_spans_cover_the_text_without_gaps_and_stay_short(text, longest):
    spans = sentences(text, longest=longest)
    assert [start for start, _ in spans] == ([0, *[end for _, end in spans[:-1]]] if text else [])
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(0 < end - start <= longest for start, end in spans)


@given(st.text(max_size=500))
def test_any_unicode_is_covered(text):
    assert "".join(text[start:end] for start, end in sentences(text)) == text


def test_unspaced_text_is_cut_by_length_but_not_inside_a_letter():
    spans = sentences("สวัสดีครับ" * 200)
    assert all(end - start <= LONGEST for start, end in spans)
    assert len(spans) > 3
    text = "ก" * 9 + "ั" + "ข" * 5
    assert sentences(text, longest=9)[0] == (0, 8)


def test_long_spans_are_cut_at_lines_then_clauses_then_spaces():
    assert cut_at("aaa bbb\nccc, ddd eee fff", 15) == ["aaa bbb\n", "ccc, ", "ddd eee fff"]
    assert cut_at("aaa bbb ccc ddd eee fff", 10) == ["aaa bbb ", "ccc ddd ", "eee fff"]


def cut_at(text, longest):
    return [text[start:end] for start, end in sentences(text, longest=longest)]


@pytest.mark.parametrize("unit", [".", "\n", ". ", "a.", ')."', "...x", "x", " ", "。", "1. "])
def test_hostile_texts_take_linear_time(unit):
    def seconds(n):
        start = time.process_time()
        sentences(unit * n)
        return time.process_time() - start

    assert seconds(200_000) < 1.5


def test_abbreviation_table_is_used(monkeypatch):
    assert len(cut("It is no. 5 here.")) == 1
    monkeypatch.setattr("isogloss.text.sentences._ABBREVIATIONS", frozenset())
    assert len(cut("It is no. 5 here.")) == 2
