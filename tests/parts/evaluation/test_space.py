"""The shape of a space: hand values, brute force, invariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import IsoglossError
from isogloss.evaluation.space import anisotropy, effective_rank, isotropy, linear_cka, mean_cosines


def cloud(seed, n=40, d=6, shift=0.0):
    return np.random.default_rng(seed).standard_normal((n, d)) + shift


def orthogonal(seed, d):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]


def test_hand_values():
    assert mean_cosines(np.array([[1.0, 0], [1, 1], [0, 0]])).round(6).tolist() == [0.353553, 0.353553, 0.0]
    # singular values 3 and 1: shares 3/4 and 1/4
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert effective_rank(np.diag([3.0, 1.0]), centre=False) == pytest.approx(np.exp(entropy))
    assert effective_rank(np.ones((5, 3))) == 0.0
    # directions +-x and +-y: Z(x) = e + 1, Z(-x) = 1/e + 1, Z(+-y) of the second row alike
    assert isotropy(np.eye(2)) == pytest.approx((np.exp(-1) + 1) / (np.e + 1))
    assert linear_cka([[0.0], [1.0], [2.0]], [[0.0], [1.0], [0.0]]) == 0.0


@given(st.integers(0, 10_000), st.floats(0, 3))
def test_mean_cosines_are_those_of_all_pairs(seed, shift):
    rows = cloud(seed, n=9, shift=shift)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    pairs = unit @ unit.T
    np.testing.assert_allclose(mean_cosines(rows), (pairs.sum(1) - 1) / 8, atol=1e-12)
    assert anisotropy(rows) == pytest.approx(pairs[np.triu_indices(9, 1)].mean())


def test_linear_cka_is_the_centred_kernel_alignment():
    """The oracle is the definition by Gram matrices."""
    a, b = cloud(0), cloud(0)[:, :3] ** 2 + cloud(1, d=3)
    centre = np.eye(40) - 1 / 40
    left, right = centre @ a @ a.T @ centre, centre @ b @ b.T @ centre
    expected = (left * right).sum() / np.linalg.norm(left) / np.linalg.norm(right)
    assert linear_cka(a, b) == pytest.approx(expected)


@given(st.integers(0, 10_000), st.floats(0.1, 10))
def test_turning_and_scaling_change_nothing(seed, scale):
    rows, turn = cloud(seed, shift=0.5), orthogonal(seed, 6)
    turned = scale * rows @ turn
    assert anisotropy(turned) == pytest.approx(anisotropy(rows), abs=1e-9)
    assert effective_rank(turned) == pytest.approx(effective_rank(rows))
    assert linear_cka(rows, turned + 3) == pytest.approx(1)
    assert isotropy(rows @ turn) == pytest.approx(isotropy(rows))
    assert 1 <= effective_rank(rows) <= 6 + 1e-9


def test_a_cone_is_one_sided():
    assert anisotropy(cloud(0, 500, shift=5)) > 0.9 > 0.1 > abs(anisotropy(cloud(0, 500)))
    assert isotropy(cloud(0, 500, shift=5)) < 1e-6 < isotropy(cloud(0, 500) / 10)


def test_bad_input_is_refused():
    for wrong in (np.ones((1, 2)), np.ones(3), np.array([[np.nan, 1], [1, 1]])):
        with pytest.raises(IsoglossError):
            mean_cosines(wrong)
    with pytest.raises(IsoglossError, match="same items"):
        linear_cka(cloud(0, 5), cloud(0, 6))
    with pytest.raises(IsoglossError, match="constant"):
        linear_cka(cloud(0, 5), np.ones((5, 2)))
