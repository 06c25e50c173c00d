"""Removal of the common component: by hand, against scikit-learn's truncated SVD, orthogonal to what is removed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.transforms.common_component import CommonComponentRemoval


def test_hand_values():
    corpus = np.array([[3.0, 0.0], [4.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(CommonComponentRemoval().fit(corpus).transform([[9.0, 5.0]]), [[0, 5]], atol=1e-12)
    # second moments 25 and 1: of the two directions 25/26 and 1/26 are taken off
    partly = CommonComponentRemoval(components=2, weighting="variance").fit(corpus)
    np.testing.assert_allclose(partly.shares_, [25 / 26, 1 / 26])
    np.testing.assert_allclose(partly.transform([[26.0, 26.0]]), [[1, 25]])


def test_equals_scikit_learns_truncated_svd():
    decomposition = pytest.importorskip("sklearn.decomposition")
    vectors = np.random.default_rng(0).standard_normal((80, 9)) + 2
    theirs = decomposition.TruncatedSVD(2, algorithm="arpack").fit(vectors).components_
    ours = CommonComponentRemoval(components=2).fit_transform(vectors)
    np.testing.assert_allclose(ours, vectors - vectors @ theirs.T @ theirs, atol=1e-9)


@given(st.integers(0, 10_000), st.integers(0, 5))
def test_nothing_is_left_along_the_components_and_twice_is_once(seed, components):
    vectors = np.random.default_rng(seed).standard_normal((30, 5)) + 1
    removal = CommonComponentRemoval(components=components).fit(vectors)
    new = np.random.default_rng(seed + 1).standard_normal((4, 5)) * 9
    left = removal.transform(new)
    np.testing.assert_allclose(left @ removal.components_.T, 0, atol=1e-9)
    np.testing.assert_allclose(removal.transform(left), left, atol=1e-9)


def test_wrong_parameters_are_refused_and_float32_stays():
    vectors = np.random.default_rng(0).standard_normal((30, 5)).astype(np.float32)
    assert CommonComponentRemoval().fit_transform(vectors).dtype == np.float32
    with pytest.raises(ValueError, match=r"components=6 must lie in 0\.\.5"):
        CommonComponentRemoval(components=6).fit(vectors)
    with pytest.raises(ValueError, match="neither 'full' nor 'variance'"):
        CommonComponentRemoval(weighting="half").fit(vectors)
