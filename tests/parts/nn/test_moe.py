"""Mixtures of experts: by hand, against all experts computed for all tokens, and how they are kept in balance."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from isogloss.arrays import Ragged  # noqa: E402
from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.heads import CausalHead, TokenPredictor  # noqa: E402
from isogloss.nn.moe import MixtureFeedForward, MixtureTransformer, load_balance  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.objectives.balanced import Balanced, with_routing  # noqa: E402
from isogloss.objectives.causal import CausalLanguageModelling  # noqa: E402
from isogloss.objectives.token_targets import predict_judged  # noqa: E402
from isogloss.training.corpus_batches import CausalBatches  # noqa: E402

CONFIG = TransformerConfig(vocabulary=20, width=8, layers=2, heads=2, inner=12, positions=8, causal=True, dropout=0.0)
TEXTS = pack([np.array([1, 5, 6, 7]), np.array([9, 2])])


def mixture(top=2, experts=5):
    torch.manual_seed(0)
    return MixtureFeedForward(8, 12, experts=experts, top=top)


@pytest.mark.parametrize("top", [1, 2, 5])
def test_equals_all_experts_for_all_tokens_and_the_others_at_nought(top):
    part, x = mixture(top), torch.randn(30, 8)
    weights = torch.softmax(x @ part.router.weight.T, 1)
    kept = torch.where(weights >= weights.sort(1).values[:, -top, None], weights, torch.zeros(()))
    kept = kept / kept.sum(1, keepdim=True) if top > 1 else kept
    every = torch.stack([down(functional.gelu(up(x))) for up, down in zip(part.up, part.down, strict=True)], 1)
    assert torch.allclose(part(x), (every * kept[:, :, None]).sum(1), atol=1e-6)
    assert torch.allclose(part.routing, weights, atol=1e-6)


def test_one_expert_is_an_ordinary_layer():
    torch.manual_seed(1)
    plain, mixed = Transformer(CONFIG).eval(), MixtureTransformer(CONFIG, experts=1, top=1).eval()
    weights = plain.state_dict()
    names = {".up.": ".mixture.up.0.", ".down.": ".mixture.down.0."}
    renamed = {
        next((name.replace(old, new) for old, new in names.items() if old in name), name): value
        for name, value in weights.items()
    }
    missing, unexpected = mixed.load_state_dict(renamed, strict=False)
    assert [name.split(".")[-2] for name in missing] == ["router", "router"]
    assert not unexpected
    assert torch.allclose(mixed(TEXTS), plain(TEXTS), atol=1e-6)


def test_the_routing_is_visible_and_does_not_mind_who_stands_beside():
    torch.manual_seed(2)
    model = MixtureTransformer(CONFIG).eval()
    routed = model.routed(TEXTS)
    assert routed.shape == (6, 2, 4)
    assert torch.allclose(routed.sum(2), torch.ones(6, 2))
    assert torch.allclose(model.routed(TEXTS.take(1, 2)), routed[4:], atol=1e-6)


def test_balance_by_hand():
    even, one = torch.full((8, 4), 0.25), torch.tensor([[1.0, 0, 0, 0]] * 8)
    assert load_balance(one, 1).item() == 4.0
    assert load_balance(even, 4).item() == 1.0
    assert load_balance(torch.tensor([[0.6, 0.4], [0.8, 0.2]]), 1).item() == pytest.approx(2 * 0.7)


def test_every_weight_learns_and_the_penalty_evens_the_experts():
    torch.manual_seed(3)
    model = TokenPredictor(MixtureTransformer(CONFIG, experts=3, top=1), CausalHead(8))
    batch = CausalBatches(Ragged.from_list([np.arange(i, i + 8) for i in range(12)]), batch_size=12, seed=0)(0)
    objective, forward = Balanced(CausalLanguageModelling(), top=1, weight=10.0), with_routing(predict_judged)
    losses = objective(forward(model, batch), batch)
    losses.mean().backward()
    assert all(bool(one.grad.abs().sum() > 0) for name, one in model.named_parameters() if "key.bias" not in name
               and "token_type" not in name)  # fmt: skip
    plain = CausalLanguageModelling()(predict_judged(model, batch), batch)
    added = losses.values - plain.values
    assert torch.allclose(added, 10 * losses.parts["balance"].expand_as(added), atol=1e-4)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for mixed in model.body.mixtures:
        mixed.router.weight.data.mul_(50)
    balances = []
    for _ in range(40):
        losses = objective(forward(model, batch), batch)
        balances.append(float(losses.parts["balance"]))
        optimiser.zero_grad()
        losses.mean().backward()
        optimiser.step()
    assert np.mean(balances[-5:]) < balances[0] - 0.1, balances
    with pytest.raises(UsageError, match="5 of 4"):
        MixtureFeedForward(8, 12, experts=4, top=5)
