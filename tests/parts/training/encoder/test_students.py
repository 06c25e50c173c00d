"""A student's linear map: scikit-learn's ridge regression on the same states, exact where the targets are linear."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

pytest.importorskip("torch")

from isogloss.errors import UsageError
from isogloss.objectives.distillation import FeatureDistillation
from isogloss.seeding import generator
from isogloss.training.fine_tuning import fine_tune
from isogloss.training.models import keep_layers, load_trainable
from isogloss.training.students import regressed
from isogloss.training.trained_encoder import TrainedEncoder

WORDS = ["the", "dog", "runs", "a", "cat", "sleeps", "in", "house", "and", "tree", "bird", "sings"]


@pytest.fixture
def base(tiny_folder):
    return load_trainable(tiny_folder(normalise=False))


@pytest.fixture
def texts():
    draw = generator(5, "students")
    return [" ".join(draw.choice(WORDS, 6)) for _ in range(80)]


def states(base, texts):
    return TrainedEncoder.of(keep_layers(base, range(1))).encode(texts).astype(np.float64)


def test_as_ridge_regression_of_scikit_learn(base, texts):
    own = states(base, texts)
    targets = generator(6, "targets").standard_normal((80, 5)).astype(np.float32)
    spread = own - own.mean(0)
    penalty = 0.3 * np.trace(spread.T @ spread) / own.shape[1]
    wanted = Ridge(alpha=penalty).fit(own, targets).predict(own)
    student = regressed(base, texts, targets, layers=1, ridge=0.3)
    assert student.dimensions == 5
    np.testing.assert_allclose(student.encode(texts), wanted, atol=1e-4)


def test_a_linear_target_is_met_and_training_goes_on_from_there(base, texts):
    own = states(base, texts)
    targets = (own @ generator(7, "map").standard_normal((own.shape[1], 3)) + 2.0).astype(np.float32)
    student = regressed(base, texts, targets, layers=1, ridge=1e-9)
    error = np.abs(student.encode(texts) - targets).max()
    assert error < 1e-2 * np.abs(targets).max()
    noisy = targets + generator(8, "noise").standard_normal(targets.shape).astype(np.float32)
    taught = fine_tune(
        student, [texts], FeatureDistillation(), labels=noisy, steps=3, batch_size=16, learning_rate=1e-3
    )
    assert np.abs(taught.encode(texts) - targets).max() > error


def test_what_does_not_fit_is_said(base, texts):
    for layers, count in ((0, 80), (9, 80), (1, 79)):
        with pytest.raises(UsageError, match="map cannot be fitted"):
            regressed(base, texts, np.zeros((count, 3), np.float32), layers=layers)
