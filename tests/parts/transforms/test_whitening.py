"""Whitening, centring, rotation and removal of top components: hand values, rival libraries, geometry as a property."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.transforms.centering import Centering
from isogloss.transforms.projection import TopComponentsRemoval
from isogloss.transforms.rotation import Rotation
from isogloss.transforms.whitening import Whitening

CROSS = np.array([[8.0, 7.0], [2.0, 7.0], [5.0, 8.0], [5.0, 6.0]])


def cloud(seed, n=60, d=7, rank=None):
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((n, rank or d)) @ rng.standard_normal((rank or d, d))
    return mixed + rng.standard_normal(d) * 3


def cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def test_hand_values():
    # the mean is (5, 7), the variances are 6 and 2/3 along the axes
    white = Whitening(eps=0.0).fit(CROSS)
    np.testing.assert_allclose(white.transform([[6.0, 9.0]]), [[1 / np.sqrt(6), 2 / np.sqrt(2 / 3)]])
    with_eps = Whitening(eps=3.0).fit(CROSS)
    np.testing.assert_allclose(with_eps.transform([[6.0, 7.0]]), [[1 / 3, 0]], atol=1e-12)
    shrunk = Whitening(eps=0.0, shrinkage=1.0).fit(CROSS)  # both variances become their mean, 10/3
    np.testing.assert_allclose(shrunk.transform([[6.0, 9.0]]), np.array([[1, 2]]) / np.sqrt(10 / 3))
    np.testing.assert_allclose(Centering().fit(CROSS).transform([[6.0, 9.0]]), [[1, 2]])
    np.testing.assert_allclose(TopComponentsRemoval().fit(CROSS).transform([[6.0, 9.0]]), [[0, 2]], atol=1e-12)


def test_equals_scikit_learns_whitening():
    decomposition = pytest.importorskip("sklearn.decomposition")
    vectors = cloud(0)
    theirs = decomposition.PCA(4, whiten=True).fit_transform(vectors)
    ours = Whitening(dimensions=4, eps=0.0).fit_transform(vectors)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-9)


def test_zca_is_the_inverse_root_of_the_covariance():
    linalg = pytest.importorskip("scipy.linalg")
    vectors = cloud(1)
    root = linalg.inv(linalg.sqrtm(np.cov(vectors.T)))
    np.testing.assert_allclose(Whitening(kind="zca", eps=0.0).fit(vectors).weights_, root, atol=1e-9)


def test_removal_equals_scikit_learns_residual():
    decomposition = pytest.importorskip("sklearn.decomposition")
    vectors = cloud(2)
    theirs = decomposition.PCA(2).fit(vectors)
    residual = vectors - theirs.inverse_transform(theirs.transform(vectors))
    np.testing.assert_allclose(TopComponentsRemoval(components=2).fit_transform(vectors), residual, atol=1e-9)
    np.testing.assert_allclose(
        TopComponentsRemoval(components=0).fit_transform(vectors), Centering().fit_transform(vectors), atol=1e-12
    )


@given(st.integers(0, 10_000), st.sampled_from(["pca", "zca"]), st.integers(2, 9), st.integers(4, 40))
def test_the_covariance_is_one_on_the_span_whatever_the_rank(seed, kind, rank, n):
    vectors = cloud(seed, n=n, d=9, rank=rank)
    white = Whitening(kind=kind, eps=0.0).fit(vectors)
    values = np.linalg.eigvalsh(np.cov(white.transform(vectors).T))
    expected = min(rank, n - 1)
    np.testing.assert_allclose(np.sort(values)[::-1][:expected], 1, atol=1e-5)
    np.testing.assert_allclose(np.sort(values)[::-1][expected:], 0, atol=1e-5)
    np.testing.assert_allclose(white.inverse_transform(white.transform(vectors)), vectors, atol=1e-6)
    # a new row outside of the span does not explode
    far = white.transform(vectors[:1] + 1e3)
    assert np.isfinite(far).all()


@given(st.integers(0, 10_000))
def test_whitening_takes_back_any_linear_map(seed):
    """White rows of ``x A + b`` are a rotation of white rows of ``x``: all inner products are equal."""
    rng, vectors = np.random.default_rng(seed), cloud(seed, d=5)
    mapped = vectors @ (rng.standard_normal((5, 5)) + 3 * np.eye(5)) + rng.standard_normal(5)
    one, other = (Whitening(eps=0.0).fit_transform(rows) for rows in (vectors, mapped))
    np.testing.assert_allclose(one @ one.T, other @ other.T, atol=1e-6)


@given(st.integers(0, 10_000), st.integers(0, 5))
def test_rotation_keeps_every_cosine_and_moves_the_rows(seed, number):
    vectors = cloud(seed)
    rotation = Rotation(seed=number).fit(vectors)
    turned = rotation.transform(vectors)
    np.testing.assert_allclose(cosines(turned), cosines(vectors - vectors.mean(0)), atol=1e-9)
    about_zero = Rotation(seed=number, centre=False).fit_transform(vectors)
    np.testing.assert_allclose(cosines(about_zero), cosines(vectors), atol=1e-9)
    np.testing.assert_allclose(rotation.inverse_transform(turned), vectors, atol=1e-9)
    assert np.abs(turned - vectors).max() > 0.1


def test_rotations_are_drawn_evenly():
    """The mean of an entry over draws is 0; without the moved signs LAPACK's diagonal is one-sided."""
    first = [Rotation(seed=seed).fit(np.ones((1, 3))).rotation_ for seed in range(400)]
    assert np.abs(np.mean(first, axis=0)).max() < 0.15
    assert np.abs(np.mean(np.square(first), axis=0) - 1 / 3).max() < 0.05


def test_few_rows_are_told_apart_from_many_by_shrinkage():
    vectors = cloud(3, n=5, d=9)
    new = cloud(4, n=30, d=9)
    plain, shrunk = Whitening(eps=0.0).fit(vectors), Whitening(eps=0.0, shrinkage=0.2).fit(vectors)
    assert np.linalg.matrix_rank(plain.transform(new)) == 4
    assert np.linalg.matrix_rank(shrunk.transform(new)) == 9


@given(st.integers(0, 10_000), st.floats(0, 1), st.sampled_from(["pca", "zca"]))
def test_strength_takes_a_part_of_the_way(seed, strength, kind):
    vectors = cloud(seed)
    before = np.linalg.eigvalsh(np.cov(vectors.T))
    soft = Whitening(kind=kind, eps=0.0, strength=strength).fit(vectors)
    after = np.linalg.eigvalsh(np.cov(soft.transform(vectors).T))
    np.testing.assert_allclose(np.sort(after), np.sort(before ** (1 - strength)), rtol=1e-6)
    np.testing.assert_allclose(soft.inverse_transform(soft.transform(vectors)), vectors, atol=1e-6)


def test_float32_stays_and_wrong_parameters_are_refused():
    vectors = cloud(5).astype(np.float32)
    for transform in (Whitening(dimensions=3), Rotation(), Centering(), TopComponentsRemoval()):
        assert transform.fit_transform(vectors).dtype == np.float32
    for wrong in (
        {"kind": "svd"},
        {"eps": -1},
        {"shrinkage": 2},
        {"strength": 1.1},
        {"dimensions": 0},
        {"dimensions": 8},
    ):
        with pytest.raises(ValueError, match=r"must|neither"):
            Whitening(**wrong).fit(vectors)
    with pytest.raises(ValueError, match=r"components=8 must lie in 0\.\.7"):
        TopComponentsRemoval(components=8).fit(vectors)
