"""What every transform promises: scikit-learn's own checks, and files that give it back bit for bit."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from isogloss.errors import NotFittedError
from isogloss.transforms.pairs import PairedEstimator


@pytest.fixture
def vectors():
    return np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)


def fit(made, vectors):
    """Fit; where a second set of vectors is needed, on a copy turned, bent and a column shorter."""
    if isinstance(made, PairedEstimator):
        return made.fit(vectors, np.roll(vectors, 2, axis=1)[:, 1:] ** 3 + vectors[:, 1:])
    return made.fit(vectors)


def test_scikit_learns_checks_pass(transform):
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = checks.check_estimator(transform(), on_skip=None, on_fail=None)
    assert len(results) > 40
    assert [f"{one['check_name']}: {one['exception']}" for one in results if one["status"] == "failed"] == []


def test_saved_and_loaded_it_is_the_same(transform, vectors, tmp_path):
    fitted = fit(transform(), vectors)
    fitted.save(tmp_path / "transform")
    loaded = type(fitted).load(tmp_path / "transform")
    assert loaded.identity == fitted.identity
    assert loaded.get_params() == fitted.get_params()
    np.testing.assert_array_equal(loaded.transform(vectors), fitted.transform(vectors))


def test_identity_tells_fits_apart(transform, vectors):
    first, again, other = fit(transform(), vectors), fit(transform(), vectors), fit(transform(), vectors**3 + 1)
    assert first.identity == again.identity
    assert (other.identity == first.identity) == getattr(transform(), "data_free", False)
    with pytest.raises(NotFittedError):
        _ = transform().identity


def test_rows_do_not_depend_on_each_other(transform, vectors):
    fitted = fit(transform(), vectors)
    together = np.asarray(fitted.transform(vectors), np.float64)
    alone = np.concatenate([np.asarray(fitted.transform(vectors[i : i + 1]), np.float64) for i in range(len(vectors))])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_input_is_not_changed(transform, vectors):
    before = vectors.copy()
    fit(transform(), vectors).transform(vectors)
    np.testing.assert_array_equal(vectors, before)


def test_the_width_is_checked(transform, vectors):
    with pytest.raises(ValueError, match="features"):
        fit(transform(), vectors).transform(vectors[:, :-1])
