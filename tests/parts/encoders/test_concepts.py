"""Likeness to concepts: by hand, and against a plain computation with dictionaries."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.concepts import ConceptEncoder
from isogloss.errors import UsageError

CONCEPTS = ["cat cat purr", "dog bark", "cat dog law"]


def plainly(concepts, text):
    """The definition, word by word."""
    bags = [Counter(one.split()) for one in concepts]
    idf = {w: math.log(len(bags) / sum(w in bag for bag in bags)) for bag in bags for w in bag}

    def weighted(bag):
        return {w: (1 + math.log(n)) * idf[w] for w, n in bag.items() if w in idf}

    def length(bag):
        return math.sqrt(sum(x * x for x in bag.values())) or 1.0

    rows = [weighted(bag) for bag in bags]
    mine = weighted(Counter(text.split()))
    found = np.array([sum(mine[w] * row.get(w, 0) for w in mine) / length(row) for row in rows])
    return found / (np.linalg.norm(found) or 1)


def test_by_hand():
    encoder = ConceptEncoder(CONCEPTS, names=["cat", "dog", "law"])
    assert encoder.explain("purr") == [("cat", 1.0)]
    assert encoder.encode("unknown").values.size == 0
    found = dict(encoder.explain("cat"))
    # cat: (1 + log 2) log 1.5 beside log 3; in the third beside log 1.5 and log 3
    first = (1 + math.log(2)) * math.log(1.5) / math.hypot((1 + math.log(2)) * math.log(1.5), math.log(3))
    third = math.log(1.5) / math.hypot(math.log(1.5), math.log(1.5), math.log(3))
    np.testing.assert_allclose(found["cat"] / found["law"], first / third, rtol=1e-5)


words = st.lists(st.sampled_from(["aa", "bb", "cc", "dd", "ee"]), min_size=1, max_size=8).map(" ".join)


@given(st.lists(words, min_size=2, max_size=6, unique_by=lambda one: frozenset(one.split())), words)
def test_it_is_the_definition(concepts, text):
    found = ConceptEncoder(concepts).encode([text]).tocsr().toarray()[0]
    np.testing.assert_allclose(found, plainly(concepts, text), atol=1e-5)


def test_only_the_largest_components_are_kept():
    whole, cut = (ConceptEncoder(CONCEPTS, most=most).encode(["cat dog"]) for most in (0, 1))
    assert (len(whole.values), len(cut.values)) == (3, 1)
    assert cut.indices[0] == whole.indices[np.argmax(whole.values)]
    np.testing.assert_allclose(cut.values, [1.0])


def test_weak_concepts_of_a_word_are_pruned():
    assert len(ConceptEncoder(CONCEPTS, prune=0.9).encode(["cat"]).values) == 1


@pytest.mark.parametrize("concepts", [["one"], ["same words", "words same"]])
def test_what_tells_nothing_apart_is_refused(concepts):
    with pytest.raises(UsageError, match="concepts"):
        ConceptEncoder(concepts)
