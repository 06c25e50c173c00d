"""tiny-moe: it repeats, it is loaded as it was, and admission sees experts that nobody or everybody takes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.moe import MixtureTransformer  # noqa: E402
from isogloss.nn.transformer import TransformerConfig  # noqa: E402
from isogloss.protocols import Silent  # noqa: E402
from isogloss.training.base_models import _admission, tiny_moe  # noqa: E402
from isogloss.training.base_models._artifact import Pretrained, causal_predictor, load_causal_body  # noqa: E402
from isogloss.training.base_models._pretraining import pretrain_balanced  # noqa: E402
from isogloss.training.causal_models import LabCausal  # noqa: E402
from isogloss.training.causal_readings import RoutingReading  # noqa: E402
from isogloss.training.prompted_encoder import PromptedEncoder  # noqa: E402
from isogloss.training.tokenizer_learning import byte_pairs  # noqa: E402

LINES = [
    "The tide came in over the flat sand and filled the pools in which the children had been looking for crabs.",
    "A clerk wrote each name in the long book, and next to it what the man had paid for his acre of wheat.",
    "Iron rusts in wet air because oxygen takes electrons from it, which is why bridges are painted again and again.",
] * 4
CONFIG = TransformerConfig(
    vocabulary=300, width=32, layers=2, heads=2, inner=16, positions=128, types=0, causal=True, norm_first=True,
    dropout=0.0,
)  # fmt: skip


class Material:
    """The same few lines for everything."""

    def texts(self, name, part=None):
        return LINES


def _mixture(config):
    return MixtureTransformer(config, experts=tiny_moe.EXPERTS, top=tiny_moe.TOP)


def small(folder, *, steps=0, balance=0.0, seed=0, loud=1.0):
    """A small model with the row's experts, trained, saved and loaded; ``loud`` makes its routers surer at first."""
    tokenizer = byte_pairs(LINES, 300)
    torch.manual_seed(seed)
    predictor = causal_predictor(_mixture(CONFIG))
    for mixture in predictor.body.mixtures:
        mixture.router.weight.data.mul_(loud)
    if steps:
        pretrain_balanced(
            predictor, tokenizer, LINES, top=tiny_moe.TOP, balance=balance, steps=steps, rate=3e-3, window=128,
            seed=seed, progress=Silent(),
        )  # fmt: skip
    folder.mkdir()
    Pretrained(predictor, tokenizer).save(folder)
    return load_causal_body(folder, _mixture)


def test_the_row_repeats_and_is_loaded_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(tiny_moe, "STEPS", 2)
    made = [tiny_moe.build(Material(), seed, Silent()) for seed in (0, 0, 1)]
    tables = [one.predictor.table for one in made]
    assert torch.equal(tables[0], tables[1])
    assert not torch.equal(tables[0], tables[2])
    made[0].save(tmp_path)
    loaded = tiny_moe.load(tmp_path)
    assert loaded.identity != ""
    assert all(torch.equal(value, loaded.predictor.state_dict()[name])
               for name, value in made[0].predictor.state_dict().items())  # fmt: skip
    model = LabCausal.of(loaded)
    assert model.experts == (4, 8)
    routers = PromptedEncoder(model, reading=RoutingReading(), normalise=False).encode(LINES[:3])
    np.testing.assert_allclose(routers.reshape(3, 4, 8).sum(2), 1, atol=1e-5)


def test_training_lowers_the_cost_and_the_penalty_spreads_the_tokens(tmp_path):
    new = small(tmp_path / "new", loud=20)
    free, balanced = (small(tmp_path / str(weight), steps=60, balance=weight, loud=20) for weight in (0.0, 1.0))
    cost = [_admission.bits(*one.nll(LINES[:3])) for one in (new, free, balanced)]
    assert max(cost[1:]) < 0.7 * cost[0]
    uneven = [float(tiny_moe.expert_shares(one, LINES[:3]).std()) for one in (free, balanced)]
    assert uneven[1] < 0.8 * uneven[0]


def test_the_shares_of_experts_by_hand(tmp_path):
    model = small(tmp_path / "m")
    for mixture in model.predictor.body.mixtures:
        mixture.router.weight.data.zero_()  # all alike: the first two of each token
    shares = tiny_moe.expert_shares(model, LINES[:2])
    assert shares.shape == (2, 8)
    assert torch.equal(shares.sum(1), torch.full((2,), 2.0))
    chosen = shares > 0
    assert torch.equal(chosen.sum(1), torch.full((2,), 2))
    assert torch.equal(shares[chosen], torch.ones(4))


def test_admission_sees_experts_that_nobody_or_everybody_takes(tmp_path):
    model = small(tmp_path / "m")
    found = tiny_moe.admit(model, Material())
    assert "bits per byte at least 15 % below the unigram model's" in found.failed
    assert set(found.measured) == {
        "bits per byte", "unigram", "bigram", "trigram", "least used expert", "most used expert"
    }  # fmt: skip
    for mixture in model.predictor.body.mixtures:
        mixture.router.weight.data.zero_()
    found = tiny_moe.admit(model, Material())
    assert found.failed[-2:] == (
        "every expert takes at least 5 % of the tokens", "no expert takes 90 % of the tokens"
    )  # fmt: skip
    assert (found.measured["least used expert"], found.measured["most used expert"]) == (0.0, 1.0)


def test_admission_sees_a_model_that_sees_the_future(tmp_path):
    model = small(tmp_path / "m")
    plain = _admission.admit_causal(model, Material()).measured
    assert tiny_moe.admit(model, Material()).measured.items() >= plain.items()
    before, own = _admission.future_seen(model)
    assert before < 1e-5 < 0.1 < own
    model.predictor.body.config = dataclasses.replace(model.predictor.body.config, causal=False)
    assert _admission.future_seen(model)[0] > 1e-3
    assert "states do not change with later tokens" in tiny_moe.admit(model, Material()).failed


def test_a_token_cannot_take_more_experts_than_there_are(monkeypatch):
    monkeypatch.setattr(tiny_moe, "TOP", 9)
    with pytest.raises(UsageError, match="9 of 8"):
        tiny_moe.build(Material(), 0, Silent())
