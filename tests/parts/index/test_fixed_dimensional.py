"""Fixed-dimensional encodings: by hand, against loops after the paper, and what the theory promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import Ragged
from isogloss.errors import UsageError
from isogloss.index.fixed_dimensional import FixedDimensionalEncoding
from isogloss.index.late_interaction import max_sim
from isogloss.seeding import generator


def some(seed, count, width=6):
    rng = np.random.default_rng(seed)
    return Ragged.from_list([rng.standard_normal((rng.integers(1, 9), width)).astype(np.float32) for _ in range(count)])


def loops(one, sets, document):
    """The definition with loops; the same draws."""
    d, cells = sets.values.shape[1], 2**one.k_sim
    size = one.d_proj or d
    rows = []
    for vectors in sets:
        blocks = []
        for repetition in range(one.repetitions):
            rng = generator(one.seed, "fixed dimensional encoding", repetition)
            planes = rng.standard_normal((d, one.k_sim)).astype(np.float32)
            signs = rng.choice([-1.0, 1.0], (d, size)) / np.sqrt(size)
            places = [sum(1 << j for j in range(one.k_sim) if v @ planes[:, j] > 0) for v in vectors]
            for cell in range(cells):
                inside = [v for v, place in zip(vectors, places, strict=True) if place == cell]
                if document and not inside and one.fill_empty:
                    nearest = min(range(len(vectors)), key=lambda i: (bin(places[i] ^ cell).count("1"), i))
                    inside = [vectors[nearest]]
                block = np.sum(inside, axis=0) if inside else np.zeros(d)
                if document and inside and one.document == "mean":
                    block = block / len(inside)
                blocks.append(block @ signs if one.d_proj else block)
        rows.append(np.concatenate(blocks))
    return np.array(rows)


@pytest.mark.parametrize("settings", [{}, {"fill_empty": False}, {"document": "sum"}, {"d_proj": None}, {"k_sim": 0}])
def test_it_is_the_definition(settings):
    one = FixedDimensionalEncoding(**{"k_sim": 2, "d_proj": 3, "repetitions": 2, "seed": 5, **settings})
    sets = some(1, 7)
    np.testing.assert_allclose(one.queries(sets), loops(one, sets, document=False), atol=1e-5)
    np.testing.assert_allclose(one.documents(sets), loops(one, sets, document=True), atol=1e-5)
    assert one.queries(sets).shape == (7, one.width(6))


@given(st.integers(0, 1000))
def test_one_cell_gives_sum_times_mean_exactly(seed):
    one = FixedDimensionalEncoding(k_sim=0, d_proj=None, repetitions=1)
    queries, documents = some(seed, 2), some(seed + 1, 3)
    expected = [[q.sum(0) @ p.mean(0) for p in documents] for q in queries]
    np.testing.assert_allclose(one.queries(queries) @ one.documents(documents).T, expected, rtol=1e-3, atol=1e-3)


@given(st.integers(0, 200))
def test_a_query_vector_that_the_document_holds_alone_scores_itself(seed):
    """One vector on each side: every cell that the query hits holds the document's vector (filled or its own)."""
    one = FixedDimensionalEncoding(k_sim=3, d_proj=None, repetitions=4, seed=seed)
    query, document = (Ragged(v[None].astype(np.float32), np.array([0, 1])) for v in some(seed, 2, 8).values[:2])
    scores = one.queries(query) @ one.documents(document).T / one.repetitions
    np.testing.assert_allclose(scores[0, 0], max_sim(query[0], document)[0], rtol=1e-4, atol=1e-4)


def test_the_spread_over_seeds_falls_with_repetitions():
    queries, documents = some(1, 1), some(2, 1)

    def spread(repetitions):
        scores = []
        for seed in range(60):
            one = FixedDimensionalEncoding(k_sim=3, d_proj=4, repetitions=repetitions, seed=seed)
            scores.append((one.queries(queries) @ one.documents(documents).T)[0, 0] / repetitions)
        return np.std(scores)

    assert 0.35 < spread(20) / spread(5) < 0.7  # one over the root of four is .5


def test_seeds_and_settings():
    sets = some(0, 3)
    first, again = (FixedDimensionalEncoding(seed=3).queries(sets) for _ in range(2))
    assert (first == again).all()
    assert (first != FixedDimensionalEncoding(seed=4).queries(sets)).any()
    for wrong in ({"k_sim": -1}, {"k_sim": 17}, {"repetitions": 0}, {"d_proj": 0}):
        with pytest.raises(UsageError):
            FixedDimensionalEncoding(**wrong)


def test_random_cells_keep_the_cost_and_lose_the_order():
    documents = some(3, 60, 16)
    queries = Ragged(documents.values[documents.offsets[:20]].copy(), np.arange(21))  # a vector of each document
    truth = [int(max_sim(query, documents).argmax()) for query in queries]
    hits = {}
    for cells in ("simhash", "random"):
        one = FixedDimensionalEncoding(k_sim=4, d_proj=None, repetitions=10, cells=cells)
        best = (one.queries(queries) @ one.documents(documents).T).argmax(1)
        hits[cells] = np.mean(best == truth)
    assert hits["simhash"] > hits["random"] + 0.3
