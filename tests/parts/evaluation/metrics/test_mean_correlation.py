"""The mean of several encoders' rank correlations: by hand, as SciPy has it, and under the bootstrap's weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from isogloss.corpus.examples import ScoredPairs
from isogloss.encoders.lexical import WordEncoder
from isogloss.errors import IsoglossError
from isogloss.evaluation.mean_correlation import mean_spearman, spearman_over
from isogloss.evaluation.metrics.correlation import spearman


def test_by_hand():
    items = np.array([[1.0, 2.0, 1.0], [2.0, 1.0, 2.0], [3.0, 3.0, 3.0]])
    assert mean_spearman(items, np.ones((1, 3))).tolist() == pytest.approx([(1 + 0.5) / 2])


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(5, 30))
def test_as_scipy_on_the_repeated_sample(seed, models, n):
    rng = np.random.default_rng(seed)
    items, counts = rng.standard_normal((n, models + 1)), rng.integers(1, 4, (2, n))
    got = mean_spearman(items, counts.astype(float))
    for row, value in zip(counts, got, strict=True):
        drawn = np.repeat(items, row, axis=0)
        each = [spearmanr(drawn[:, column], drawn[:, -1]).statistic for column in range(models)]
        assert value == pytest.approx(np.mean(each))


def test_of_encoders():
    left = ["a red dog", "one cat", "the blue bird", "rain"]
    pairs = ScoredPairs(
        left, ["a dog", "two cats", "a bird", "snow"], np.array([4.0, 3.0, 1.0, 0.0]), np.array([0, 0, 1, 2])
    )
    encoders = [WordEncoder(), WordEncoder(language="en")]
    sample = spearman_over(encoders, pairs)
    alone = [spearman_over([one], pairs) for one in encoders]
    assert sample.value() == pytest.approx(np.mean([one.value() for one in alone]))
    assert sample.groups.tolist() == [0, 0, 1, 2]
    weights = np.array([[2.0, 2.0, 1.0, 0.0]])
    np.testing.assert_allclose(alone[0].at(weights), spearman(alone[0].items, weights))
    with pytest.raises(IsoglossError, match="needs one"):
        spearman_over([], pairs)
