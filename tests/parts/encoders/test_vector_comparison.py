"""Comparisons of two sets of vectors, against scikit-learn and by their invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isogloss.encoders.vector_comparison import cosines, rounded_to, same_geometry, shared_width

vectors = arrays(np.float32, (5, 4), elements=st.floats(-100, 100, width=32))


@given(vectors, vectors, st.floats(0.01, 100))
def test_cosines_are_symmetric_and_free_of_scale(a, b, scale):
    found = cosines(a, b)
    assert np.abs(found).max() <= 1
    assert np.allclose(found, cosines(b, a))
    # scaling may push the smallest numbers of float32 to zero
    kept = (np.abs(a) > 1e-30).all() and (np.abs(b) > 1e-30).all()
    assert not kept or np.allclose(found, cosines((a * np.float32(scale)).astype(np.float32), b), atol=1e-5)


def test_cosines_equal_scikit_learn():
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 20, 8)).astype(np.float32)
    assert np.allclose(cosines(a, b), np.diag(pairwise.cosine_similarity(a, b)), atol=1e-6)


def test_cosines_that_are_no_numbers():
    a = np.array([[1, 0], [0, 0], [0, 0], [np.nan, 1]], np.float32)
    b = np.array([[1, 0], [0, 0], [1, 0], [1, 1]], np.float32)
    assert cosines(a, b).tolist() == [1, 1, -1, -1]
    assert cosines(a, b[:, :1]).tolist() == [-1] * 4


@given(arrays(np.float32, (3, 4), elements=st.floats(-10, 10, width=32)))
def test_rounding_is_seen(values):
    half = values.astype(np.float16).astype(np.float32)
    assert rounded_to(half) in ("float16", "bfloat16")
    brain = (values.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    assert rounded_to(brain) == "bfloat16"
    if rounded_to(values) == "float16":
        assert np.array_equal(half, values)


def test_rounding_of_nothing_and_of_full_precision():
    assert rounded_to(np.full((2, 2), np.nan, np.float32)) == ""
    assert rounded_to(np.array([[1 / 3, 0.1]], np.float32)) == ""
    assert rounded_to(np.array([[1e30, 1.0]], np.float32)) == ""


def test_a_rotation_keeps_the_geometry_and_another_model_does_not():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 30, 16)).astype(np.float32)
    turn = np.linalg.qr(rng.standard_normal((16, 16)))[0].astype(np.float32)
    assert same_geometry(a, a @ turn) > 0.9999
    assert abs(same_geometry(a, b)) < 0.3
    assert same_geometry(a, np.ones_like(a)) == 0


def test_shared_width():
    a = np.arange(12, dtype=np.float32).reshape(2, 6) + 1
    width, found = shared_width(a, a[:, :4] * 2)
    assert width == 4
    assert np.allclose(found, 1)
