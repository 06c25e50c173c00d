"""Random stretches of passages: as long as the queries, cut from the beginning, the same for a seed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.mining.stretches import like_stretches

PASSAGES = [" ".join(f"w{i}" for i in range(30)), "one two three", "x"]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 2)), max_size=8), st.integers(1, 40), st.integers(0, 9))
def test_stretches_are_as_long_as_queries_and_lie_in_the_beginning(sizes, words, seed):
    queries = [(" ".join(["q"] * size), number) for size, number in sizes]
    found = like_stretches(queries, PASSAGES, words=words, seed=seed)
    assert [number for _, number in found] == [number for _, number in queries]
    for (text, number), (size, _) in zip(found, sizes, strict=True):
        beginning = PASSAGES[number].split()[:words]
        assert len(text.split()) == min(size, len(beginning))
        assert f" {text} " in f" {' '.join(beginning)} "
    assert found == like_stretches(queries, PASSAGES, words=words, seed=seed)


def test_every_place_is_drawn():
    drawn = {text for text, _ in like_stretches([("q q", 1)] * 60, PASSAGES, words=45, seed=0)}
    assert drawn == {"one two", "two three"}


@pytest.mark.parametrize(("number", "passages"), [(3, PASSAGES), (-1, PASSAGES), (0, [" "])])
def test_a_passage_that_is_not_there_is_an_error(number, passages):
    with pytest.raises(UsageError, match=f"no passage {number}"):
        like_stretches([("q", number)], passages, words=5, seed=0)
