"""Random projection: entries as drawn, scikit-learn's bound and sparsity, lengths kept on average."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.transforms.random_projection import RandomProjection, enough_dimensions


def matrix_of(projection, width):
    return projection.transform(np.eye(width)).T


def test_entries_by_hand():
    achlioptas = RandomProjection(dimensions=50, kind="sparse", density=1 / 3).fit(np.ones((2, 300)))
    drawn = matrix_of(achlioptas, 300)
    assert set(np.unique(drawn.round(6))) == {-round(np.sqrt(3 / 50), 6), 0.0, round(np.sqrt(3 / 50), 6)}
    assert abs((drawn != 0).mean() - 1 / 3) < 0.02
    assert abs((drawn > 0).mean() - (drawn < 0).mean()) < 0.02
    very = RandomProjection(dimensions=50, kind="sparse").fit(np.ones((2, 400)))
    assert abs((matrix_of(very, 400) != 0).mean() - 1 / 20) < 0.01
    gaussian = matrix_of(RandomProjection(dimensions=50).fit(np.ones((2, 300))), 300)
    assert abs(gaussian.var() * 50 - 1) < 0.05
    assert abs(gaussian.mean()) < 0.01


def test_the_bound_is_scikit_learns():
    theirs = pytest.importorskip("sklearn.random_projection")
    for rows in (2, 100, 10**6):
        for distortion in (0.1, 0.5, 0.9):
            assert (
                abs(enough_dimensions(rows, distortion) - theirs.johnson_lindenstrauss_min_dim(rows, eps=distortion))
                <= 1
            )


@pytest.mark.parametrize("kind", ["gaussian", "sparse"])
def test_distances_stay_within_the_bound(kind):
    points = np.random.default_rng(0).standard_normal((40, 900))
    near = RandomProjection(kind=kind, distortion=0.5, seed=3).fit_transform(points)
    assert near.shape == (40, enough_dimensions(40, 0.5))
    pairs = np.triu_indices(40, 1)
    before, after = (((side[pairs[0]] - side[pairs[1]]) ** 2).sum(1) for side in (points, near))
    assert (np.abs(after / before - 1) < 0.5).all()


@given(st.integers(0, 1000), st.sampled_from(["gaussian", "sparse"]), st.integers(1, 6))
def test_linear_repeatable_and_back_on_the_span(seed, kind, dimensions):
    rows = np.random.default_rng(seed).standard_normal((5, 9))
    projection = RandomProjection(dimensions=dimensions, kind=kind, density=0.9, seed=seed).fit(rows)
    again = RandomProjection(dimensions=dimensions, kind=kind, density=0.9, seed=seed).fit(rows + 7)
    near = projection.transform(rows)
    np.testing.assert_array_equal(near, again.transform(rows))
    np.testing.assert_allclose(projection.transform(rows[:1] - 2 * rows[1:2]), near[:1] - 2 * near[1:2], atol=1e-9)
    np.testing.assert_allclose(projection.transform(projection.inverse_transform(near)), near, atol=1e-6)


def test_wrong_parameters_are_refused():
    for wrong in ({"dimensions": 0}, {"density": 0.0, "kind": "sparse"}, {"density": 1.5}, {"kind": "dense"}):
        with pytest.raises(ValueError, match="must"):
            RandomProjection(**wrong).fit(np.ones((3, 4)))
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        enough_dimensions(10, 1.0)
