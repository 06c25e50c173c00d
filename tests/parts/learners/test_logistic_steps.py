"""The logistic step: one by hand, finite differences of its likelihood, kernel and twin alike."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.compiled import numba_available
from isogloss.learners.logistic_steps import Answers, Bags, Tables, train_bags, train_pairs

WAYS = [False, pytest.param(True, marks=pytest.mark.skipif(not numba_available(), reason="Numba is not here"))]


def tables(seed=0, rows=6, width=5, **more):
    draw = np.random.default_rng(seed)
    inputs, outputs = (draw.normal(size=(rows, width)).astype(np.float32) for _ in range(2))
    return Tables(inputs, outputs, **more)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("compiled", WAYS)
def test_one_step_by_hand(compiled):
    made = Tables(np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 2.0], [1.0, 0.0]], np.float32))
    train_pairs(made, np.array([0], np.int32), np.array([[0, 1, -1]], np.int32), 0.5, compiled)
    # right word: sigmoid(0) = .5, error .5 * .5; noise: sigmoid(1) = .731, error -.5 * .731
    right, noise = 0.25, -0.5 * sigmoid(1.0)
    np.testing.assert_allclose(made.outputs, [[right, 2.0], [1.0 + noise, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(made.inputs, [[1.0 + noise * 1.0, right * 2.0]], rtol=1e-6)


@pytest.mark.parametrize("compiled", WAYS)
def test_the_step_is_the_gradient_of_the_likelihood(compiled):
    made, rate = tables(), 1e-3
    inputs, outputs = made.inputs.astype(float), made.outputs.astype(float)
    targets = np.array([[1, 4, 5]], np.int32)

    def likelihood(flat):
        row, answers = flat[:5], flat[5:].reshape(3, 5)
        scores = answers @ row
        return np.log(sigmoid(scores[0])) + np.log(sigmoid(-scores[1:])).sum()

    start = np.concatenate([inputs[2], outputs[[1, 4, 5]].ravel()])
    step = 1e-6
    true = np.array([
        (likelihood(start + step * unit) - likelihood(start - step * unit)) / (2 * step) for unit in np.eye(len(start))
    ])  # fmt: skip
    train_pairs(made, np.array([2], np.int32), targets, rate, compiled)
    moved = np.concatenate([made.inputs[2] - inputs[2], (made.outputs[[1, 4, 5]] - outputs[[1, 4, 5]]).ravel()])
    np.testing.assert_allclose(moved / rate, true, atol=5e-4)  # float32 rows moved by a thousandth
    assert (np.delete(made.inputs, 2, 0) == np.delete(inputs, 2, 0)).all()


@pytest.mark.parametrize("compiled", WAYS)
def test_a_bag_is_its_mean_and_each_row_moves_by_all(compiled):
    made = tables()
    before, outputs = made.inputs.copy(), made.outputs.copy()
    bags = Bags(np.array([1, 0], np.int32), np.array([0, 0, 2]), np.array([3, 4], np.int32))  # bag 0 is empty
    answers = Answers(np.array([0, 2, 3]), np.array([0, -1, 5], np.int32), np.array([1, 0, 1], np.float32))
    train_bags(made, bags, answers, 0.1, compiled)
    hidden = before[[3, 4]].mean(0)
    error = 0.1 * (1 - sigmoid(hidden @ outputs[0]))
    np.testing.assert_allclose(made.inputs[3] - before[3], error * outputs[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(made.inputs[4] - before[4], error * outputs[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(made.outputs[0], outputs[0] + error * hidden, rtol=1e-5)
    assert (made.outputs[5] == outputs[5]).all()  # the empty bag taught nothing


@pytest.mark.skipif(not numba_available(), reason="Numba is not here")
@pytest.mark.parametrize("fixed", [False, True])
def test_kernel_and_twin_agree(fixed):
    more = {"first": 3, "outputs_move": False} if fixed else {}
    draw = np.random.default_rng(1)
    rows, targets = draw.integers(0, 6, 200, np.int32), draw.integers(-1, 6, (200, 4), np.int32)
    offsets = np.arange(0, 401, 2)
    bags = Bags(draw.integers(0, 200, 100).astype(np.int32), offsets, draw.integers(0, 6, 400, np.int32))
    answers = Answers(np.arange(0, 401, 4), draw.integers(-1, 6, 400, np.int32), draw.random(400, np.float32).round())
    made = {}
    for compiled in (False, True):
        made[compiled] = tables(2, **more)
        train_pairs(made[compiled], rows, targets, 0.05, compiled)
        train_bags(made[compiled], bags, answers, 0.05, compiled)
    np.testing.assert_allclose(made[True].inputs, made[False].inputs, atol=2e-4)
    np.testing.assert_allclose(made[True].outputs, made[False].outputs, atol=2e-4)
    if fixed:
        same = tables(2)
        assert (made[True].outputs == same.outputs).all()
        assert (made[True].inputs[:3] == same.inputs[:3]).all()
        assert (made[True].inputs[3:] != same.inputs[3:]).any()


def test_large_scores_do_not_overflow():
    made = Tables(np.full((1, 4), 100, np.float32), np.full((2, 4), 100, np.float32))
    train_pairs(made, np.array([0], np.int32), np.array([[0, 1]], np.int32), 0.1)
    assert np.isfinite(made.inputs).all()
