"""Probes against scikit-learn: the same predictions, and by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isogloss.arrays import CSR, Ragged, Similarity
from isogloss.errors import IsoglossError, IsoglossWarning, NotFittedError, UsageError
from isogloss.evaluation.probes import LinearProbe, LogisticProbe, dense, on_one_scale, vote_of_neighbours


def blobs(classes, n=240, d=12, spread=1.0, dtype=np.float32, seed=0):
    random = np.random.default_rng(seed)
    y = random.integers(classes, size=n)
    x = random.normal(size=(classes, d))[y] + spread * random.normal(size=(n, d))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(dtype), y


@pytest.mark.parametrize("classes", [2, 3, 20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("C", [0.1, 1.0, 30.0])
def test_logistic_regression_predicts_as_scikit_learn_does(classes, dtype, C):
    from sklearn.linear_model import LogisticRegression

    x, y = blobs(classes, dtype=dtype)
    asked, _ = blobs(classes, n=500, dtype=dtype, seed=1)
    ours, theirs = LogisticProbe(C, 500).fit(x, y * 3), LogisticRegression(C=C, max_iter=500).fit(x, y * 3)
    assert np.array_equal(ours.predict(asked), theirs.predict(asked))
    assert np.abs(ours.scores(asked) - theirs.decision_function(asked)).max() < (5e-3 if dtype == np.float32 else 1e-6)


def test_logistic_regression_by_hand():
    # two points at -1 and 1: by symmetry no intercept, and w solves w = 2 C / (1 + exp(w))
    probe = LogisticProbe(tolerance=1e-10).fit(np.array([[-1.0], [1.0]]), np.array([4, 9]))
    w = float(probe.weights[0, 0])
    assert w == pytest.approx(2 / (1 + np.exp(w)), abs=1e-6)
    assert float(probe.intercepts[0]) == pytest.approx(0, abs=1e-7)
    assert probe.predict(np.array([[-0.1], [0.1]])).tolist() == [4, 9]


@pytest.mark.parametrize("classes", [2, 4])
def test_the_gradient_is_that_of_the_loss(classes):
    from isogloss.evaluation.probes import _binary_loss, _softmax_loss

    x, y = blobs(classes, n=30, d=3, dtype=np.float64)
    loss = _binary_loss if classes == 2 else _softmax_loss
    flat = np.random.default_rng(3).normal(size=4 if classes == 2 else 4 * classes)
    _, gradient = loss(flat, x, y, 0.3)
    for place in range(len(flat)):
        step = np.zeros(len(flat))
        step[place] = 1e-6
        slope = (loss(flat + step, x, y, 0.3)[0] - loss(flat - step, x, y, 0.3)[0]) / 2e-6
        assert slope == pytest.approx(gradient[place], abs=1e-7)


def test_what_a_probe_cannot_do_is_said():
    x, y = blobs(3, spread=0.01)
    with pytest.raises(IsoglossError, match="a classifier needs two labels"):
        LogisticProbe().fit(x, np.zeros(len(x), int))
    with pytest.warns(IsoglossWarning, match="stopped after 2 steps"):
        LogisticProbe(1000.0, 2).fit(x, y)
    with pytest.raises(NotFittedError):
        LogisticProbe().predict(x)
    with pytest.raises(NotFittedError):
        LinearProbe().predict(x)
    with pytest.raises(UsageError, match="one vector a text"):
        dense(Ragged.from_list([x, x]))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 10.0])
@pytest.mark.parametrize("shape", [(60, 5), (10, 30)])
def test_linear_regression_predicts_as_scikit_learn_does(alpha, shape):
    from sklearn.linear_model import LinearRegression, Ridge

    random = np.random.default_rng(5)
    x, y, asked = random.normal(size=shape), random.normal(size=shape[0]), random.normal(size=(7, shape[1]))
    theirs = (Ridge(alpha) if alpha else LinearRegression()).fit(x, y)
    assert np.abs(LinearProbe(alpha).fit(x, y).predict(asked) - theirs.predict(asked)).max() < 1e-9


def test_neighbours_vote_as_in_scikit_learn():
    from sklearn.neighbors import KNeighborsClassifier

    x, y = blobs(6)
    asked, _ = blobs(6, n=300, seed=2)
    for k in (1, 3, 8):
        theirs = KNeighborsClassifier(k, metric="cosine").fit(x, y).predict(asked)
        assert np.array_equal(vote_of_neighbours(x, y, asked, Similarity.COSINE, k), theirs)
    with pytest.raises(UsageError, match="choose k between"):
        vote_of_neighbours(x, y, asked, Similarity.COSINE, 999)


@given(arrays(np.float32, (5, 7), elements=st.sampled_from([0.0, 0.0, 0.5, -2.0])))
def test_sparse_vectors_are_spread_out_without_loss(table):
    import scipy.sparse

    csr = CSR.fromcsr(scipy.sparse.csr_matrix(table))
    spread = dense(csr)
    assert np.array_equal(spread @ spread.T, table @ table.T)
    y = np.arange(5) % 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IsoglossWarning)
        a, b = (LogisticProbe().fit(x, y).scores(x) for x in (spread, table))
    assert np.allclose(a, b, atol=1e-4)


@given(arrays(np.float64, (6, 3), elements=st.floats(-5, 5)), st.floats(1e-3, 1e3), st.floats(-9, 9))
def test_neither_scale_nor_place_changes_what_a_probe_sees(x, scale, shift):
    if np.ptp(x, axis=0).max() < 0.1:
        return
    a, b = on_one_scale(x[:4], x[4:])
    c, d = on_one_scale(x[:4] * scale + shift, x[4:] * scale + shift)
    if np.ptp(x[:4], axis=0).max() >= 0.1:
        assert (a**2).sum() / 4 == pytest.approx(1.0)
        assert np.allclose(a, c, atol=1e-6)
        assert np.allclose(b, d, atol=1e-4)
