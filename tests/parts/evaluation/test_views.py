"""Views of a label: the world keeps its promise, the estimate sees where it is broken."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.errors import UsageError
from isogloss.evaluation.views import conditional_dependence, gaussian_views


def test_the_world_is_what_it_says():
    views = gaussian_views(40_000, classes=3, dimensions=4, spread=2.0, correlation=0.6, seed=2)
    assert views.first.shape == views.second.shape == (40_000, 4)
    for label in range(3):
        mine = views.labels == label
        assert abs(mine.mean() - 1 / 3) < 0.02
        np.testing.assert_allclose(np.cov(views.first[mine].T), np.eye(4), atol=0.06)
        np.testing.assert_allclose(np.cov(views.second[mine].T), np.eye(4), atol=0.06)
    assert abs(conditional_dependence(views.first, views.second, views.labels) - 0.6) < 0.05


def test_independent_views_depend_through_the_label_only():
    views = gaussian_views(20_000, dimensions=6, seed=1)
    assert conditional_dependence(views.first, views.second, views.labels) < 0.03
    assert conditional_dependence(views.first, views.second, np.zeros(20_000, int)) > 0.1


def test_it_rises_with_the_correlation_and_ignores_scale():
    found = []
    for correlation in (0.0, 0.3, 0.6, 0.9):
        views = gaussian_views(4000, dimensions=5, correlation=correlation, seed=3)
        found.append(conditional_dependence(views.first * 7, views.second + 3, views.labels))
        np.testing.assert_allclose(found[-1], conditional_dependence(views.first, views.second, views.labels))
    assert found == sorted(found)


def test_other_counts_are_of_the_same_world():
    few, many = gaussian_views(2000, seed=5), gaussian_views(4000, seed=5)
    for label in range(4):
        gap = few.first[few.labels == label].mean(0) - many.first[many.labels == label].mean(0)
        assert np.abs(gap).max() < 0.3
    assert len(many.part(slice(0, 10))) == 10


def test_bad_input():
    for wrong in ({"correlation": 1.1}, {"classes": 1}, {"dimensions": 0}):
        with pytest.raises(UsageError, match="no such world"):
            gaussian_views(10, **wrong)
    with pytest.raises(UsageError, match="do not match"):
        conditional_dependence(np.zeros((3, 1)), np.zeros((4, 1)), np.zeros(3, int))
