"""Two stages: candidates by encodings, order by MaxSim; what the contract does not say."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.arrays import Ragged, counting
from isogloss.errors import UsageError
from isogloss.index.fixed_dimensional import FixedDimensionalEncoding
from isogloss.index.late_interaction import MaxSim
from isogloss.index.two_stage import TwoStage


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    return Ragged.from_list([rng.standard_normal((rng.integers(2, 9), 16)).astype(np.float32) for _ in range(300)])


@pytest.fixture
def queries(sets):
    noise = np.random.default_rng(1).standard_normal(sets.values.shape).astype(np.float32) / 4
    noisy = Ragged(sets.values + noise, sets.offsets)
    return Ragged.from_list([noisy[i] for i in range(40)])


def filled(index, sets):
    index.add(np.arange(len(sets)) * 3, sets)
    return index


def test_scores_are_exact_and_costs_fall_with_effort(sets, queries):
    encoding = FixedDimensionalEncoding(k_sim=3, d_proj=8, repetitions=8)
    index, exact = filled(TwoStage(encoding), sets), filled(MaxSim(), sets)
    truth = exact.search(queries, 5)
    recalls = []
    for effort in (0.02, 0.1, 1.0):
        found = index.search(queries, 5, effort=effort)
        recalls.append(np.mean([np.isin(a, b).mean() for a, b in zip(truth.rows, found.rows, strict=True)]))
        rows, scores = index.score_all(Ragged.from_list([queries[0]]))
        at = dict(zip(rows.tolist(), scores.tolist(), strict=True))
        np.testing.assert_allclose([at[int(row)] for row in found.rows[0]], found.scores[0], rtol=1e-5)
    assert recalls[0] < recalls[1] < recalls[2] == 1
    assert recalls[1] > 0.6
    with counting() as some_work:
        index.search(queries, 5, effort=0.02)
    with counting() as all_work:
        filled(TwoStage(FixedDimensionalEncoding(), rerank=True), sets).search(queries, 5)
    assert some_work.multiply_adds > 0
    assert all_work.multiply_adds > 0


def test_without_reranking_the_encodings_decide(sets, queries):
    encoding = FixedDimensionalEncoding(k_sim=2, repetitions=3)
    index = filled(TwoStage(encoding, rerank=False), sets)
    scores = encoding.queries(queries) @ encoding.documents(sets).T
    np.testing.assert_array_equal(index.search(queries, 1).rows[:, 0], scores.argmax(1) * 3)
    rows, one = index.score_all(Ragged.from_list([queries[1]]))
    np.testing.assert_allclose(one, scores[1], rtol=1e-4, atol=1e-4)
    assert rows.tolist() == list(range(0, 900, 3))


def test_what_is_refused(sets, queries):
    index = filled(TwoStage(FixedDimensionalEncoding()), sets)
    with pytest.raises(UsageError, match="effort"):
        index.search(queries, 3, effort=0)
    with pytest.raises(UsageError, match="sets"):
        index.search(np.ones((1, 16), np.float32), 3, effort=0.5)
