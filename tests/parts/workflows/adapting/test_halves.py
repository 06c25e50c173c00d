"""Halves of short texts as questions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import CorpusError
from isogloss.protocols import Record
from isogloss.workflows.adapting.halves import LEAST, halves, short_texts
from isogloss.workflows.adapting.material import split_material

TITLES = [Record(str(i), f"how to sort list number{i} in python by value{i} quickly") for i in range(160)]


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


def test_short_is_told_from_long() -> None:
    assert short_texts(TITLES)
    assert not short_texts([Record("a", "word " * 60)] * 3)


def test_short_texts_alone_prove_nothing_and_say_what_would() -> None:
    with pytest.raises(CorpusError, match="too short to prove") as refused:
        split_material("titles", TITLES, 0)
    assert "the middle one has 10 words" in str(refused.value.why)
    assert "--write-with" in str(refused.value.fix)


def test_written_questions_choose_and_prove_where_texts_are_short() -> None:
    def ask(prompt: str) -> str:
        number = next(word for word in prompt.split() if word.startswith("number"))
        return f"sorting {number} in some scripting language"

    found = split_material("titles", TITLES, 0, ask=ask)
    assert found.halved
    assert {one.kind for made in (found.choose, found.prove) for one in made.questions} == {"written"}
    asked = {one.document for made in (found.choose, found.prove) for one in made.questions}
    assert not asked & {record.id for record in found.train}
