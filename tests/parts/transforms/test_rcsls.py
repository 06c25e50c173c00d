"""RCSLS: criterion and gradient against their formula and finite differences, and what it gains over the rotation."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.transforms.alignment import Procrustes
from isogloss.transforms.hubness import CSLS
from isogloss.transforms.rcsls import RCSLS


def sides(seed, n=300, d=10, noise=0.5):
    """A map that is far from a rotation."""
    rng = np.random.default_rng(seed)
    first = rng.standard_normal((n, d)) @ np.diag(np.linspace(0.3, 2, d))
    return first, first @ rng.standard_normal((d, d)) + noise * rng.standard_normal((n, d))


def _units(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_criterion_is_the_formula_and_its_gradient_that_of_finite_differences():
    rng = np.random.default_rng(0)
    first, second, sources, targets = (_units(rng.standard_normal((n, 4))) for n in (6, 6, 9, 8))
    weights = rng.standard_normal((4, 4))
    mapping = RCSLS(neighbours=3)
    mapping._near = sources, targets
    loss, slope = mapping._criterion(weights, first, second)
    to_targets, to_sources = first @ weights @ targets.T, second @ (sources @ weights).T
    near = (np.sort(scores, axis=1)[:, -3:].mean(1) for scores in (to_targets, to_sources))
    assert loss == pytest.approx((sum(near) - 2 * ((first @ weights) * second).sum(1)).mean())
    for i, j in ((0, 0), (2, 3), (3, 1)):
        step = np.zeros((4, 4))
        step[i, j] = 1e-6
        up, down = (mapping._criterion(weights + sign * step, first, second)[0] for sign in (1, -1))
        assert slope[i, j] == pytest.approx((up - down) / 2e-6, abs=1e-6)


def test_without_steps_it_is_the_rotation_and_no_step_raises_the_criterion():
    first, second = sides(1)
    rotation = Procrustes(normalise=True).fit(first, second)
    np.testing.assert_allclose(RCSLS(steps=0).fit(first, second).weights_, rotation.weights_, atol=1e-12)
    losses = RCSLS(steps=12, rate=40.0).fit(first, second).losses_
    assert (np.diff(losses) <= 0).all()
    assert losses[-1] < losses[0]


def test_more_translations_are_found_than_by_the_rotation():
    first, second = sides(2, n=600, noise=1.5)
    right = []
    for mapping in (Procrustes(normalise=True), RCSLS(steps=30)):
        mapping.fit(first[:400], second[:400])
        mapped, target = mapping.transform(first), mapping.transform_target(second)
        scaling = CSLS().fit(mapped)
        right.append(((scaling.queries(mapped) @ scaling.transform(target).T).argmax(1) == np.arange(600))[400:].mean())
    assert right[1] > right[0] + 0.03


def test_spectral_keeps_every_direction_from_stretching():
    first, second = sides(3)
    assert np.linalg.norm(RCSLS(rate=9.0).fit(first, second).weights_, 2) > 1.1
    assert np.linalg.norm(RCSLS(rate=9.0, spectral=True).fit(first, second).weights_, 2) < 1 + 1e-9


def test_vocabularies_count_and_wrong_input_is_refused():
    first, second = sides(4)
    alone = RCSLS(neighbours=3).fit(first[:100], second[:100])
    whole = RCSLS(neighbours=3).fit(first[:100], second[:100], sources=first, targets=second)
    assert np.abs(alone.weights_ - whole.weights_).max() > 1e-6
    with pytest.raises(ValueError, match="9 pairs"):
        RCSLS().fit(first[:9], second[:9])
    with pytest.raises(ValueError, match="must be positive"):
        RCSLS(neighbours=0).fit(first, second)
    with pytest.raises(ValueError, match="y has 9 columns"):
        RCSLS().fit(first, second, targets=second[:, 1:])
