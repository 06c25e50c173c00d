"""Correlations equal SciPy's, as they are and re-weighted."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import IsoglossError, IsoglossWarning
from isogloss.evaluation.metrics.correlation import AGGREGATES, correlations, kendall, pearson, spearman

ORACLES = {"pearson": scipy.stats.pearsonr, "spearman": scipy.stats.spearmanr, "kendall": scipy.stats.kendalltau}


def test_hand_arithmetic():
    items = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0], [3.0, 7.0]])
    one = np.ones((1, 4))
    # ranks 1 2 3.5 3.5 and 2 1 3 4: sum of products of deviations 3.5, of squares 4.5 and 5
    assert spearman(items, one)[0] == pytest.approx(3.5 / np.sqrt(4.5 * 5))
    # deviations -1.25 -.25 .75 .75 and -1.25 -2.25 -.25 3.75
    assert pearson(items, one)[0] == pytest.approx(4.75 / np.sqrt(2.75 * 20.75))
    # pairs: 4 agree, 1 does not, 1 is tied on the left
    assert kendall(items, one)[0] == pytest.approx(3 / np.sqrt(5 * 6))


@pytest.mark.parametrize("name", list(ORACLES))
def test_equals_scipy_under_every_draw(name, data, agree):
    rows = [json.loads(line) for line in (data("sts-b") / "test.jsonl").read_text("utf-8").splitlines()][:400]
    gold = np.array([row["score"] for row in rows])
    overlap = np.array([len(set(row["a"].split()) & set(row["b"].split())) for row in rows], float)  # many ties
    sample = correlations(overlap, gold, names=[name])[name]
    agree(sample, lambda *columns: ORACLES[name](*columns).statistic, overlap, gold)


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=30), st.randoms())
def test_order_does_not_matter_and_sign_turns(pairs, random):
    items = np.array(pairs, float)
    shuffled = random.sample(pairs, len(pairs))
    for aggregate in AGGREGATES.values():
        value = aggregate(items, np.ones((1, len(items))))[0]
        assert aggregate(np.array(shuffled, float), np.ones((1, len(items))))[0] == pytest.approx(value, nan_ok=True)
        turned = aggregate(items * [1, -1], np.ones((1, len(items))))[0]
        assert turned == pytest.approx(-value, nan_ok=True)
        constant = len(set(items[:, 0])) == 1 or len(set(items[:, 1])) == 1
        assert np.isnan(value) == constant, "a constant column has no correlation, every other one has"


def test_a_draw_without_spread_is_nan_and_the_others_are_not():
    items = np.array([[0.1, 0.7], [2.0, 3.0], [3.0, 2.0]])  # three times .1 divided by 3 is not .1 in a computer
    weights = np.array([[3.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    for aggregate in AGGREGATES.values():
        found = aggregate(items, weights)
        assert np.isnan(found[0])
        assert np.isfinite(found[1])


def test_many_draws_are_measured_in_blocks(monkeypatch):
    numbers = np.random.default_rng(0)
    items, weights = numbers.normal(size=(40, 2)), numbers.integers(0, 3, (9, 40)).astype(float)
    whole = [aggregate(items, weights) for aggregate in AGGREGATES.values()]
    monkeypatch.setattr("isogloss.evaluation.metrics.correlation._BLOCK", 100)
    for before, aggregate in zip(whole, AGGREGATES.values(), strict=True):
        np.testing.assert_allclose(aggregate(items, weights), before, atol=1e-12)


def test_bad_numbers_are_errors():
    with pytest.raises(IsoglossError, match="2 of 3 are NaN or infinite, the first is item 1"):
        correlations([1.0, np.nan, np.inf], [1, 2, 3])
    with pytest.raises(IsoglossError, match="the true numbers are constant"):
        correlations([1.0, 2.0], [3, 3])
    with pytest.raises(IsoglossError, match="at least two items"):
        correlations([1.0], [3])
    with pytest.warns(IsoglossWarning, match="all 2 predicted numbers are 0.5"):
        found = correlations([0.5, 0.5], [1, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(np.isnan(sample.value()) for sample in found.values())
