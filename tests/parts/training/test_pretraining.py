"""Counted cost of a step: by hand, additive, without traces; and letters as tokens."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.backbones import backbone  # noqa: E402
from isogloss.nn.convolution import ConvolutionLayers  # noqa: E402
from isogloss.nn.costs import multiply_adds  # noqa: E402
from isogloss.nn.heads import ClassificationHead, TextClassifier  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.objectives.class_prediction import ClassPrediction, predict_classes  # noqa: E402
from isogloss.training.corpus_batches import LabelledBatches, Ragged  # noqa: E402
from isogloss.training.pretraining import Pretraining, equal_steps  # noqa: E402
from isogloss.vocabulary.letters import Letters  # noqa: E402


def task(layers=1, width=8, seed=0):
    torch.manual_seed(seed)
    body = backbone("cnn", vocabulary=20, width=width, layers=layers, positions=0)
    sequences = Ragged.from_list([np.arange(i, i + 6) for i in range(8)])
    batches = LabelledBatches(sequences, np.arange(8) % 2, batch_size=8, seed=0)
    module = TextClassifier(body, ClassificationHead(width, 2, dropout=0.0))
    return Pretraining(module=module, objective=ClassPrediction(), forward=predict_classes, batches=batches)


def test_a_linear_layer_by_hand():
    layer, x = torch.nn.Linear(5, 7), torch.ones(3, 5, requires_grad=True)
    assert multiply_adds(lambda: layer(x)) == 3 * 5 * 7
    assert multiply_adds(lambda: layer(x).sum().backward()) == 3 * 3 * 5 * 7


def test_a_convolution_by_hand():
    layers, packed = ConvolutionLayers(4, kernel=3, gated=False), pack([np.arange(6), np.arange(6)])
    with torch.no_grad():
        assert multiply_adds(lambda: layers(torch.zeros(12, 4), packed)) == 12 * 3 * 4 * 4


def test_each_layer_adds_the_same_and_nothing_is_left_behind():
    costs = [task(layers=layers).cost() for layers in (1, 2, 3)]
    assert costs[2] - costs[1] == costs[1] - costs[0] > 0
    one = task()
    before = {name: weights.clone() for name, weights in one.module.state_dict().items()}
    state = torch.random.get_rng_state()
    assert one.cost() == costs[0]
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(weights.grad is None for weights in one.module.parameters())
    assert all(torch.equal(before[name], weights) for name, weights in one.module.state_dict().items())


def test_equal_compute_is_equal_to_half_a_step():
    small, large = task(), task(layers=3, width=16)
    steps = equal_steps(10, large, small)
    assert abs(steps * small.cost() - 10 * large.cost()) <= small.cost() / 2
    assert equal_steps(10, small, small) == 10


def test_it_learns_and_repeats():
    losses = [task().run(40, learning_rate=1e-2, seed=3).losses["train/model"] for _ in range(2)]
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]


def test_letters_by_hand():
    letters = Letters()
    found = letters.ids(["Ab c", "", "é\x00"])
    assert [row.tolist() for row in found] == [[5, 6, 52, 7], [], [1, 1]]
    assert letters.decode(found.values) == "ab c"
    assert len(letters) == 5 + 48
    assert letters.identity == Letters().identity != Letters("ab").identity
    with pytest.raises(UsageError, match="'a'"):
        Letters("aba")
