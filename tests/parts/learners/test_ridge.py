"""Ridge regression: by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.learners.ridge import ridge


def test_by_hand():
    # centred: x = (-1, 1), y = (-1, 1); w = 2 / (2 + 2) = 1/2, offset 1 - .5 * 1
    found = ridge(np.array([[0.0], [2.0]]), np.array([0.0, 2.0]), penalty=2.0)
    assert found.weights.tolist() == [[0.5]]
    assert found.offset.tolist() == [0.5]


@given(st.integers(0, 300), st.floats(0.01, 50))
def test_it_is_scikit_learns(seed, penalty):
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((12, 4)), rng.standard_normal((12, 3))
    theirs = linear.Ridge(alpha=penalty).fit(x, y)
    np.testing.assert_allclose(ridge(x, y, penalty=penalty)(x), theirs.predict(x), atol=1e-8)


def test_fewer_rows_than_columns():
    x, y = np.random.default_rng(0).standard_normal((3, 8)), np.arange(3.0)
    np.testing.assert_allclose(ridge(x, y, penalty=0.0)(x)[:, 0], y, atol=1e-10)


def test_bad_input():
    for x, y in ((np.zeros((2, 1)), np.zeros(3)), (np.zeros((0, 1)), np.zeros(0)), (np.zeros(3), np.zeros(3))):
        with pytest.raises(UsageError, match="match"):
            ridge(x, y)
    with pytest.raises(UsageError, match="finite"):
        ridge(np.array([[np.nan]]), np.zeros(1))
    with pytest.raises(UsageError, match="negative"):
        ridge(np.zeros((1, 1)), np.zeros(1), penalty=-1)
