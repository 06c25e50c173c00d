"""Series, matrices and their agreement: by hand, against SciPy, and under chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.evaluation.variation import agreement, mantel, p_k, self_similarity, similarity_series


@given(st.integers(0, 200), st.integers(1, 4))
def test_series_and_matrix_are_the_loops(seed, window):
    vectors = np.random.default_rng(seed).standard_normal((9, 3))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    steps = [float(unit[i] @ unit[i + 1]) for i in range(8)]
    smooth = [np.mean(steps[i : i + window]) for i in range(9 - window)]
    np.testing.assert_allclose(similarity_series(vectors, window=window), smooth, atol=1e-5)
    pairs = [float(unit[i] @ unit[j]) for i in range(9) for j in range(i + 1, 9)]
    np.testing.assert_allclose(self_similarity(vectors), pairs, atol=1e-5)


def test_agreement_is_scipys_and_in_blocks():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    left = rng.standard_normal(80)
    right = left + rng.standard_normal(80)
    sample = agreement(left, right, block=20)
    assert sample.value() == pytest.approx(stats.spearmanr(left, right)[0], abs=1e-12)
    assert np.bincount(sample.groups).tolist() == [20, 20, 20, 20]


def test_mantel_sees_the_same_shape_and_no_other():
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((40, 8))
    r, p = mantel(vectors, vectors @ np.linalg.qr(rng.standard_normal((8, 8)))[0])
    assert r == pytest.approx(1, abs=1e-6)
    assert p == 1 / 201
    chances = [mantel(vectors, rng.standard_normal((40, 8)), permutations=39, seed=i)[1] for i in range(40)]
    assert 0.3 < np.mean(chances) < 0.7
    assert min(chances) >= 1 / 40


def test_p_k_by_hand():
    # length 6, border at 3, k = 2: pairs (0,2) (1,3) (2,4) (3,5); none found: the two across the border are wrong
    assert p_k([3], [], 6, k=2) == 0.5
    assert p_k([3], [3], 6, k=2) == 0
    assert p_k([3], [1, 2, 3, 4, 5], 6, k=1) == 4 / 5


def test_bad_input():
    with pytest.raises(UsageError, match="no series"):
        similarity_series(np.ones((1, 3)))
    with pytest.raises(UsageError, match="same places"):
        agreement(np.ones(4), np.ones(5))
    with pytest.raises(UsageError, match="outside"):
        p_k([0], [], 5)
    with pytest.raises(UsageError, match="same sentences"):
        mantel(np.ones((4, 1)), np.ones((5, 1)))
