"""Nearest class means and the head that forgets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.applications.linear_head import LinearHead
from isogloss.applications.prototypes import NearestMean
from isogloss.errors import NotFittedError, UsageError


def blobs(seed, classes=5, each=12, width=8):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((classes, width)) * 3
    labels = np.repeat(np.arange(classes), each)
    return (centres[labels] + rng.standard_normal((len(labels), width))).astype(np.float32), labels


@given(st.integers(0, 200), st.booleans())
def test_order_and_batches_do_not_matter(seed, cosine):
    x, y = blobs(seed)
    once = NearestMean(cosine=cosine).partial_fit(x, y)
    order = np.random.default_rng(seed + 1).permutation(len(x))
    often = NearestMean(cosine=cosine)
    for part in np.array_split(order, 7):
        often.partial_fit(x[part], y[part])
    np.testing.assert_allclose(once.means(), often.means(), atol=1e-6)
    assert once.labels_.tolist() == often.labels_.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("cosine", [True, False])
def test_it_is_scikit_learns(cosine):
    neighbors = pytest.importorskip("sklearn.neighbors")
    x, y = blobs(3)
    asked, _ = blobs(4)
    ours = NearestMean(cosine=cosine, normalised=False).partial_fit(x, y).predict(asked)
    if cosine:
        means = np.stack([x[y == c].mean(0) for c in range(5)])
        unit = asked / np.linalg.norm(asked, axis=1, keepdims=True)
        theirs = (unit @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T).argmax(1)
    else:
        theirs = neighbors.NearestCentroid().fit(x, y).predict(asked)
    np.testing.assert_array_equal(ours, theirs)


def test_a_new_class_moves_no_old_mean():
    x, y = blobs(0)
    heads = NearestMean().partial_fit(x[y < 3], y[y < 3])
    before = heads.means().copy()
    heads.partial_fit(x[y >= 3], y[y >= 3])
    np.testing.assert_array_equal(heads.means()[:3], before)
    assert heads.means().size == 5 * 8


def test_a_head_learns_and_forgets():
    x, y = blobs(1)
    joint = LinearHead(5).partial_fit(x, y)
    assert (joint.predict(x) == y).mean() > 0.95
    sequential = LinearHead(5)
    for label in range(5):
        sequential.partial_fit(x[y == label], y[y == label])
    assert (sequential.predict(x) == y).mean() < (joint.predict(x) == y).mean() - 0.2
    again = LinearHead(5).partial_fit(x, y)
    np.testing.assert_array_equal(joint.weights_, again.weights_)


def test_bad_input():
    with pytest.raises(NotFittedError):
        NearestMean().predict(np.zeros((1, 2)))
    with pytest.raises(NotFittedError):
        LinearHead(2).predict(np.zeros((1, 2)))
    with pytest.raises(UsageError, match="not match"):
        NearestMean().partial_fit(np.zeros((2, 2)), np.array([1]))
    with pytest.raises(UsageError, match="another shape"):
        NearestMean().partial_fit(np.ones((1, 2)), np.array([1])).predict(np.ones((1, 3)))
    with pytest.raises(UsageError, match="finite"):
        NearestMean().partial_fit(np.full((1, 2), np.nan), np.array([1]))
    with pytest.raises(UsageError, match="two classes"):
        LinearHead(1)
    with pytest.raises(UsageError, match="not match"):
        LinearHead(2).partial_fit(np.zeros((1, 2)), np.array([5]))
