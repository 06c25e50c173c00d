"""A decoder that shares its encoder's weights: as a causal model with them would write, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from isogloss.errors import UnsupportedModelError, UsageError  # noqa: E402
from isogloss.nn.heads import MaskedHead, TokenPredictor  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.tied_decoder import Blind, TiedDecoder  # noqa: E402
from isogloss.nn.transformer import Layout, Transformer, TransformerConfig  # noqa: E402

SIZES = {"vocabulary": 20, "width": 16, "layers": 2, "heads": 2, "inner": 32, "positions": 12, "dropout": 0.0}


def predictor(seed=0, **settings):
    torch.manual_seed(seed)
    return TokenPredictor(Transformer(TransformerConfig(**SIZES | settings)), MaskedHead(20, 16)).eval()


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=9), min_size=1, max_size=3), st.integers(0, 19))
def test_it_writes_as_the_causal_model_of_its_weights_that_begins_with_the_vector(texts, begin):
    """What the embeddings make of a token, in place of the vector, is that token in front of the text.

    Where the maps to and from values are nought, attention to the vector adds nothing.
    """
    model, causal = predictor(), predictor(seed=1, causal=True)
    for layer in model.body.layers:
        for one in (layer.attention_out.weight, layer.attention_out.bias):
            one.data.zero_()
    causal.load_state_dict(model.state_dict())
    vectors = model.body.embeddings(pack([np.array([begin])])).expand(len(texts), -1)
    asked = causal(pack([np.array([begin, *one], np.int64) for one in texts]))
    starts = np.cumsum([0, *[len(one) + 1 for one in texts[:-1]]])
    kept = np.concatenate([np.arange(len(one)) + start for one, start in zip(texts, starts, strict=True)])
    found = TiedDecoder(model).eval()(vectors, pack([np.array(one, np.int64) for one in texts]))
    assert torch.allclose(found, asked[kept], atol=1e-5)


def test_each_layer_attends_to_the_vector():
    """By hand for one layer: attention to one vector has the weight 1, and adds its value to every place."""
    model = predictor(layers=1)
    body, vectors = model.body, torch.randn(1, 16)
    layer = body.layers[0]
    led = pack([np.array([0, 7, 9])])
    x = body.embeddings(led)
    x = torch.cat([vectors, x[1:]])
    told = torch.nn.functional.multi_head_attention_forward(
        x[:, None], vectors[:, None], vectors[:, None], 16, 2, None,
        torch.cat([one.bias for one in (layer.query, layer.key, layer.value)]), None, None, False, 0.0,
        layer.attention_out.weight, layer.attention_out.bias, use_separate_proj_weight=True, training=False,
        q_proj_weight=layer.query.weight, k_proj_weight=layer.key.weight, v_proj_weight=layer.value.weight,
    )[0][:, 0]  # fmt: skip
    asked = model.head(layer(x + told, Layout(led, causal=True))[:2], model.table)
    assert torch.allclose(TiedDecoder(model)(vectors, pack([np.array([7, 9])])), asked, atol=1e-5)


def test_a_token_is_told_from_those_before_it_and_its_own_vector():
    model, vectors = TiedDecoder(predictor()), torch.randn(2, 16)
    plain = model(vectors, pack([np.array([1, 5, 6, 7]), np.array([8])]))
    later = model(vectors, pack([np.array([1, 5, 9, 7]), np.array([3])]))
    assert torch.isclose(plain, later, atol=1e-5).all(1).tolist() == [True, True, True, False, True]
    changed = model(vectors + torch.tensor([[0.0], [1.0]]), pack([np.array([1, 5, 6, 7]), np.array([8])]))
    assert torch.isclose(plain, changed, atol=1e-5).all(1).tolist() == [True] * 4 + [False]
    at = torch.tensor([False, True, False, False, True])
    assert torch.allclose(model(vectors, pack([np.array([1, 5, 6, 7]), np.array([8])]), at), plain[at], atol=1e-6)
    with pytest.raises(UsageError, match="2 texts, 1 vectors"):
        model(vectors[:1], pack([np.array([1]), np.array([2])]))


def test_it_has_no_weights_of_its_own():
    model = predictor()
    own = {id(one) for one in model.parameters()}
    assert {id(one) for one in TiedDecoder(model).parameters()} == own


@pytest.mark.parametrize("shape", [{"norm_first": True}, {"buckets": 8}, {"causal": True}, {"first_position": 2}])
def test_other_shapes_are_refused(shape):
    with pytest.raises(UnsupportedModelError, match="own decoder"):
        TiedDecoder(predictor(**shape))


def test_a_blind_encoder_says_nothing_and_learns_nothing():
    encoder = torch.nn.Linear(3, 2)
    made = Blind(encoder)(torch.ones(4, 3))
    made.sum().backward()
    assert made.abs().max() == 0
    assert encoder.weight.grad.abs().max() == 0
