"""A mean and a rank correlation as one score: by hand, and as both apart under any weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import IsoglossError
from isogloss.evaluation.metrics.correlation import spearman
from isogloss.evaluation.mixed_score import mixed
from isogloss.evaluation.sample import Sample


def test_by_hand():
    pairs = Sample.of(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]), groups=[4, 4, 9], aggregate=spearman)
    both = mixed(Sample.of([1.0, 0.5], groups=[4, 7]), pairs)
    assert both.value() == pytest.approx((0.75 - 1) / 2)
    assert both.groups.tolist() == [0, 1, 2, 2, 3]


@given(st.integers(0, 1000), st.integers(1, 9), st.integers(3, 20))
def test_is_the_mean_of_both(seed, n, m):
    rng = np.random.default_rng(seed)
    values, pairs = Sample.of(rng.random(n)), Sample.of(rng.random((m, 2)), aggregate=spearman)
    weights = rng.integers(1, 4, (3, n + m)).astype(float)
    expected = (values.at(weights[:, :n]) + pairs.at(weights[:, n:])) / 2
    np.testing.assert_allclose(mixed(values, pairs).at(weights), expected)


def test_what_cannot_be_joined():
    with pytest.raises(IsoglossError, match="a mean and a correlation"):
        mixed(Sample.of([1.0]), Sample.of([1.0]))
