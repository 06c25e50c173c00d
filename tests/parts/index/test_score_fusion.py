"""Fusion of tables of scores: by hand, against brute force, and what changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isogloss.errors import UsageError
from isogloss.index.score_fusion import first_hits, fused_scores

TABLE = arrays(np.float64, (3, 7), elements=st.integers(-5, 9).map(float))


def brute(tables, depth, matched):
    """The formula, item by item."""
    out = np.zeros(tables[0].shape)
    for table, only in zip(tables, matched, strict=True):
        for query, row in enumerate(table):
            asked = [(-score, item) for item, score in enumerate(row) if score > 0 or not only]
            kept = [(item, -score) for score, item in sorted(asked)[:depth]]
            low, top = min((s for _, s in kept), default=0.0), max((s for _, s in kept), default=0.0)
            for item, score in kept:
                out[query, item] += (score - low) / (top - low) if top > low else 1.0
    return out


def test_by_hand():
    dense = np.array([[0.9, 0.5, 0.1, -0.3]])
    sparse = np.array([[0.0, 200.0, 0.0, 100.0]])
    # of dense the first three: 1, .5, 0; of sparse the two that match: 1 and 0
    assert fused_scores([dense, sparse], depth=3, matched=[False, True])[0].tolist() == pytest.approx([1, 1.5, 0, 0])
    assert fused_scores([dense, sparse], depth=3, weights=[2, 0.5], matched=[False, True])[0, 1] == 1.5
    assert first_hits(dense, 2).rows.tolist() == [[0, 1]]
    assert first_hits(-dense, 9, matched=True).rows.tolist() == [[3, *[-1] * 8]]


@given(TABLE, TABLE, st.integers(1, 8), st.booleans())
def test_against_brute_force(first, second, depth, only):
    matched = [False, only]
    found = fused_scores([first, second], depth=depth, matched=matched)
    np.testing.assert_allclose(found, brute([first, second], depth, matched), atol=1e-6)


@given(TABLE, st.integers(1, 8), st.floats(0.5, 4), st.floats(-3, 3))
def test_scale_and_origin_of_a_table_say_nothing(table, depth, scale, shift):
    np.testing.assert_allclose(
        fused_scores([table], depth=depth), fused_scores([np.round(table * scale + shift, 6)], depth=depth), atol=1e-4
    )


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="do not fit"):
        fused_scores([np.zeros((1, 2)), np.zeros((1, 3))])
    with pytest.raises(UsageError, match="not finite"):
        fused_scores([np.array([[np.nan]])])
