"""Names of documents: all different, none begins another, near documents share beginnings."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.transforms.document_ids import atomic_ids, digit_ids, hierarchical_ids


def told_apart(names):
    ordered = sorted(names)
    return all(other[: len(one)] != one for one, other in pairwise(ordered))


@given(st.integers(1, 300), st.integers(2, 12))
def test_digits_are_the_number_and_equally_many(count, base):
    names = digit_ids(count, base=base)
    assert [sum(digit * base**place for place, digit in enumerate(reversed(name))) for name in names] == list(
        range(count)
    )
    assert len({len(name) for name in names}) == 1
    assert base ** len(names[0]) >= count > base ** (len(names[0]) - 1) or len(names[0]) == 1
    assert told_apart(names)
    assert told_apart(atomic_ids(count))


@given(st.integers(1, 60), st.integers(2, 5), st.integers(1, 9), st.integers(0, 5))
def test_paths_are_told_apart_and_leaves_are_small(count, branching, leaf, seed):
    vectors = np.random.default_rng(seed).standard_normal((count, 3))
    vectors[count // 2 :] = vectors[0]  # points that no clustering can part
    names = hierarchical_ids(vectors, branching=branching, leaf=leaf)
    assert len(set(names)) == count
    assert told_apart(names)
    for path in {name[:-1] for name in names}:
        numbers = [name[-1] for name in names if name[:-1] == path]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) <= leaf
    assert max((digit for name in names for digit in name[:-1]), default=0) < branching
    assert names == hierarchical_ids(vectors, branching=branching, leaf=leaf)


def test_documents_of_a_planted_cluster_share_their_path():
    random = np.random.default_rng(1)
    centres = random.standard_normal((6, 8)) * 20
    labels = np.arange(60) % 6
    names = hierarchical_ids(centres[labels] + random.standard_normal((60, 8)), branching=6, leaf=12)
    first = np.array([name[0] for name in names])
    assert all(len(set(first[labels == label])) == 1 for label in range(6))
    assert len(set(first)) == 6


@pytest.mark.parametrize(
    "call",
    [
        lambda: atomic_ids(0),
        lambda: digit_ids(5, base=1),
        lambda: hierarchical_ids(np.zeros((0, 2))),
        lambda: hierarchical_ids(np.zeros(4)),
        lambda: hierarchical_ids(np.zeros((4, 1)), branching=1),
        lambda: hierarchical_ids(np.zeros((4, 1)), leaf=0),
    ],
)
def test_what_cannot_be_named_is_refused(call):
    with pytest.raises(UsageError):
        call()
