"""Halves of short texts as questions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import CorpusError
from isogloss.protocols import Record
from isogloss.workflows.adapting.halves import LEAST, half_questions, halves, short_texts

TITLES = [Record(str(i), f"how to sort list number{i} in python by value{i} quickly") for i in range(40)]


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h", "A", "B"]), max_size=20), st.integers(0, 99))
def test_halves_share_no_word_and_lose_none(words: list[str], seed: int) -> None:
    found = halves(" ".join(words), np.random.default_rng(seed))
    distinct = {word.lower() for word in words}
    if found is None:
        assert len(distinct) < 2 * LEAST
        return
    first, second = ({word.lower() for word in part.split()} for part in found)
    assert not first & second
    assert first | second == distinct
    assert min(len(first), len(second)) >= LEAST
    assert sorted(" ".join(found).split()) == sorted(words)


def test_question_is_cut_out_of_its_document() -> None:
    made = half_questions(TITLES, 10, 0)
    assert len(made) == 10
    left = {record.id: record.text for record in made.searched(TITLES)}
    for question in made.questions:
        assert not {w.lower() for w in question.text.split()} & {w.lower() for w in left[question.document].split()}
    assert half_questions(TITLES, 10, 0).questions == made.questions
    assert half_questions(TITLES, 10, 1).questions != made.questions


def test_texts_too_short_for_halves_are_an_error() -> None:
    with pytest.raises(CorpusError, match="no text is long enough"):
        half_questions([Record("a", "two words"), Record("b", "as well")], 2, 0)


def test_short_is_told_from_long() -> None:
    assert short_texts(TITLES)
    assert not short_texts([Record("a", "word " * 60)] * 3)
