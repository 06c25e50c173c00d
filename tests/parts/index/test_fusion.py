"""Fusion: hand values, a plain dictionary as the oracle, permutations."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import Hits
from isogloss.errors import UsageError
from isogloss.index.fusion import reciprocal_rank, weighted


def _hits(rows, scores=None):
    rows = np.array(rows)
    if scores is None:
        scores = np.where(rows >= 0, -np.arange(rows.shape[1], dtype=float), -np.inf)
    return Hits(rows, np.array(scores, np.float32))


@st.composite
def rankings(draw, parts=None):
    queries, out = draw(st.integers(1, 3)), []
    for _ in range(parts or draw(st.integers(1, 4))):
        width, rows, scores = draw(st.integers(0, 6)), [], []
        for _ in range(queries):
            found = draw(st.lists(st.integers(0, 8), max_size=width, unique=True))
            values = sorted(draw(st.lists(st.integers(-4, 4), min_size=len(found), max_size=len(found))), reverse=True)
            rows.append(found + [-1] * (width - len(found)))
            scores.append(values + [-np.inf] * (width - len(found)))
        out.append(
            Hits(np.array(rows, np.int64).reshape(queries, width), np.array(scores, np.float32).reshape(queries, width))
        )
    return out


def test_reciprocal_rank_by_hand():
    fused = reciprocal_rank([_hits([[5, 6, 7]]), _hits([[7, 5, -1]])], 4)
    assert fused.rows.tolist() == [[5, 7, 6, -1]]
    np.testing.assert_allclose(fused.scores[0, :3], [1 / 61 + 1 / 62, 1 / 63 + 1 / 61, 1 / 62], rtol=1e-6)
    assert fused.scores[0, 3] == -np.inf


def test_constant_and_weights_count():
    lists = [_hits([[1, 2]]), _hits([[2, 3]])]
    assert reciprocal_rank(lists, 1, constant=0, weights=[1, 0.1]).rows.tolist() == [[1]]
    assert reciprocal_rank(lists, 1, constant=0, weights=[1, 2]).rows.tolist() == [[2]]
    assert reciprocal_rank(lists, 3, constant=0).scores.tolist() == [[1.5, 1.0, 0.5]]


def test_weighted_by_hand():
    first = _hits([[1, 2, 3]], [[10, 7.5, 5]])
    second = _hits([[9, 2, -1]], [[0.5, 0.5, -np.inf]])  # all equal: each counts fully
    fused = weighted([first, second], 4, weights=[0.5, 0.25])
    assert fused.rows.tolist() == [[1, 2, 9, 3]]
    assert fused.scores.tolist() == [[0.5, 0.5, 0.25, 0.0]]


@given(rankings(), st.integers(0, 10), st.sampled_from([0.0, 1.0, 60.0]))
def test_reciprocal_rank_against_a_dictionary(hits, k, constant):
    fused = reciprocal_rank(hits, k, constant=constant)
    for query in range(len(hits[0])):
        sums = defaultdict(list)
        for one in hits:
            for rank, row in enumerate(one.rows[query], 1):
                if row >= 0:
                    sums[int(row)].append(1 / (constant + rank))
        ranked = sorted(((-np.float32(sum(sorted(part))), row) for row, part in sums.items()))[:k]
        assert fused.rows[query].tolist() == [row for _, row in ranked] + [-1] * (k - len(ranked))
        np.testing.assert_allclose(fused.scores[query, : len(ranked)], [-score for score, _ in ranked], rtol=1e-6)


@given(rankings(parts=3), st.permutations([0, 1, 2]))
def test_the_order_of_equally_weighted_rankings_does_not_matter(hits, order):
    for fuse in (reciprocal_rank, weighted):
        one, other = fuse(hits, 5), fuse([hits[i] for i in order], 5)
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.scores, other.scores)


@given(rankings())
def test_weighted_shares_lie_between_0_and_the_weights(hits):
    fused = weighted(hits, 30)
    found = fused.rows >= 0
    assert (fused.scores[found] >= 0).all()
    assert (fused.scores[found] <= len(hits)).all()
    everything = [{int(row) for one in hits for row in one.rows[i] if row >= 0} for i in range(len(fused))]
    assert [set(row[row >= 0].tolist()) for row in fused.rows] == everything


@given(rankings(parts=1))
def test_one_ranking_keeps_its_order(hits):
    width = hits[0].rows.shape[1]
    np.testing.assert_array_equal(reciprocal_rank(hits, width).rows, hits[0].rows)


def test_no_results_at_all():
    empty = _hits([[-1, -1], [-1, -1]])
    for fuse in (reciprocal_rank, weighted):
        assert fuse([empty, empty], 2).rows.tolist() == [[-1, -1], [-1, -1]]
        assert fuse([Hits(np.zeros((2, 0), np.int64), np.zeros((2, 0), np.float32))], 1).rows.tolist() == [[-1], [-1]]


def test_misuse_is_refused():
    one = _hits([[1]])
    for hits, options in (
        ([], {}),
        ([one], {"weights": [1, 2]}),
        ([one, _hits([[1], [2]])], {}),
        ([one], {"weights": [-1]}),
    ):
        for fuse in (reciprocal_rank, weighted):
            with pytest.raises(UsageError, match="cannot be fused"):
                fuse(hits, 3, **options)
    with pytest.raises(UsageError, match="constant"):
        reciprocal_rank([one], 1, constant=-1)
    with pytest.raises(UsageError, match="not finite"):
        weighted([_hits([[1]], [[np.nan]])], 1)
