"""Pre-norm transformers with rotary positions against the transformers package, on tiny random models that it saved."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from isogloss.encoders.batching import padded
from isogloss.encoders.engines.architectures import Weights, read_architecture
from isogloss.encoders.engines.graph import write_graph
from isogloss.encoders.engines.onnx import GraphEngine, graph_feed, open_session
from isogloss.encoders.engines.rotary import Turning
from isogloss.encoders.engines.shape_graph import graph_engine
from isogloss.encoders.engines.weights import read_headers
from isogloss.errors import ModelError, UnsupportedModelError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

LAYERS, WIDTH, HEADS = 4, 32, 4
SIZES = {
    "vocab_size": 70, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "intermediate_size": 48, "max_position_embeddings": 200, "initializer_range": 0.2, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
DECODER = {**SIZES, "num_key_value_heads": 2, "attn_implementation": "eager"}
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip
LINEAR = {"rope_type": "linear", "rope_theta": 100.0, "factor": 2.0}
SHAPES = {
    "modernbert": ("ModernBert", {**SIZES, "local_attention": 12, "cls_token_id": 1, "sep_token_id": 2}),
    "modernbert-biased": (
        "ModernBert",
        {**SIZES, "local_attention": 8, "norm_bias": True, "attention_bias": True, "mlp_bias": True,
         "cls_token_id": 1, "sep_token_id": 2},
    ),
    "qwen3": ("Qwen3", {**DECODER, "head_dim": 12}),
    "qwen2": ("Qwen2", DECODER),
    "qwen2-windows": ("Qwen2", {**DECODER, "use_sliding_window": True, "sliding_window": 7, "max_window_layers": 2}),
    "llama": ("Llama", DECODER),
    "llama-all-heads": ("Llama", {**DECODER, "num_key_value_heads": HEADS, "attention_bias": True, "mlp_bias": True}),
    "llama-stretched": ("Llama", {**DECODER, "rope_parameters": LLAMA3}),
    "llama-linear": ("Llama", {**DECODER, "rope_parameters": LINEAR}),
    "mistral": ("Mistral", {**DECODER, "sliding_window": 6}),
}  # fmt: skip
TEXTS = [[5], list(range(3, 60)), [7, 8, 9, 10], [11] * 12, list(range(60, 30, -1))]


def build(kind, **changes):
    family, settings = SHAPES[kind]
    config = getattr(transformers, family + "Config")(**settings, **changes)
    torch.manual_seed(5)
    model = getattr(transformers, family + "Model")(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or name.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def saved(model, folder, **changes):
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text()) | changes
    architecture = read_architecture(config)
    return GraphEngine(architecture, Weights(read_headers(folder), architecture).used())


def run(engine, texts):
    lengths = np.array([len(text) for text in texts])
    return [r[:n] for r, n in zip(engine.last(padded([np.array(t) for t in texts]), lengths), lengths, strict=True)]


@pytest.mark.parametrize("kind", SHAPES)
def test_last_states_equal_transformers_alone_in_batches_and_in_any_order(tmp_path, kind) -> None:
    model = build(kind)
    engine = saved(model, tmp_path)
    together, turned = run(engine, TEXTS), run(engine, TEXTS[::-1])[::-1]
    for i, text in enumerate(TEXTS):
        with torch.no_grad():
            expected = model(torch.tensor([text])).last_hidden_state[0].numpy()
        assert np.abs(expected).max() > 0.5
        for found in (together[i], turned[i], run(engine, [text])[0]):
            np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["modernbert", "qwen3", "llama-all-heads"])
def test_all_states_and_maps_equal_transformers(tmp_path, kind) -> None:
    model = build(kind) if kind != "modernbert" else build(kind, attn_implementation="eager")
    engine = saved(model, tmp_path)
    with torch.no_grad():
        expected = model(torch.tensor([TEXTS[1]]), output_hidden_states=True, output_attentions=True)
    ids, lengths = np.array([TEXTS[1]]), np.array([len(TEXTS[1])])
    for found, state in zip(engine.states(ids, lengths, range(LAYERS + 1)), expected.hidden_states, strict=True):
        np.testing.assert_allclose(found, state.numpy(), rtol=1e-5, atol=1e-5)
    for found, weights in zip(engine.attentions(ids, lengths, range(LAYERS)), expected.attentions, strict=True):
        np.testing.assert_allclose(found, weights.numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_a_decoder_that_sees_both_sides_equals_transformers_with_an_open_mask(tmp_path, kind) -> None:
    model = build(kind)
    engine = saved(model, tmp_path, is_causal=False)
    causal = saved(model, tmp_path)
    text = TEXTS[1]
    open_mask = torch.zeros(1, 1, len(text), len(text))
    with torch.no_grad():
        expected = model(torch.tensor([text]), attention_mask={"full_attention": open_mask} if kind == "qwen2"
                         else open_mask).last_hidden_state[0].numpy()  # fmt: skip
    np.testing.assert_allclose(run(engine, [text, TEXTS[0]])[0], expected, atol=1e-5)
    assert np.abs(run(causal, [text])[0] - expected).max() > 0.1
    switched = replace(causal.architecture, rotary=replace(causal.architecture.rotary, causal=False))
    np.testing.assert_array_equal(run(GraphEngine(switched, causal.weights), [text])[0], run(engine, [text])[0])


@pytest.mark.parametrize("kind", ["modernbert", "qwen3", "mistral"])
def test_the_graph_for_texts_of_one_length_and_the_inlined_one_say_the_same(tmp_path, kind) -> None:
    engine = saved(build(kind), tmp_path)
    ids = np.array([list(range(3, 33)), list(range(40, 10, -1))])
    lengths = np.array([30, 30])
    expected = engine.last(ids, lengths)
    feed = graph_feed(engine.architecture, ids, lengths)
    inlined = write_graph(engine.architecture, engine.weights, tmp_path, plain=True, inline=True)
    np.testing.assert_allclose(open_session(inlined, folder=tmp_path / "none").run(None, feed)[0], expected, atol=1e-6)
    del feed["lengths"]
    bare = write_graph(engine.architecture, engine.weights, tmp_path, masked=False)
    np.testing.assert_allclose(open_session(bare, folder=tmp_path).run(None, feed)[0], expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["modernbert", "qwen3", "qwen2-windows"])
def test_openvino_says_the_same(tmp_path, kind) -> None:
    pytest.importorskip("openvino")
    from isogloss.encoders.engines.openvino import OpenVinoEngine, compile_graph

    engine = saved(build(kind), tmp_path)
    graph = write_graph(engine.architecture, engine.weights, tmp_path, plain=True, inline=True)
    other = OpenVinoEngine(compile_graph(graph, "fp32", 1), engine.architecture, "fp32")
    for found, expected in zip(run(other, TEXTS), run(engine, TEXTS), strict=True):
        np.testing.assert_allclose(found, expected, atol=5e-5)


def test_the_words_of_transformers_4_are_understood() -> None:
    old = {
        "model_type": "modernbert", "num_hidden_layers": 4, "hidden_size": 8, "num_attention_heads": 2, "vocab_size": 9,
        "intermediate_size": 8, "max_position_embeddings": 64, "global_attn_every_n_layers": 3, "local_attention": 128,
        "global_rope_theta": 160000.0, "local_rope_theta": 10000.0,
    }  # fmt: skip
    rotary = read_architecture(old).rotary
    assert rotary.windows == (0, 64, 64, 0)
    assert [turning.theta for turning in rotary.turnings] == [160000.0, 10000.0, 10000.0, 160000.0]
    stretched = {"type": "linear", "factor": 4.0}
    llama = {**old, "model_type": "llama", "rope_theta": 5000.0, "rope_scaling": stretched, "num_key_value_heads": 1}
    assert read_architecture(llama).rotary.turnings[0] == Turning(5000.0, "linear", 4.0)
    with pytest.raises(UnsupportedModelError, match="yarn"):
        read_architecture({**llama, "rope_scaling": {"rope_type": "yarn", "factor": 4.0}})
    with pytest.raises(ModelError, match="divide"):
        read_architecture({**llama, "num_attention_heads": 4, "num_key_value_heads": 3})
    with pytest.raises(ModelError, match="kinds of layers"):
        read_architecture({**llama, "layer_types": ["full_attention"]})


def test_angles_by_hand() -> None:
    # sizes 4: theta^0 and theta^(-2/4)
    np.testing.assert_allclose(Turning(100.0).frequencies(4), [1.0, 0.1], rtol=1e-6)
    np.testing.assert_allclose(Turning(100.0, "linear", 2.0).frequencies(4), [0.5, 0.05], rtol=1e-6)
    # waves of 2 pi and 20 pi = 62.8 positions: with an original length of 40 and borders 1 and 4 the first wave is
    # shorter than 40 / 4 and stays, the second longer than 40 / 1 and is stretched by 8
    np.testing.assert_allclose(Turning(100.0, "llama3", 8.0, 1.0, 4.0, 40).frequencies(4), [1.0, 0.0125], rtol=1e-6)


def test_multiply_adds_by_hand(tmp_path) -> None:
    for kind, linear, across in (
        # width 32, 4 heads of 8 with 2 heads of keys and values, 48 inside with a gate
        ("llama", 32 * 32 + 2 * 32 * 16 + 32 * 32 + 3 * 32 * 48, 32),
        ("llama-all-heads", 4 * 32 * 32 + 3 * 32 * 48, 32),
        # heads of 12 instead of 8: 48 across, 24 for keys and values
        ("qwen3", 32 * 48 + 2 * 32 * 24 + 48 * 32 + 3 * 32 * 48, 48),
        # queries, keys and values in one matrix, both halves of the gated part in another
        ("modernbert", 32 * 96 + 32 * 32 + 32 * 96 + 48 * 32, 32),
    ):
        (tmp_path / kind).mkdir()
        made = saved(build(kind), tmp_path / kind)
        engine = graph_engine(made.architecture, made.weights)
        assert engine.multiply_adds(3, 10) == 3 * 10 * LAYERS * (linear + 2 * 10 * across), kind


@pytest.mark.parametrize("kind", ["llama", "qwen3", "modernbert", "mistral"])
def test_multiply_adds_are_what_torch_counts(tmp_path, kind) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model = build(kind) if kind != "modernbert" else build(kind, attn_implementation="eager")
    made = saved(model, tmp_path)
    engine = graph_engine(made.architecture, made.weights)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.arange(3, 33).reshape(2, 15))
    angles = {"modernbert": 2}.get(kind, 1) * 15 * (engine.architecture.rotary.head_size // 2)  # of positions
    assert engine.multiply_adds(2, 15) == pytest.approx(counter.get_total_flops() / 2, abs=4 * angles)
