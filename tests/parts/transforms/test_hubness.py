"""Scaling against hubs: CSLS and the inverted softmax by hand, by brute force, and where a hub stands in the way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.transforms import hubness
from isogloss.transforms.hubness import CSLS, InvertedSoftmax, mean_nearest, strongest


def units(seed, n, d):
    rows = np.random.default_rng(seed).standard_normal((n, d))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_hand_values():
    queries, documents = np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([[0.0, 3.0], [5.0, 0.0]])
    scaling = CSLS(neighbours=2).fit(queries)
    made = scaling.transform(documents)
    # cosines of the documents to the queries: 0 and 0.8, 1 and 0.6
    np.testing.assert_allclose(made, [[0, 2, -0.4], [2, 0, -0.8]])
    np.testing.assert_allclose(scaling.queries(queries) @ made.T, [[-0.4, 1.2], [1.2, 0.4]])
    softmax = InvertedSoftmax(sharpness=2.0).fit(queries)
    chances = np.exp(2 * softmax.queries(queries) @ softmax.transform(documents).T)
    expected = np.exp([[0, 2], [1.6, 1.2]])
    np.testing.assert_allclose(chances, expected / expected.sum(0))


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_csls_ranks_as_the_formula_by_brute_force(seed, k):
    queries, documents = units(seed, 9, 4), units(seed + 1, 11, 4)
    cosines = queries @ documents.T
    near_documents = np.sort(cosines, axis=1)[:, -k:].mean(1)
    near_queries = np.sort(cosines, axis=0)[-k:].mean(0)
    formula = 2 * cosines - near_documents[:, None] - near_queries
    scaling = CSLS(neighbours=k).fit(queries)
    made = scaling.queries(queries) @ scaling.transform(documents).T
    np.testing.assert_allclose(made - near_documents[:, None], formula, atol=1e-9)


@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(1, 60))
def test_the_strongest_do_not_depend_on_the_blocks(seed, k, table):
    queries, documents = units(seed, 7, 3), units(seed + 1, 6, 3)
    before, hubness._TABLE = hubness._TABLE, table
    try:
        scores, rows = strongest(queries, documents, k)
        near = mean_nearest(queries, documents, k)
    finally:
        hubness._TABLE = before
    truth = np.sort(queries @ documents.T, axis=1)[:, -k:]
    np.testing.assert_allclose(np.sort(scores, axis=1), truth, atol=1e-12)
    np.testing.assert_allclose(np.take_along_axis(queries @ documents.T, rows, 1), scores, atol=1e-12)
    np.testing.assert_allclose(near, truth.mean(1), atol=1e-12)


@pytest.mark.parametrize("scaling", [CSLS(neighbours=20), InvertedSoftmax(sharpness=30)])
def test_a_planted_hub_loses(scaling):
    documents = units(0, 40, 8)
    common = np.full(8, 1 / np.sqrt(8))
    queries = documents + 1.2 * common  # all queries lean to one side,
    queries += 0.1 * units(1, 40, 8)
    hub = np.vstack([documents, common])  # where one more document sits
    plain = queries @ hub.T
    assert (plain.argmax(1) == 40).mean() > 0.3
    scaled = scaling.fit(queries).queries(queries) @ scaling.transform(hub).T
    assert (scaled.argmax(1) == np.arange(40)).mean() > (plain.argmax(1) == np.arange(40)).mean() + 0.3


def test_wrong_parameters_and_the_way_back():
    for wrong in (CSLS(neighbours=0), InvertedSoftmax(sharpness=0)):
        with pytest.raises(ValueError, match="must be"):
            wrong.fit(np.eye(3))
    scaling = CSLS().fit(np.eye(3, dtype=np.float32))
    made = scaling.transform(4 * np.eye(3, dtype=np.float32))
    assert made.dtype == np.float32
    assert scaling.inverse_transform(made).tolist() == np.eye(3).tolist()
