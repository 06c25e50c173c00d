"""A trie of allowed sequences: by hand, against a plain set of prefixes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.generation.constraints import Trie


def ended(rows):
    """Different sequences, none of which begins another: each ends with a token of its own."""
    return [(*row, 9) for row in dict.fromkeys(map(tuple, rows))]


sets = st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=12).map(ended)


@given(sets, st.lists(st.integers(0, 9), max_size=5))
def test_a_walk_sees_what_a_set_of_prefixes_says(rows, walk):
    trie = Trie(rows)
    prefixes = {row[:cut] for row in rows for cut in range(len(row) + 1)}
    place, written = np.zeros(1, np.int64), ()
    for token in walk:
        longer = [row for row in rows if row[: len(written)] == written and len(row) > len(written)]
        after = sorted({row[len(written)] for row in longer})
        assert trie.allowed(place).values.tolist() == after
        if (*written, token) not in prefixes:
            with pytest.raises(UsageError, match=f"token {token} is not allowed"):
                trie.follow(place, np.array([token]))
            return
        place, written = trie.follow(place, np.array([token])), (*written, token)
        assert trie.number(int(place[0])) == (rows.index(written) if written in rows else -1)


@given(sets)
def test_every_sequence_is_found_and_nothing_else(rows):
    trie = Trie(rows)
    assert [trie.find(row) for row in rows] == list(range(len(rows)))
    assert trie.find([*rows[0], 0]) == trie.find(rows[0][:-1]) == trie.find([7]) == -1
    assert len(trie) == len(rows)


def test_many_places_are_walked_at_once():
    trie = Trie([[1, 2], [1, 4], [3]])
    allowed = trie.allowed(np.array([0, trie.walk([1]), trie.walk([3]), 0]))
    assert [row.tolist() for row in allowed] == [[1, 3], [2, 4], [], [1, 3]]
    ends = trie.follow(np.array([0, trie.walk([1])]), np.array([3, 4]))
    assert [trie.number(int(end)) for end in ends] == [2, 1]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "no sequence"),
        ([[1], []], "1 of 2"),
        ([[1], [-1, 2]], "1 of 2"),
        ([[1, 2], [1]], r"\[1\] begins \[1, 2\]"),
        ([[1, 2], [3], [1, 2]], r"\[1, 2\] occurs twice"),
    ],
)
def test_sets_that_cannot_be_told_apart_are_refused(rows, says):
    with pytest.raises(UsageError, match=says):
        Trie(rows)
