"""Canonical correlation: by hand, scikit-learn's, and what follows from its definition."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.transforms.canonical_correlation import CanonicalCorrelation


def sides(seed, n=120, d=6, e=4, noise=1.0):
    """Two sides that share two hidden numbers a row."""
    rng = np.random.default_rng(seed)
    hidden = rng.standard_normal((n, 2))
    return tuple(hidden @ rng.standard_normal((2, w)) + noise * rng.standard_normal((n, w)) + 3 for w in (d, e))


def test_hand_values():
    # the second column of each side is the same but for its sign and size, the first ones have nothing in common
    first = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    second = np.column_stack([first[:, 0] * first[:, 1], -7 * first[:, 1] + 2])
    analysis = CanonicalCorrelation().fit(first, second)
    np.testing.assert_allclose(analysis.correlations_, [1, 0], atol=1e-12)
    np.testing.assert_allclose(np.abs(analysis.transform(first)[:, 0]), np.sqrt(3) / 2)  # of variance 1, divisor 3
    np.testing.assert_allclose(analysis.transform(first)[:, 0], analysis.transform_target(second)[:, 0], atol=1e-12)


def test_equals_scikit_learns():
    decomposition = pytest.importorskip("sklearn.cross_decomposition")
    first, second = sides(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs may say that it has not converged
        theirs = decomposition.CCA(2, max_iter=5000, tol=1e-12).fit(first, second)
    one, other = theirs.transform(first, second)
    expected = [np.corrcoef(one[:, i], other[:, i])[0, 1] for i in range(2)]
    ours = CanonicalCorrelation(dimensions=2).fit(first, second)
    np.testing.assert_allclose(ours.correlations_, expected, atol=1e-6)
    mine = ours.transform(first)
    for i in range(2):
        assert abs(np.corrcoef(one[:, i], mine[:, i])[0, 1]) == pytest.approx(1, abs=1e-6)


@given(st.integers(0, 10_000))
def test_variates_are_white_and_correlate_as_said_whatever_the_basis(seed):
    first, second = sides(seed)
    analysis = CanonicalCorrelation().fit(first, second)
    one, other = analysis.transform(first), analysis.transform_target(second)
    np.testing.assert_allclose(np.cov(one.T), np.eye(4), atol=1e-8)
    np.testing.assert_allclose(one.T @ other / 119, np.diag(analysis.correlations_), atol=1e-8)
    mixed = first @ np.random.default_rng(seed).standard_normal((6, 6)) + 9
    np.testing.assert_allclose(
        CanonicalCorrelation().fit(mixed, second).correlations_, analysis.correlations_, atol=1e-6
    )
    near = analysis.inverse_transform(one)
    np.testing.assert_allclose(analysis.transform(near), one, atol=1e-7)


def test_constant_columns_do_no_harm_and_constant_sides_are_refused():
    first, second = sides(1)
    with_constant = np.column_stack([first, np.full(120, 5.0)])
    plain, padded = (CanonicalCorrelation().fit(side, second) for side in (first, with_constant))
    np.testing.assert_allclose(padded.correlations_, plain.correlations_, atol=1e-9)
    np.testing.assert_allclose(padded.weights_[-1], 0, atol=1e-9)
    with pytest.raises(ValueError, match="all 4 columns of y are constant"):
        CanonicalCorrelation().fit(first, np.ones((120, 4)))


def test_too_few_pairs_are_refused_unless_shrunk():
    rng = np.random.default_rng(2)
    first, second = rng.standard_normal((8, 10)), rng.standard_normal((8, 10))  # nothing in common
    with pytest.raises(ValueError, match=r"8 pairs .* correlate fully whatever they are"):
        CanonicalCorrelation().fit(first, second)
    shrunk = CanonicalCorrelation(shrinkage=0.5).fit(first, second)
    assert shrunk.correlations_[0] < 0.8
    with pytest.raises(ValueError, match=r"dimensions=11 must lie in 1\.\.10"):
        CanonicalCorrelation(dimensions=11, shrinkage=0.5).fit(first, second)


def test_float32_stays():
    first, second = (side.astype(np.float32) for side in sides(3))
    analysis = CanonicalCorrelation().fit(first, second)
    assert analysis.transform(first).dtype == analysis.transform_target(second).dtype == np.float32
