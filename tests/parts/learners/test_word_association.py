"""Words of translated sentences: by hand, by counting every pair, and what no order may change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.learners.word_association import associated_words

sentences = st.lists(st.tuples(st.text("abcd", max_size=4), st.text("wxyz", max_size=4)), min_size=1, max_size=12)


def test_hand_values():
    english = [["dog", "runs"], ["dog", "dog", "sleeps"], ["cat", "runs"], ["cat"]]
    german = [["hund", "läuft"], ["hund", "schläft"], ["katze", "läuft"], ["hund"]]
    # runs-läuft 1, sleeps-schläft 1, dog-hund 4/5; cat-katze 2/3, but runs-katze as well, so neither
    made = associated_words(english, german, min_count=1)
    assert made == [("runs", "läuft"), ("sleeps", "schläft"), ("dog", "hund")]
    assert associated_words(english, german, min_count=1, least=0.9) == made[:2]
    english[2] = ["cat"]  # cat-katze stays at 2/3 without a rival, runs-läuft falls to 2/3
    assert associated_words(english, german, min_count=1)[2:] == [("cat", "katze"), ("runs", "läuft")]
    assert associated_words(english, german, min_count=2) == [("dog", "hund")]


def by_counting(pairs, least):
    found = {}
    for x in "abcd":
        for y in "wxyz":
            both = sum(x in one and y in other for one, other in pairs)
            size = sum(x in one for one, _ in pairs) + sum(y in other for _, other in pairs)
            if both:
                found[x, y] = 2 * both / size
    kept = set()
    for (x, y), value in found.items():
        rivals = [other for pair, other in found.items() if (pair[0] == x) != (pair[1] == y)]
        if value >= least and all(other < value for other in rivals):
            kept.add((x, y))
    return kept


@given(sentences, st.floats(0, 1), st.integers(0, 1000))
def test_it_is_what_counting_finds_in_any_order(pairs, least, seed):
    first, second = ([list(pair[side]) for pair in pairs] for side in (0, 1))
    made = associated_words(first, second, least=least, min_count=1)
    assert set(made) == by_counting(pairs, least)
    order = np.random.default_rng(seed).permutation(len(pairs))
    assert associated_words([first[i] for i in order], [second[i] for i in order], least=least, min_count=1) == made
    assert set(associated_words(second, first, least=least, min_count=1)) == {(y, x) for x, y in made}


def test_sides_that_do_not_pair_up_are_refused():
    with pytest.raises(UsageError, match="do not pair up"):
        associated_words([["a"]], [])
