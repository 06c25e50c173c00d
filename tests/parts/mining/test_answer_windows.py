"""Windows around answers: by hand, and whatever the passage, every right window holds the answer's sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import CorpusError
from isogloss.mining.answer_windows import LONGEST, answer_windows


def row(text, answer, query="What?"):
    return {"query": query, "positive": text, "answer": answer}


def passage(count):
    return " ".join(f"Sentence number {i} has w{i}x in it." for i in range(count))


def test_windows_by_hand():
    made = answer_windows([row("It rained. The hall was cold. Nine came. They sang.", "rained")], copies=True)
    assert made.texts == ["It rained. The hall was cold.", "It rained. The hall was cold. Nine came.", "It rained."]
    assert made.right == [[0, 1, 2]]


@given(count=st.integers(1, 9), place=st.integers(0, 8), copies=st.booleans())
def test_every_right_window_holds_the_answers_sentence(count, place, copies):
    place %= count
    made = answer_windows([row(passage(count), f"w{place}x")], copies=copies)
    assert made.texts[made.gold[0]] == made.texts[0]
    assert made.right[0] == list(range(len(made.texts)))
    assert all(f"w{place}x" in text and text in passage(count) for text in made.texts)
    assert len(set(made.texts)) == len(made.texts) <= (3 if copies else 1)
    assert all(text.count("Sentence") <= 3 for text in made.texts)
    if copies and count >= 3:
        assert len(made.texts) == 3


def test_a_window_of_another_question_is_right_too_where_it_holds_the_sentence():
    text = passage(6)
    made = answer_windows([row(text, "w2x"), row(text, "w3x"), row(passage(2), "w0x"), row(text, "w0x")], each=2)
    assert len(made.questions) == 3, "two questions of the first passage, one of the second"
    assert made.right == [[0, 1], [1, 0], [2]]
    assert made.passages.tolist() == [0, 0, 1]


def test_a_passage_without_the_answer_gives_its_beginning():
    assert answer_windows([row(passage(5), "nowhere")]).texts == [passage(2)]


def test_long_windows_are_left_out():
    long = " ".join(["word"] * (LONGEST + 1)) + "."
    assert answer_windows([row(long, "word"), row(passage(1), "w0x")]).texts == [passage(1)]
    with pytest.raises(CorpusError, match="no question has a window"):
        answer_windows([row(long, "word")])
