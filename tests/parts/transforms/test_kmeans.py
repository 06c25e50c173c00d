"""k-means: by hand, against all partitions, and as good as scikit-learn's over many starts."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isogloss.errors import UsageError
from isogloss.transforms.kmeans import kmeans


def inertia(x, labels):
    return sum(((x[labels == one] - x[labels == one].mean(0)) ** 2).sum() for one in np.unique(labels))


def test_clear_clusters_by_hand():
    labels, centres = kmeans(np.array([[0.0, 0], [0, 2], [9, 0], [9, 2], [0, 1]]), 2)
    assert labels[0] == labels[1] == labels[4] != labels[2] == labels[3]
    assert sorted(map(tuple, centres.round(9).tolist())) == [(0.0, 1.0), (9.0, 1.0)]


def test_the_best_of_some_starts_is_the_best_of_all_partitions():
    random = np.random.default_rng(1)
    for _ in range(5):
        x = random.normal(size=(8, 2))
        best = min(
            inertia(x, np.array(parts)) for parts in itertools.product(range(3), repeat=8) if len(set(parts)) == 3
        )
        found = min(inertia(x, kmeans(x, 3, seed=seed)[0]) for seed in range(20))
        assert found == pytest.approx(best)


POINTS = arrays(
    np.float64, st.tuples(st.integers(1, 20), st.integers(1, 3)), elements=st.sampled_from([0.0, 1, 2, 5, 1e3])
)


@given(POINTS, st.integers(1, 20), st.integers(0, 5))
def test_every_item_is_nearest_to_its_own_centre(x, k, seed):
    k = min(k, len(x))
    labels, centres = kmeans(x, k, seed=seed)
    apart = ((x[:, None] - centres) ** 2).sum(2)
    assert np.allclose(apart[np.arange(len(x)), labels], apart.min(1), atol=1e-6)
    again, _ = kmeans(x, k, seed=seed)
    assert np.array_equal(labels, again)


def test_a_number_of_clusters_that_cannot_be_is_an_error():
    for k in (0, 4):
        with pytest.raises(UsageError):
            kmeans(np.zeros((3, 2)), k)


def test_starts_lead_as_far_as_those_of_scikit_learn():
    from sklearn.cluster import KMeans

    random = np.random.default_rng(7)
    x = random.normal(size=(15, 8))[random.integers(15, size=600)] + 0.6 * random.normal(size=(600, 8))
    ours = np.array([inertia(x, kmeans(x, 15, seed=seed)[0]) for seed in range(30)])
    theirs = np.array([KMeans(15, n_init=1, random_state=seed).fit(x).inertia_ for seed in range(30)])
    noise = np.hypot(ours.std(), theirs.std()) / np.sqrt(30)
    assert abs(ours.mean() - theirs.mean()) < 4 * noise
    assert ours.min() == pytest.approx(theirs.min(), rel=0.005)
