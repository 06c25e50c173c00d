"""Packed torch for widened embeddings and pre-norm transformers: what our graph gives, and transformers with it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isogloss.encoders.batching import padded
from isogloss.encoders.engines.architectures import read_architecture
from isogloss.encoders.engines.shape_graph import graph_engine
from isogloss.encoders.engines.shapes import SHAPE_TYPES, read_shape, used_tensors
from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.pooling import pool

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from isogloss.encoders.engines.further_torch import PreNormTorch, WidenedTorch, turned  # noqa: E402
from isogloss.encoders.engines.packed_torch import POOLINGS  # noqa: E402

SIZES = {
    "vocab_size": 60, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64,
    "max_position_embeddings": 160, "initializer_range": 0.15, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
GROUPED = {**SIZES, "num_key_value_heads": 2}
T5 = {
    "vocab_size": 60, "d_model": 48, "d_kv": 16, "d_ff": 64, "num_layers": 3, "num_heads": 4, "pad_token_id": 0,
    "relative_attention_max_distance": 20, "relative_attention_num_buckets": 8,
}  # fmt: skip
KINDS = {
    "electra": ("Electra", {**SIZES, "embedding_size": 16}),
    "electra-unwidened": ("Electra", {**SIZES, "embedding_size": 48}),
    "albert": ("Albert", {**SIZES, "embedding_size": 16}),
    "modernbert": ("ModernBert", {**SIZES, "local_attention": 12, "cls_token_id": 1, "sep_token_id": 2}),
    "modernbert-biased": (
        "ModernBert",
        {**SIZES, "local_attention": 8, "norm_bias": True, "attention_bias": True, "mlp_bias": True,
         "cls_token_id": 1, "sep_token_id": 2},
    ),
    "qwen3": ("Qwen3", {**GROUPED, "head_dim": 20}),
    "qwen2-windows": ("Qwen2", {**GROUPED, "use_sliding_window": True, "sliding_window": 7, "max_window_layers": 1}),
    "llama": ("Llama", {**SIZES, "num_key_value_heads": 4, "attention_bias": True, "mlp_bias": True}),
    "mistral": ("Mistral", {**GROUPED, "sliding_window": 6}),
    "t5": ("T5", T5),
    "t5-gated": ("T5", {**T5, "feed_forward_proj": "gated-gelu"}),
    "umt5": ("UMT5", T5),
}  # fmt: skip
IDS = [np.array(one) for one in ([5], [7, 8, 9], [3, 1, 2], list(range(1, 59)), [11] * 30, list(range(2, 59)) * 2)]


@pytest.fixture(scope="module", params=KINDS)
def pair(request, tmp_path_factory):
    """Our graph, and what opens packed torch over the same weights."""
    family, settings = KINDS[request.param]
    torch.manual_seed(7)
    model = getattr(transformers, family + ("EncoderModel" if "T5" in family else "Model"))(
        getattr(transformers, family + "Config")(**settings)
    )
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "norm" in name.lower() or name.endswith("bias"):
                value.add_(torch.randn_like(value) * 0.2)
            if "relative_attention_bias" in name:
                value.copy_(torch.randn_like(value))
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    arch = (read_shape if config["model_type"] in SHAPE_TYPES else read_architecture)(config)
    weights = used_tensors(read_headers(folder), arch)
    kind = WidenedTorch if family in ("Electra", "Albert") else PreNormTorch
    return graph_engine(arch, weights), lambda precision: kind(arch, weights, precision)


def states(engine, ids):
    lengths = np.array([len(one) for one in ids])
    return [row[:n] for row, n in zip(engine.last(padded(ids), lengths), lengths, strict=True)]


def test_states_are_those_of_our_graph_alone_in_batches_and_in_any_order(pair) -> None:
    graph, opened = pair
    engine = opened("fp32")
    together, turned_round = states(engine, IDS), states(engine, IDS[::-1])[::-1]
    for i, expected in enumerate(states(graph, IDS)):
        for found in (together[i], turned_round[i], states(engine, [IDS[i]])[0]):
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_half_precision_agrees(pair) -> None:
    graph, opened = pair
    found, expected = (np.concatenate(states(engine, IDS)).astype(float) for engine in (opened("bf16"), graph))
    cosines = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.mean() >= 0.9999
    assert cosines.min() > 0.999
    assert np.abs(found - expected).max() > 1e-5  # it was half precision


def test_every_pooling_is_that_of_our_graph(pair) -> None:
    graph, opened = pair
    engine, lengths, modes = opened("fp32"), np.array([len(one) for one in IDS]), sorted(POOLINGS)
    for skip in (0, 2):
        expected = pool(graph.last(padded(IDS), lengths), lengths, modes, skip=skip)
        np.testing.assert_allclose(engine.pooled(IDS, modes, skip), expected, atol=1e-5)


def test_work_is_counted_as_in_our_graph(pair) -> None:
    graph, opened = pair
    assert opened("fp32").multiply_adds(3, 17) == graph.multiply_adds(3, 17)


def test_half_a_turn_and_none() -> None:
    x = torch.tensor([[1.0, 3.0, 2.0, 4.0]])
    assert turned(x, torch.ones(1, 2) + 0j).tolist() == x.tolist()
    assert turned(x, -torch.ones(1, 2) + 0j).tolist() == (-x).tolist()
    # a quarter: (1, 3) becomes (-3, 1), (2, 4) becomes (-4, 2)
    assert turned(x, torch.ones(1, 2) * 1j).tolist() == [[-3.0, 1.0, -4.0, 2.0]]
