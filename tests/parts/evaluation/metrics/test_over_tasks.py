"""The mean over tasks: hand values, the mean of means, groups that stay apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import IsoglossError
from isogloss.evaluation.metrics.correlation import spearman
from isogloss.evaluation.metrics.over_tasks import over_tasks
from isogloss.evaluation.sample import Sample


def test_hand_values_and_groups():
    joined = over_tasks([Sample.of([1.0, 0.0, 0.0, 1.0], groups=[7, 7, 9, 9]), Sample.of([1.0], groups=[7])])
    assert joined.value() == 0.75
    assert joined.groups.tolist() == [0, 0, 1, 1, 2]
    assert joined.at(np.array([[2.0, 2, 1, 0, 5]])).tolist() == [(2 / 5 + 1) / 2]
    assert np.isnan(joined.at(np.array([[1.0, 1, 1, 1, 0]]))).all()


@given(st.lists(st.lists(st.floats(-5, 5), min_size=1, max_size=6), min_size=1, max_size=4), st.integers(0, 99))
def test_it_is_the_mean_of_the_means_under_any_weights(tasks, seed):
    weights = [np.random.default_rng(seed + i).integers(1, 4, len(task)) for i, task in enumerate(tasks)]
    expected = np.mean([np.average(task, weights=own) for task, own in zip(tasks, weights, strict=True)])
    joined = over_tasks([Sample.of(task) for task in tasks])
    assert joined.at(np.concatenate(weights)[None])[0] == pytest.approx(expected, abs=1e-9)


def test_what_is_no_mean_is_refused():
    for wrong in ([], [Sample.of(np.ones((3, 2)), aggregate=spearman)], [Sample.of([])]):
        with pytest.raises(IsoglossError):
            over_tasks(wrong)
