"""Sizes and names of the known shapes, and the errors for what is not known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isogloss.encoders.engines.architectures import Weights, read_architecture, relative_buckets
from isogloss.encoders.engines.weights import read_headers
from isogloss.errors import ModelError, UnsupportedModelError

BERT = {
    "model_type": "bert", "num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 16,
    "vocab_size": 10, "max_position_embeddings": 12, "hidden_act": "gelu",
}  # fmt: skip


def test_positions_start_after_the_padding_row() -> None:
    bert = read_architecture(BERT)
    roberta = read_architecture({**BERT, "model_type": "roberta", "pad_token_id": 1, "max_position_embeddings": 514})
    assert (bert.positions, bert.first_position, bert.buckets) == (12, 0, 0)
    assert (roberta.positions, roberta.first_position) == (512, 2)
    assert read_architecture({**BERT, "model_type": "mpnet", "max_position_embeddings": 514}).buckets == 32


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model_type": "deberta-v2", "architectures": ["DebertaV2Model"]}, "deberta-v2"),
        ({"model_type": None}, "None"),
        ({"is_decoder": True}, "decoder"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
        ({"hidden_act": "mish"}, "mish"),
    ],
)
def test_what_is_not_supported_is_named(change, named) -> None:
    with pytest.raises(UnsupportedModelError, match=named):
        read_architecture({**BERT, **change})


@pytest.mark.parametrize(
    ("change", "named"), [({"hidden_size": None}, "number"), ({"num_attention_heads": 3}, "divide")]
)
def test_a_config_that_cannot_be_right_is_an_error(change, named) -> None:
    with pytest.raises(ModelError, match=named):
        read_architecture({**BERT, **change})


def test_buckets_by_hand() -> None:
    found = relative_buckets(200, 32)
    assert found[0, 0] == 0
    # near keys: one distance a bucket; keys after the query in the upper half
    assert [int(found[100, 100 + d]) for d in (-7, -1, 1, 7)] == [7, 1, 17, 23]
    # 8 + floor(8 * log(d / 8) / log(16)): 8 -> 8, 32 -> 12, 64 -> 14, 128 and more -> 15
    assert [int(found[199, 199 - d]) for d in (8, 32, 64, 127, 128, 199)] == [8, 12, 14, 15, 15, 15]
    assert np.array_equal(found[:50, :50], relative_buckets(50, 32))


def test_weights_that_do_not_fit_the_config_are_named(tiny) -> None:
    folder, config, weights = tiny("bert")
    tensors = read_headers(folder)
    architecture = read_architecture(config)
    assert set(Weights(tensors, architecture).used()) == set(weights)
    with pytest.raises(ModelError, match=r"encoder\.layer\.2\.output\.dense\.bias"):
        Weights({k: v for k, v in tensors.items() if k != "encoder.layer.2.output.dense.bias"}, architecture).used()
    with pytest.raises(ModelError, match="word_embeddings"):
        Weights(tensors, read_architecture({**config, "vocab_size": 51})).used()
    with pytest.raises(ModelError, match="do not belong"):
        Weights({"x": tensors["embeddings.LayerNorm.weight"]}, architecture)


def test_old_names_of_layer_norms_are_understood(tiny) -> None:
    from safetensors.numpy import save_file

    folder, config, weights = tiny("bert")
    old = {
        k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v
        for k, v in weights.items()
    }
    save_file(old, folder / "model.safetensors")
    used = Weights(read_headers(folder), read_architecture(config)).used()
    np.testing.assert_array_equal(used["embeddings.LayerNorm.bias"].read(), weights["embeddings.LayerNorm.bias"])
    assert json.dumps(config)
