"""Encoders joined: by hand, against NumPy's decomposition, against scikit-learn's canonical correlation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.ensemble import average, concatenation, correlation, decomposition, joined
from isogloss.encoders.static import bundled_static
from isogloss.encoders.word_table import word_table
from isogloss.errors import UsageError
from isogloss.protocols import EncodeReport


def sources(seed=0, rows=200, widths=(6, 4), shared=2, noise=0.5):
    """Views of the same few numbers, each with noise of its own."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((rows, shared))
    return common, [
        common @ rng.standard_normal((shared, width)) + noise * rng.standard_normal((rows, width)) for width in widths
    ]


def units(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_by_hand():
    parts = [np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[2.0], [5.0]])]
    np.testing.assert_allclose(concatenation([2, 1]).apply(parts), [[0.6, 0.8, 1], [0, 0, 1]], atol=1e-7)
    np.testing.assert_allclose(average([2, 1], [3, 1]).apply(parts), [[0.7, 0.6], [0.25, 0]], atol=1e-7)


def test_the_decomposition_is_numpys():
    _, parts = sources()
    joint = decomposition(parts, 3, [1, 2])
    whole = np.concatenate([units(parts[0]), 2 * units(parts[1])], axis=1)
    left, values, _ = np.linalg.svd(whole, full_matrices=False)
    np.testing.assert_allclose(np.abs(joint.apply(parts)), np.abs(left[:, :3] * values[:3]), atol=1e-5)


def test_two_sources_are_correlated_as_in_cca():
    cross = pytest.importorskip("sklearn.cross_decomposition")
    _, parts = sources(noise=1.0)
    joint = correlation(parts, 1, ridge=1e-9)
    one, other = ((units(p) - c) @ m for p, c, m in zip(parts, joint.centres, joint.maps, strict=True))
    theirs = cross.CCA(n_components=1, scale=False, max_iter=5000, tol=1e-10).fit_transform(*map(units, parts))
    expected = np.corrcoef(theirs[0][:, 0], theirs[1][:, 0])[0, 1]
    np.testing.assert_allclose(np.corrcoef(one[:, 0], other[:, 0])[0, 1], expected, atol=1e-4)


def test_correlation_finds_what_the_sources_share():
    common, parts = sources(seed=3, rows=500, widths=(8, 8, 8), shared=1, noise=2.0)

    def likeness(found):
        return abs(np.corrcoef(found[:, 0], common[:, 0])[0, 1])

    best = max(likeness(units(part) @ np.eye(8)[:, [i]]) for part in parts for i in range(8))
    assert likeness(correlation(parts, 1).apply(parts)) > best


@given(st.integers(0, 99))
def test_turning_a_source_changes_neither_decomposition_nor_correlation(seed):
    _, parts = sources(seed, rows=40)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((6, 6)))
    turned = [parts[0] @ turn, parts[1]]
    for fit in (decomposition, correlation):
        before, after = fit(parts, 2).apply(parts), fit(turned, 2).apply(turned)
        np.testing.assert_allclose(before @ before.T, after @ after.T, atol=1e-4)


def test_a_text_that_one_encoder_does_not_know_is_the_others():
    red = word_table(["red", "both"], np.array([[1, 0], [0, 1]], np.float32))
    blue = word_table(["blue", "both"], np.array([[1, 0], [0, 1]], np.float32))
    found = joined([red, blue], "average").encode(["red", "blue", "both", "none"])
    np.testing.assert_allclose(found, [[1, 0], [1, 0], [0, 1], [0, 0]], atol=1e-7)


def test_an_ensemble_says_what_it_is_made_of():
    report = EncodeReport()
    both = joined([bundled_static(), bundled_static()], name="twice")
    both.encode(["a dog", "a cat"], report=report)
    assert (both.name, both.dimensions, both.speed, report.texts) == ("twice", 512, "fast", 2)
    assert both.languages == bundled_static().languages


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"join": "svd"}, "fitted on texts"), ({"join": "mean"}, "not joined"), ({"weights": [1]}, "weights"),
     ({"join": "gcca", "texts": ["a dog", "a cat"], "dimensions": 9}, "cannot be made")],
)  # fmt: skip
def test_what_cannot_be_joined_is_said(settings, said):
    with pytest.raises(UsageError, match=said):
        joined([bundled_static(), bundled_static()], **settings)
