"""Masked and causal language modelling: log losses by hand and by torch, at the judged places only."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from isogloss.arrays import Ragged  # noqa: E402
from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.heads import CausalHead, MaskedHead, TokenPredictor  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.objectives.causal import CausalLanguageModelling, TwoWayLanguageModelling, previous  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.masked import MaskedLanguageModelling  # noqa: E402
from isogloss.objectives.token_targets import IGNORED, predict_judged, token_losses  # noqa: E402
from isogloss.training.corpus_batches import CausalBatches, Hiding, MaskedBatches  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.stage import Optimiser, Player, Stage  # noqa: E402

CORPUS = Ragged.from_list([np.array([1, *range(5 + i, 13 + i), 2]) for i in range(12)])
CASES = [
    (MaskedLanguageModelling(), MaskedBatches(CORPUS, Hiding(mask=4, vocabulary=30, special=(0, 1, 2, 3)),
                                              batch_size=4, seed=0), False),
    (CausalLanguageModelling(), CausalBatches(CORPUS, batch_size=4, seed=0), True),
]  # fmt: skip


def model(causal):
    torch.manual_seed(0)
    config = TransformerConfig(
        vocabulary=30, width=16, layers=1, heads=2, inner=32, positions=16, causal=causal, dropout=0.0
    )
    return TokenPredictor(Transformer(config), CausalHead(16) if causal else MaskedHead(30, 16))


def test_by_hand():
    losses = token_losses(torch.tensor([[0.0, math.log(3)], [0.0, 0.0]]), torch.tensor([1, IGNORED, 0]))
    assert losses.values.tolist() == pytest.approx([math.log(4 / 3), math.log(2)])
    assert losses.unit == "token"
    assert float(losses.parts["accuracy"]) == 1.0  # of equals the first is taken


def test_a_token_weighs_what_its_text_weighs():
    texts, targets = pack([np.array([4, 5]), np.array([6]), np.array([7])]), np.array([1, 0, 0, 1])
    batch = Batch((texts,), weights=torch.tensor([2.0, 0.0, 1.0]), extra={"targets": pack(np.split(targets, [2, 3]))})
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0], [-50.0, 50.0], [0.0, math.log(7)]])
    losses = MaskedLanguageModelling()(logits, batch)
    assert losses.weights.tolist() == [2.0, 2.0, 0.0, 1.0]
    expected = (2 * math.log(4 / 3) + 2 * math.log(2) + math.log(8 / 7)) / 5
    assert float(losses.mean()) == pytest.approx(expected, rel=1e-6)
    assert losses.parts == {"accuracy": 1.0, "tokens": 3.0}  # the wrong one weighs nothing
    both = TwoWayLanguageModelling()((logits, torch.tensor([[0.0] * 8])), batch)
    assert both.weights.tolist() == [2.0, 2.0, 0.0, 1.0, 2.0]


@pytest.mark.parametrize(("objective", "batches", "causal"), CASES)
def test_equals_torch_over_all_places(objective, batches, causal):
    module, batch = model(causal).eval(), batches(3)
    found = objective(predict_judged(module, batch), batch).mean()
    asked = functional.cross_entropy(module(batch.columns[0]), batch.extra["targets"].ids)  # -100 is ignored there too
    assert found.item() == pytest.approx(asked.item(), abs=1e-6)


@pytest.mark.parametrize(("objective", "batches", "causal"), CASES)
def test_half_batches_give_the_gradient_of_the_whole(objective, batches, causal):
    module, batch = model(causal), batches(0)
    losses = [objective(predict_judged(module, part), part) for part in (batch, batch.take(0, 2), batch.take(2, 4))]
    whole, halves = losses[0].totals(), [one.totals() for one in losses[1:]]
    assert whole[1].item() == sum(weight.item() for _, weight in halves)
    weights = list(module.parameters())
    ours = torch.autograd.grad(whole[0], weights)
    theirs = torch.autograd.grad(halves[0][0] + halves[1][0], weights)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, theirs, strict=True))
    assert all(bool(a.abs().sum() > 0) for (name, _), a in zip(module.named_parameters(), ours, strict=True)
               if not name.endswith("key.bias"))  # fmt: skip


@pytest.mark.parametrize(("objective", "batches", "causal"), CASES)
def test_it_is_learned(objective, batches, causal):
    module = model(causal)
    player = Player(module=module, objective=objective, forward=predict_judged, optimiser=Optimiser(learning_rate=1e-2))
    losses = train(Stage(batches=batches, players=[player], steps=80, accumulate=3), seed=0).losses["train/model"]
    assert losses[0] > math.log(30) - 0.5
    assert np.mean(losses[-6:]) < losses[0] - 1


def test_gradient_is_that_of_finite_differences():
    logits = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([3, IGNORED, 0])
    values = token_losses(logits, targets).values.double().sum()
    (found,) = torch.autograd.grad(values, logits)
    expected = torch.softmax(logits, 1) - functional.one_hot(torch.tensor([3, 0]), 5)
    assert torch.allclose(found, expected, atol=1e-6)


def test_both_directions_by_hand():
    packed = pack([np.array([7, 8]), np.array([9])])
    batch = Batch((packed,), extra={"targets": pack([np.array([8, IGNORED]), np.array([IGNORED])])})
    ahead, back = torch.zeros(1, 10), torch.zeros(1, 10)
    back[0, 7] = math.log(11)
    losses = TwoWayLanguageModelling()((ahead, back), batch)
    assert losses.values.tolist() == pytest.approx([math.log(10), math.log(20 / 11)])
    assert previous(packed).tolist() == [IGNORED, 7, IGNORED]


def test_what_does_not_belong_together_is_refused():
    batch = CASES[0][1](0)
    with pytest.raises(UsageError, match="no token targets"):
        MaskedLanguageModelling()(torch.zeros(1, 30), Batch(batch.columns))
    with pytest.raises(UsageError, match="do not belong together"):
        MaskedLanguageModelling()(torch.zeros(3, 30), batch)
    with pytest.raises(UsageError, match="one target"):
        MaskedLanguageModelling()(torch.zeros(3, 30), Batch(batch.columns, extra={"targets": pack([np.array([1])])}))
