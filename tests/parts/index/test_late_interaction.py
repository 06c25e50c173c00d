"""MaxSim: by hand, against a loop, and over blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import Ragged, counting
from isogloss.errors import UsageError
from isogloss.index import late_interaction
from isogloss.index.late_interaction import MaxSim, max_sim


def sets(rng, count, width=5, longest=6):
    return Ragged.from_list(
        [rng.standard_normal((rng.integers(1, longest + 1), width)).astype(np.float32) for _ in range(count)]
    )


def slow(query, document):
    return sum(max(float(q @ p) for p in document) for q in query)


def test_by_hand():
    query = np.array([[1, 0], [0, 2]], np.float32)
    documents = Ragged(np.array([[1, 1], [3, 0], [-1, -1]], np.float32), np.array([0, 2, 3]))
    # first: max(1, 3) + max(2, 0) = 5; second: -1 - 2 = -3
    assert max_sim(query, documents).tolist() == [5.0, -3.0]


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_it_is_the_loop(seed, count):
    rng = np.random.default_rng(seed)
    documents, queries = sets(rng, count), sets(rng, 2)
    for query in queries:
        np.testing.assert_allclose(max_sim(query, documents), [slow(query, one) for one in documents], atol=1e-4)


def test_blocks_do_not_matter(monkeypatch):
    rng = np.random.default_rng(3)
    documents, query = sets(rng, 40), sets(rng, 1)[0]
    whole = max_sim(query, documents)
    for block in (1, 7, 30):
        monkeypatch.setattr(late_interaction, "_BLOCK_TOKENS", block)
        np.testing.assert_allclose(max_sim(query, documents), whole, atol=1e-5)


def test_costs_are_counted():
    rng = np.random.default_rng(0)
    documents, query = sets(rng, 10), sets(rng, 1)
    index = MaxSim()
    index.add(np.arange(10), documents)
    with counting() as ledger:
        index.search(query, 3)
    assert ledger.multiply_adds == len(query.values) * len(documents.values) * 5


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (np.ones((1, 5), np.float32), "sets of vectors"),
        (Ragged(np.ones((1, 5), np.float32), np.array([0, 1, 1])), "empty"),
        (Ragged(np.ones((2, 4), np.float32), np.array([0, 1, 2])), "width"),
        (Ragged(np.full((2, 5), np.nan, np.float32), np.array([0, 1, 2])), "not finite"),
        (Ragged(np.ones((1, 5), np.float32), np.array([0, 1])), "do not match"),
    ],
)
def test_what_is_refused(vectors, words):
    index = MaxSim()
    index.add(np.array([0]), Ragged(np.ones((1, 5), np.float32), np.array([0, 1])))
    with pytest.raises(UsageError, match=words):
        index.add(np.array([1, 2]), vectors)
    assert len(index) == 1


def test_a_query_of_another_width_is_refused():
    index = MaxSim()
    index.add(np.array([0]), Ragged(np.ones((1, 5), np.float32), np.array([0, 1])))
    with pytest.raises(UsageError, match="widths"):
        index.search(Ragged(np.ones((1, 4), np.float32), np.array([0, 1])), 1)
