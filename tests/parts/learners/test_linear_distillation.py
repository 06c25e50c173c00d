"""Linear distillation: hand arithmetic, scikit-learn's ridge and a dense solution as oracles, a planted teacher."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import CSR, normalise
from isogloss.errors import UsageError
from isogloss.learners.linear_distillation import linear_distillation, ridge_solution

sparse = pytest.importorskip("scipy.sparse")


def bags(seed=0, n=400, width=30):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.15 + 0.6 * (np.arange(width) < 5), (n, width)).astype(np.float32)
    counts[:, 5] += counts.sum(1) == 0
    return counts


def as_csr(counts):
    return CSR.fromcsr(sparse.csr_matrix(counts))


def test_ridge_by_hand():
    # one column seen twice with 1: (2 + 2) E = 1 + 3 + 2 * 4
    found = ridge_solution(
        sparse.csr_matrix(np.ones((2, 1), np.float32)),
        np.array([[1.0], [3.0]], np.float32),
        np.array([[4.0]], np.float32),
        np.zeros((1, 1), np.float32),
        2.0,
        3,
    )
    np.testing.assert_allclose(found, [[3.0]], rtol=1e-6)


@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_ridge_equals_a_dense_solution(seed, ridge):
    rng = np.random.default_rng(seed)
    matrix, wanted, centre = bags(seed, 60, 8), rng.standard_normal((60, 3)), rng.standard_normal((8, 3))
    exact = np.linalg.solve(matrix.T @ matrix + ridge * np.eye(8), matrix.T @ wanted + ridge * centre)
    found = ridge_solution(
        sparse.csr_matrix(matrix),
        wanted.astype(np.float32),
        centre.astype(np.float32),
        np.zeros((8, 3), np.float32),
        ridge,
        40,
    )
    np.testing.assert_allclose(found, exact, atol=2e-4)


def test_ridge_equals_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model")
    matrix, wanted = bags(1), np.random.default_rng(1).standard_normal((400, 4)).astype(np.float32)
    zeros = np.zeros((30, 4), np.float32)
    theirs = linear.Ridge(alpha=3.0, fit_intercept=False).fit(matrix, wanted).coef_.T
    np.testing.assert_allclose(
        ridge_solution(sparse.csr_matrix(matrix), wanted, zeros, zeros, 3.0, 60), theirs, atol=1e-4
    )


def test_a_planted_table_is_found_again():
    rng = np.random.default_rng(2)
    counts = bags(2, 3000)
    truth = rng.standard_normal((30, 6)).astype(np.float32)
    teacher = normalise(counts @ truth)
    tokens = normalise(truth + rng.standard_normal((30, 6)).astype(np.float32))  # a poor start
    table = linear_distillation(
        as_csr(counts[:2500]), teacher[:2500], tokens, dimensions=6, ridge=0.01, rounds=6, iterations=20
    )
    start = linear_distillation(as_csr(counts[:2500]), teacher[:2500], tokens, dimensions=6, rounds=0)
    reached, begun = (
        np.einsum("ij,ij->i", normalise(counts[2500:] @ t.rows), t.targets(teacher[2500:])).mean()
        for t in (table, start)
    )
    assert begun < 0.9 < 0.98 < reached
    assert table.kept == pytest.approx(1.0)


def test_unrelated_targets_are_not_learnt():
    rng = np.random.default_rng(3)
    counts, teacher = bags(3, 3000), normalise(rng.standard_normal((3000, 6)).astype(np.float32))
    table = linear_distillation(
        as_csr(counts[:2500]), teacher[:2500], rng.standard_normal((30, 6)).astype(np.float32), dimensions=6
    )
    agreement = np.einsum("ij,ij->i", normalise(counts[2500:] @ table.rows), table.targets(teacher[2500:]))
    assert abs(agreement.mean()) < 0.06


def test_rows_left_out_are_zero_and_the_rest_is_fitted_without_them():
    counts, rng = bags(4), np.random.default_rng(4)
    teacher, tokens = (
        normalise(rng.standard_normal((400, 5)).astype(np.float32)),
        rng.standard_normal((30, 5)).astype(np.float32),
    )
    table = linear_distillation(as_csr(counts), teacher, tokens, dimensions=3, leave_out=np.array([0, 7]))
    assert not table.rows[[0, 7]].any()
    assert table.rows[[1, 6, 8]].all()
    assert table.rows.shape == (30, 3)
    assert 0 < table.kept < 1
    without = counts.copy()
    without[:, [0, 7]] = 0
    # the frequencies still count them; with a large smoothing these do not matter
    a = linear_distillation(as_csr(counts), teacher, tokens, dimensions=3, leave_out=np.array([0, 7]), smoothing=1e6)
    b = linear_distillation(as_csr(without), teacher, tokens, dimensions=3, leave_out=np.array([0, 7]), smoothing=1e6)
    np.testing.assert_allclose(a.rows, b.rows, atol=1e-4)


def test_the_start_weighs_tokens_by_smooth_inverse_frequency():
    counts = np.zeros((10, 3), np.float32)
    counts[:, 0], counts[:5, 1], counts[:1, 2] = 6, 6, 10  # 60, 30 and 10 of 100 tokens
    tokens = np.array([[1, 0], [0, 1], [-1, -1]], np.float32)  # their mean is zero
    teacher = normalise(np.random.default_rng(6).standard_normal((10, 2)).astype(np.float32))
    table = linear_distillation(as_csr(counts), teacher, tokens, dimensions=2, rounds=0, smoothing=0.1)
    lengths = np.linalg.norm(table.rows, axis=1)
    weights = 0.1 / (0.1 + np.array([0.6, 0.3, 0.1]))
    np.testing.assert_allclose(lengths / lengths[0], weights * [1, 1, 2**0.5] / weights[0], rtol=1e-5)


def test_same_input_same_table():
    counts, rng = bags(5), np.random.default_rng(5)
    teacher, tokens = rng.standard_normal((400, 5)).astype(np.float32), rng.standard_normal((30, 5)).astype(np.float32)
    one, two = (linear_distillation(as_csr(counts), teacher, tokens, dimensions=4) for _ in range(2))
    assert np.array_equal(one.rows, two.rows)


@pytest.mark.parametrize(
    ("n", "width", "deep", "dimensions", "reason"),
    [(0, 3, 4, 2, "no texts"), (2, 3, 4, 9, "teacher has 4"), (2, 4, 4, 2, "counts")],
)
def test_misfits_are_refused(n, width, deep, dimensions, reason):
    counts = as_csr(np.ones((n, 3), np.float32))
    with pytest.raises(UsageError, match=reason):
        linear_distillation(
            counts, np.ones((n, deep), np.float32), np.ones((width, deep), np.float32), dimensions=dimensions
        )
