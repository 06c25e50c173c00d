"""Maps between two spaces: by hand, SciPy's Procrustes, scikit-learn's ridge, a planted rotation found again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.transforms.alignment import Procrustes, RidgeAlignment


def sides(seed, n=60, d=6, e=6, noise=0.3):
    rng = np.random.default_rng(seed)
    first = rng.standard_normal((n, d))
    return first, first @ rng.standard_normal((d, e)) + noise * rng.standard_normal((n, e))


def test_hand_values():
    first, second = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.0, 2.0], [-2.0, 0.0]])
    assert Procrustes().fit(first, second).transform([[3.0, 4.0]]).round(9).tolist() == [[-4, 3]]
    assert Procrustes(scale=True).fit(first, second).transform([[3.0, 4.0]]).round(9).tolist() == [[-8, 6]]
    # a quarter turn about the means (1, 0) and (5, 5)
    moved = Procrustes(centre=True).fit(2 * first + np.array([0, -1]), second + np.array([6, 4]))
    assert moved.mean_.tolist() == [1, 0]
    assert moved.target_mean_.tolist() == [5, 5]
    np.testing.assert_allclose(moved.transform([[2.0, 0.0]]), [[0, 1]], atol=1e-12)
    np.testing.assert_allclose(moved.inverse_transform([[0.0, 1.0]]), [[2, 0]], atol=1e-12)


def test_ridge_by_hand():
    # (1 + 4 + ridge)^-1 (2 + 8)
    for ridge, expected in ((0.0, 2.0), (5.0, 1.0)):
        assert RidgeAlignment(ridge=ridge).fit([[1.0], [2.0]], [[2.0], [4.0]]).weights_[0, 0] == pytest.approx(expected)


def test_procrustes_equals_scipys():
    linalg = pytest.importorskip("scipy.linalg")
    spatial = pytest.importorskip("scipy.spatial")
    first, second = sides(0)
    theirs, total = linalg.orthogonal_procrustes(first, second)
    np.testing.assert_allclose(Procrustes().fit(first, second).weights_, theirs, atol=1e-12)
    scaled = Procrustes(scale=True).fit(first, second).weights_
    np.testing.assert_allclose(scaled, theirs * total / (first**2).sum(), atol=1e-12)
    # SciPy's other one centres, scales both to size 1 and returns what is left
    _, _, left = spatial.procrustes(second, first)
    fitted = Procrustes(centre=True, scale=True).fit(first, second)
    target = fitted.transform_target(second)
    assert ((fitted.transform(first) - target) ** 2).sum() / (target**2).sum() == pytest.approx(left)


def test_ridge_equals_scikit_learns():
    linear = pytest.importorskip("sklearn.linear_model")
    first, second = sides(1, e=4)
    for centre in (False, True):
        theirs = linear.Ridge(alpha=3.0, fit_intercept=centre).fit(first, second)
        ours = RidgeAlignment(ridge=3.0, centre=centre).fit(first, second)
        np.testing.assert_allclose(ours.weights_, theirs.coef_.T, atol=1e-9)
        np.testing.assert_allclose(ours.transform(first) + ours.target_mean_, theirs.predict(first), atol=1e-9)


@given(st.integers(0, 10_000), st.booleans(), st.booleans(), st.integers(2, 8), st.integers(2, 8))
def test_the_map_is_orthogonal_and_finds_a_planted_rotation(seed, normalise, centre, width, other):
    rng = np.random.default_rng(seed)
    first = rng.standard_normal((30, width)) + 1
    planted = np.linalg.qr(rng.standard_normal((width, width)))[0]
    found = Procrustes(normalise=normalise, centre=centre).fit(first, first @ planted)
    np.testing.assert_allclose(found.weights_, planted, atol=1e-8)
    np.testing.assert_allclose(found.transform(first), found.transform_target(first @ planted), atol=1e-8)
    second = rng.standard_normal((30, other))
    weights = Procrustes(normalise=normalise, centre=centre).fit(first, second).weights_
    short = weights if width >= other else weights.T
    np.testing.assert_allclose(short.T @ short, np.eye(min(width, other)), atol=1e-9)
    if not normalise:
        np.testing.assert_allclose(found.inverse_transform(found.transform(first)), first, atol=1e-8)


def test_no_other_rotation_is_nearer():
    first, second = sides(2, noise=2.0)
    best = ((first @ Procrustes().fit(first, second).weights_ - second) ** 2).sum()
    for seed in range(50):
        other = np.linalg.qr(np.random.default_rng(seed).standard_normal((6, 6)))[0]
        assert ((first @ other - second) ** 2).sum() > best


@pytest.mark.parametrize("transform", [Procrustes(), RidgeAlignment()])
def test_what_cannot_be_learnt_is_said(transform):
    first, second = sides(3)
    with pytest.raises(ValueError, match=r"5 pairs leave a .* 6 dimensions open"):
        transform.fit(first[:5], second[:5])
    with pytest.raises(ValueError, match="X has 60 rows and y has 59"):
        transform.fit(first, second[:-1])
    with pytest.raises(ValueError, match="the target y is None"):
        transform.fit(first)
    with pytest.raises(ValueError, match="NaN"):
        transform.fit(first, np.where(second > 1, np.nan, second))
    fitted = transform.fit(first.astype(np.float32), second.astype(np.float32))
    assert fitted.transform(first.astype(np.float32)).dtype == np.float32
    with pytest.raises(ValueError, match="y has 5 columns"):
        fitted.transform_target(second[:, 1:])
    with pytest.raises(ValueError, match="5 columns, but transform of this"):
        fitted.inverse_transform(second[:, 1:])
    with pytest.raises(ValueError, match="must not be negative"):
        RidgeAlignment(ridge=-1).fit(first, second)


def test_rows_are_scaled_before_centring_and_after():
    first, second = np.array([[2.0, 0.0], [0.0, 5.0]]), np.array([[3.0, 0.0], [0.0, 0.5]])
    mapping = Procrustes(normalise=True, centre=True).fit(first, second)
    assert mapping.target_mean_.tolist() == [0.5, 0.5]
    np.testing.assert_allclose(mapping.transform_target([[7.0, 0.0]]), [[np.sqrt(0.5), -np.sqrt(0.5)]])


def test_a_single_column_may_be_flat():
    first, second = sides(4, e=1)
    np.testing.assert_array_equal(
        RidgeAlignment().fit(first, second[:, 0]).weights_, RidgeAlignment().fit(first, second).weights_
    )
