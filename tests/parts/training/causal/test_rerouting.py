"""Routers of chance: the model computes as before, and other weights say where its tokens would go."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.training.causal_models import LabCausal, Wanted  # noqa: E402
from isogloss.training.causal_readings import RoutingReading, SummedReading  # noqa: E402
from isogloss.training.prompted_encoder import PromptedEncoder  # noqa: E402
from isogloss.training.rerouting import overheard  # noqa: E402

ROWS = pack([np.array([0, 8, 11, 13]), np.array([0, 9, 12])])
ALL = Wanted(layers=(0, 1, -1), logits=True, routing=True)


def base_of(model):
    """What recipes hold: a base model of the Lab around the same predictor."""
    made = SimpleNamespace(predictor=model.predictor, tokenizer=model.tokenizer, begin=0, window=48, name="a model")
    made.fresh = lambda: SimpleNamespace(**{**vars(made), "predictor": copy.deepcopy(made.predictor)})
    return made


@pytest.fixture
def base(model_of):
    return base_of(model_of("lab-experts"))


@pytest.mark.parametrize("shuffled", [False, True])
def test_states_and_logits_stay_and_the_routing_is_that_of_the_other_weights(base, shuffled):
    own, other = LabCausal.of(base), LabCausal.of(overheard(base, seed=5, shuffled=shuffled))
    before, after = own(ROWS, ALL), other(ROWS, ALL)
    for layer in ALL.layers:
        assert torch.equal(before.states[layer], after.states[layer])
    assert torch.equal(before.logits, after.logits)
    assert (before.routing - after.routing).abs().max() > 0.01
    assert torch.allclose(after.routing.sum(2), torch.ones(()))
    assert other.experts == own.experts
    # by hand: the first layer's second router over what its feed-forward part reads
    layer, seen = other.body.layers[0], []
    hook = layer.mixture.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    other.body(ROWS)
    hook.remove()
    assert torch.equal(torch.softmax(seen[0] @ layer.mixture.second.T, 1), other.body.mixtures[0].routing)


def test_shuffled_routers_have_the_weights_of_the_trained_ones(base):
    for number, layer in enumerate(overheard(base, seed=1, shuffled=True).predictor.body.layers):
        weights = base.predictor.body.mixtures[number].router.weight
        assert torch.equal(layer.mixture.second.flatten().sort().values, weights.flatten().sort().values)
        assert not torch.equal(layer.mixture.second, weights)


def test_the_seed_decides_and_the_original_is_left_alone(base):
    before = copy.deepcopy(base.predictor.state_dict())
    made = [PromptedEncoder(LabCausal.of(overheard(base, seed=seed)), reading=RoutingReading()) for seed in (0, 0, 1)]
    vectors = [one.encode(["red dogs", "cats sleep"]) for one in made]
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert np.abs(vectors[0] - vectors[2]).max() > 1e-3
    assert made[0].identity == made[1].identity != made[2].identity
    assert all(torch.equal(value, before[name]) for name, value in base.predictor.state_dict().items())


def test_a_sum_over_them_has_the_models_own_states(base):
    own, other = (PromptedEncoder(LabCausal.of(one), reading=SummedReading()) for one in (base, overheard(base)))
    left, right = own.encode(["red dogs"]), other.encode(["red dogs"])
    np.testing.assert_allclose(left[:, :16], right[:, :16], atol=1e-6)
    assert np.abs(left[:, 16:] - right[:, 16:]).max() > 1e-3


def test_a_dense_model_is_refused(model_of):
    with pytest.raises(UsageError, match="no router"):
        overheard(base_of(model_of("lab")))
