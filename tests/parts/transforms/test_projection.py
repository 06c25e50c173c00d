"""PCA: hand values, scikit-learn's PCA and its estimator checks, geometry as a property."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import NotFittedError
from isogloss.transforms.projection import PCA


def cloud(seed, n=60, d=7):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * np.linspace(3, 0.5, d) + rng.standard_normal(d)


def test_hand_values():
    cross = np.array([[8.0, 7.0], [2.0, 7.0], [5.0, 8.0], [5.0, 6.0]])
    pca = PCA().fit(cross)
    np.testing.assert_allclose(pca.mean_, [5, 7])
    np.testing.assert_allclose(pca.components_, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(pca.explained_variance_, [6, 2 / 3])
    np.testing.assert_allclose(pca.explained_variance_ratio_, [0.9, 0.1])
    np.testing.assert_allclose(pca.transform([[6.0, 9.0]]), [[1, 2]])


def test_equals_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    vectors = cloud(0)
    ours, theirs = PCA(dimensions=4).fit(vectors), decomposition.PCA(4).fit(vectors)
    np.testing.assert_allclose(ours.explained_variance_, theirs.explained_variance_, rtol=1e-10)
    np.testing.assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, rtol=1e-10)
    np.testing.assert_allclose(np.abs(ours.transform(vectors)), np.abs(theirs.transform(vectors)), atol=1e-10)
    np.testing.assert_allclose(
        ours.inverse_transform(ours.transform(vectors)), theirs.inverse_transform(theirs.transform(vectors)), atol=1e-10
    )


def test_without_centring_equals_truncated_singular_vectors():
    vectors = cloud(1)
    _, _, right = np.linalg.svd(vectors)
    pca = PCA(dimensions=3, centre=False).fit(vectors)
    np.testing.assert_allclose(np.abs(pca.components_ @ right[:3].T), np.eye(3), atol=1e-10)
    assert not pca.mean_.any()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("parameters", [{}, {"dimensions": 1}, {"centre": False}])
def test_obeys_scikit_learn(parameters):
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    checks.check_estimator(PCA(**parameters))


@given(st.integers(0, 10_000), st.integers(1, 7), st.booleans())
def test_projection_is_the_nearest_point_and_signs_are_fixed(seed, dimensions, centre):
    vectors = cloud(seed)
    pca = PCA(dimensions=dimensions, centre=centre).fit(vectors)
    np.testing.assert_allclose(pca.components_ @ pca.components_.T, np.eye(dimensions), atol=1e-9)
    strongest = pca.components_[np.arange(dimensions), np.abs(pca.components_).argmax(1)]
    assert (strongest > 0).all()
    left = vectors - pca.inverse_transform(pca.transform(vectors))
    np.testing.assert_allclose(left @ pca.components_.T, 0, atol=1e-8)
    # a row order does not matter
    np.testing.assert_allclose(
        PCA(dimensions=dimensions, centre=centre).fit(vectors[::-1]).explained_variance_, pca.explained_variance_
    )


def test_float32_stays_and_impossible_widths_are_refused():
    vectors = cloud(2).astype(np.float32)
    assert PCA(dimensions=2).fit_transform(vectors).dtype == np.float32
    with pytest.raises(ValueError, match=r"dimensions=8 must lie in 1\.\.7"):
        PCA(dimensions=8).fit(vectors)
    with pytest.raises(NotFittedError):
        PCA().transform(vectors)


def test_saved_and_loaded_is_the_same(tmp_path):
    pca = PCA(dimensions=2).fit(cloud(3))
    pca.save(tmp_path / "pca")
    again = PCA.load(tmp_path / "pca")
    assert again.identity == pca.identity
    assert np.array_equal(again.transform(cloud(4)), pca.transform(cloud(4)))
