"""Our graph against the transformers package: tiny random models of the four shapes, saved as it saves them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isogloss.encoders.engines.architectures import Weights, read_architecture, relative_buckets
from isogloss.encoders.engines.onnx import GraphEngine
from isogloss.encoders.engines.weights import read_headers

SIZES = {
    "vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 200,
}  # fmt: skip


def build(kind: str, act: str):
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    if kind == "distilbert":
        sizes = {
            "vocab_size": 60,
            "dim": 32,
            "n_layers": 3,
            "n_heads": 4,
            "hidden_dim": 48,
            "max_position_embeddings": 200,
        }
        config = transformers.DistilBertConfig(**sizes, activation=act, attn_implementation="eager")
        model = transformers.DistilBertModel(config)
    else:
        names = {"bert": "Bert", "roberta": "Roberta", "xlm-roberta": "XLMRoberta", "mpnet": "MPNet"}
        padding = {} if kind == "bert" else {"pad_token_id": 1}
        config = getattr(transformers, names[kind] + "Config")(
            **SIZES, hidden_act=act, initializer_range=0.3, attn_implementation="eager", **padding
        )
        model = getattr(transformers, names[kind] + "Model")(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm" in name or "layer_norm" in name or name.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return torch, model.eval()


@pytest.mark.parametrize(
    ("kind", "act"),
    [("bert", "gelu"), ("roberta", "gelu"), ("xlm-roberta", "relu"), ("mpnet", "gelu"), ("distilbert", "gelu"),
     ("bert", "gelu_new"), ("bert", "silu")],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_states_and_maps_equal_transformers(tmp_path, kind, act) -> None:
    torch, model = build(kind, act)
    model.save_pretrained(tmp_path)
    architecture = read_architecture(json.loads((tmp_path / "config.json").read_text()))
    engine = GraphEngine(architecture, Weights(read_headers(tmp_path), architecture).used())
    rng = np.random.default_rng(0)
    lengths = np.array([150, 3, 1, 77])
    ids = rng.integers(5, 60, (4, 150))
    inside = np.arange(150) < lengths[:, None]
    padded = np.where(inside, ids, model.config.pad_token_id)
    with torch.no_grad():
        expected = model(
            input_ids=torch.from_numpy(padded), attention_mask=torch.from_numpy(inside.astype(np.int64)),
            output_hidden_states=True, output_attentions=True,
        )  # fmt: skip
    np.testing.assert_allclose(
        engine.last(padded, lengths)[inside], expected.last_hidden_state.numpy()[inside], atol=1e-5
    )
    states = engine.states(padded, lengths, range(4))
    for found, right in zip(states, expected.hidden_states, strict=True):
        np.testing.assert_allclose(found[inside], right.numpy()[inside], atol=1e-5)
    for found, right in zip(engine.attentions(padded, lengths, range(3)), expected.attentions, strict=True):
        for i, n in enumerate(lengths):
            np.testing.assert_allclose(found[i, :, :n], right.numpy()[i, :, :n], atol=1e-5)


def test_relative_buckets_equal_those_of_transformers() -> None:
    torch = pytest.importorskip("torch")
    modeling = pytest.importorskip("transformers.models.mpnet.modeling_mpnet")
    position = torch.arange(512)
    right = modeling.MPNetEncoder.relative_position_bucket(position[None, :] - position[:, None], num_buckets=32)
    np.testing.assert_array_equal(relative_buckets(512, 32), right.numpy())
