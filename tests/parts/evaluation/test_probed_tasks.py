"""Probes over several tasks: hand values on planted vectors, scikit-learn, scale does not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.examples import LabelledTexts
from isogloss.errors import IsoglossError
from isogloss.evaluation.probed_tasks import ProbedTask, probe_tasks, split_task


class Planted:
    """A text is its number; component 0 tells odd from even, the others are noise of the text's own."""

    def __init__(self, signal=1.0, scale=1.0):
        self.signal, self.scale = signal, scale

    def encode(self, inputs, **_):
        rows = [np.random.default_rng(int(text)).standard_normal(6) for text in inputs]
        for row, text in zip(rows, inputs, strict=True):
            row[0] = row[0] + 4 * self.signal * (int(text) % 2)
        return (self.scale * np.array(rows)).astype(np.float32)


def task(start, turned=False):
    def part(first, count):
        numbers = np.arange(first, first + count)
        names = ["odd", "even"] if turned else ["even", "odd"]
        return LabelledTexts([str(one) for one in numbers], (numbers % 2) ^ int(turned), names)

    return ProbedTask(part(start, 200), part(start + 200, 50), part(start + 250, 100))


def test_what_is_planted_is_found_and_noise_is_not():
    tasks = {"one": task(0), "two": task(1000)}
    found = probe_tasks(Planted(), tasks)
    assert len(found) == 200
    assert found.value() > 0.9 > 0.65 > probe_tasks(Planted(signal=0), tasks).value() > 0.35
    assert len(probe_tasks(Planted(), tasks, on="dev")) == 100


def test_labels_are_compared_by_name():
    mixed = ProbedTask(task(0).train, task(0).dev, task(0, turned=True).test)
    assert probe_tasks(Planted(), {"mixed": mixed}).value() == probe_tasks(Planted(), {"same": task(0)}).value()


def test_one_strength_is_scikit_learns_regression_on_standard_scores():
    linear_model, preprocessing = (
        pytest.importorskip("sklearn.linear_model"),
        pytest.importorskip("sklearn.preprocessing"),
    )
    one, encoder = task(0), Planted(signal=0.4)
    scaler = preprocessing.StandardScaler().fit(encoder.encode(one.train.texts))
    model = linear_model.LogisticRegression(C=0.1).fit(
        scaler.transform(encoder.encode(one.train.texts)), one.train.labels
    )
    right = model.predict(scaler.transform(encoder.encode(one.test.texts))) == one.test.labels
    assert probe_tasks(encoder, {"one": one}, strengths=(0.1,)).items[:, 0].tolist() == right.tolist()


@given(st.floats(1e-3, 1e3))
def test_scale_does_not_matter(scale):
    tasks = {"one": task(0)}
    assert abs(probe_tasks(Planted(0.4, scale), tasks).value() - probe_tasks(Planted(0.4), tasks).value()) <= 0.02


def test_parts_never_meet_and_the_test_part_stays():
    data, test = task(0).train, task(5000).test
    splits = [split_task(data, test, draw=np.random.default_rng(seed), most=50, most_test=7) for seed in (0, 1)]
    for one in splits:
        assert (len(one.train.texts), len(one.dev.texts)) == (40, 10)
        assert not set(one.train.texts) & set(one.dev.texts)
    assert splits[0].test.texts == splits[1].test.texts == test.texts[:7]
    assert splits[0].train.texts != splits[1].train.texts
    with pytest.raises(IsoglossError, match="five training texts"):
        split_task(data, test, draw=np.random.default_rng(0), most=4)
    with pytest.raises(IsoglossError, match="nothing to probe"):
        probe_tasks(Planted(), {})
