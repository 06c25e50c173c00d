"""ELECTRA, ALBERT, DeBERTa and T5's encoders against the transformers package, on tiny random models that it saved."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isogloss.encoders.batching import padded
from isogloss.encoders.engines.onnx import graph_feed, open_session
from isogloss.encoders.engines.operators import Graph
from isogloss.encoders.engines.relative import Bucketed, Disentangled
from isogloss.encoders.engines.shape_graph import graph_engine, inlined_graph, write_shape_graph
from isogloss.encoders.engines.shapes import read_shape, used_tensors
from isogloss.encoders.engines.weights import read_headers
from isogloss.errors import ModelError, UnsupportedModelError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

LAYERS = 3
SIZES = {
    "vocab_size": 70, "hidden_size": 32, "num_hidden_layers": LAYERS, "num_attention_heads": 4, "pad_token_id": 0,
    "intermediate_size": 48, "max_position_embeddings": 200, "initializer_range": 0.2,
}  # fmt: skip
DEBERTA = {
    **SIZES, "relative_attention": True, "position_biased_input": False, "pos_att_type": ["p2c", "c2p"],
    "position_buckets": 8, "norm_rel_ebd": "layer_norm", "share_att_key": True,
}  # fmt: skip
EARLIER = {
    **DEBERTA, "share_att_key": False, "norm_rel_ebd": "none", "position_buckets": -1, "max_relative_positions": 10,
    "type_vocab_size": 2, "position_biased_input": True, "pos_att_type": "p2c|c2p",
}  # fmt: skip
T5 = {
    "vocab_size": 70, "d_model": 32, "d_kv": 12, "d_ff": 48, "num_layers": LAYERS, "num_heads": 4, "pad_token_id": 0,
    "relative_attention_max_distance": 20, "relative_attention_num_buckets": 8,
}  # fmt: skip
SHAPES = {
    "electra": ("Electra", {**SIZES, "embedding_size": 16}),
    "electra-unwidened": ("Electra", {**SIZES, "embedding_size": 32}),
    "albert": ("Albert", {**SIZES, "embedding_size": 16}),
    "deberta-v3": ("DebertaV2", DEBERTA),
    "deberta-earlier": ("DebertaV2", EARLIER),
    "deberta-content": ("DebertaV2", {**DEBERTA, "pos_att_type": ["c2p"]}),
    "deberta-positions": ("DebertaV2", SIZES),
    "deberta-convolved": ("DebertaV2", {**DEBERTA, "conv_kernel_size": 3, "conv_act": "gelu", "embedding_size": 16}),
    "deberta-grouped": ("DebertaV2", {**DEBERTA, "conv_kernel_size": 5, "conv_groups": 2, "pos_att_type": ["p2c"]}),
    "t5": ("T5", T5),
    "t5-gated": ("T5", {**T5, "feed_forward_proj": "gated-gelu"}),
    "mt5": ("MT5", {**T5, "feed_forward_proj": "gated-silu"}),
    "umt5": ("UMT5", T5),
}
LONG = list(range(3, 63)) * 3  # beyond every distance above
TEXTS = [[5], list(range(3, 60)), [7, 8, 9, 10], [11] * 12, LONG, list(range(60, 30, -1))]


def build(kind, **changes):
    family, settings = SHAPES[kind]
    config = getattr(transformers, family + "Config")(**settings, attn_implementation="eager", **changes)
    torch.manual_seed(5)
    model = getattr(transformers, family + ("EncoderModel" if "T5" in family else "Model"))(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name.lower() or name.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.2)
            if "relative_attention_bias" in name:
                parameter.copy_(torch.randn_like(parameter))
    return model


def opened(folder, **changes):
    shape = read_shape(json.loads((folder / "config.json").read_text()) | changes)
    return graph_engine(shape, used_tensors(read_headers(folder), shape))


def saved(model, folder):
    model.save_pretrained(folder)
    return opened(folder)


def run(engine, texts):
    lengths = np.array([len(text) for text in texts])
    return [r[:n] for r, n in zip(engine.last(padded([np.array(t) for t in texts]), lengths), lengths, strict=True)]


def expected_of(model, text):
    with torch.no_grad():
        return model(torch.tensor([text])).last_hidden_state[0].float().numpy()


def mean_cosine(found, expected):
    a, b = np.concatenate(found).astype(np.float64), np.concatenate(expected).astype(np.float64)
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).mean())


@pytest.mark.parametrize("kind", SHAPES)
def test_last_states_equal_transformers_alone_in_batches_and_in_any_order(tmp_path, kind) -> None:
    model = build(kind)
    engine = saved(model, tmp_path)
    together, turned = run(engine, TEXTS), run(engine, TEXTS[::-1])[::-1]
    for i, text in enumerate(TEXTS):
        expected = expected_of(model, text)
        assert np.abs(expected).max() > 0.5
        for found in (together[i], turned[i], run(engine, [text])[0]):
            np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["albert", "deberta-v3", "deberta-convolved", "t5-gated", "umt5"])
def test_all_states_and_maps_equal_transformers(tmp_path, kind) -> None:
    model = build(kind)
    engine = saved(model, tmp_path)
    with torch.no_grad():
        expected = model(torch.tensor([TEXTS[1]]), output_hidden_states=True, output_attentions=True)
    ids, lengths = np.array([TEXTS[1]]), np.array([len(TEXTS[1])])
    for found, state in zip(engine.states(ids, lengths, range(LAYERS + 1)), expected.hidden_states, strict=True):
        np.testing.assert_allclose(found, state.numpy(), atol=1e-5)
    for found, weights in zip(engine.attentions(ids, lengths, range(LAYERS)), expected.attentions, strict=True):
        np.testing.assert_allclose(found, weights.numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", ["electra", "deberta-v3", "deberta-convolved", "t5"])
def test_the_graph_for_texts_of_one_length_and_the_inlined_one_say_the_same(tmp_path, kind) -> None:
    engine = saved(build(kind), tmp_path)
    ids, lengths = np.array([list(range(3, 33)), list(range(40, 10, -1))]), np.array([30, 30])
    expected = engine.last(ids, lengths)
    feed = graph_feed(engine.architecture, ids, lengths)
    inlined = open_session(inlined_graph(engine.architecture, engine.weights, tmp_path), folder=tmp_path / "none")
    np.testing.assert_allclose(inlined.run(None, feed)[0], expected, atol=5e-6)
    del feed["lengths"]
    bare = write_shape_graph(Graph(engine.weights, tmp_path), engine.architecture, masked=False)
    np.testing.assert_allclose(open_session(bare, folder=tmp_path).run(None, feed)[0], expected, atol=5e-6)


@pytest.mark.parametrize("kind", [one for one in SHAPES if one not in ("electra-unwidened", "t5-gated", "mt5")])
def test_openvino_says_the_same(tmp_path, kind) -> None:
    pytest.importorskip("openvino")
    from isogloss.encoders.engines.openvino import OpenVinoEngine, compile_graph

    engine = saved(build(kind), tmp_path)
    graph, expected = inlined_graph(engine.architecture, engine.weights, tmp_path), run(engine, TEXTS)
    other = OpenVinoEngine(compile_graph(graph, "fp32", 1), engine.architecture, "fp32")
    for found, right in zip(run(other, TEXTS), expected, strict=True):
        np.testing.assert_allclose(found, right, atol=5e-5)
    half = OpenVinoEngine(compile_graph(graph, "bf16", 1), engine.architecture, "bf16")
    assert mean_cosine(run(half, TEXTS), expected) >= 0.9999


@pytest.mark.parametrize("kind", ["electra", "albert", "deberta-v3", "t5-gated"])
@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
def test_weights_that_are_stored_in_half_precision_are_computed_in_float32(tmp_path, kind, stored) -> None:
    model = build(kind).to(stored)
    engine = saved(model, tmp_path)
    assert {place.dtype for place in engine.weights.values()} == {"F16" if stored == torch.float16 else "BF16"}
    model = model.float()
    for text, found in zip(TEXTS, run(engine, TEXTS), strict=True):
        np.testing.assert_allclose(found, expected_of(model, text), atol=1e-5)


@pytest.mark.parametrize("kind", ["electra", "albert", "deberta-v3", "t5-gated"])
def test_rounded_layers_stay_close(tmp_path, kind) -> None:
    engine = saved(build(kind), tmp_path)
    rounded = graph_engine(engine.architecture, engine.weights, "int8")
    found = mean_cosine(run(rounded, TEXTS), run(engine, TEXTS))
    assert 0.98 < found < 0.999999


@pytest.mark.parametrize("kind", ["albert", "deberta-v3", "t5", "t5-gated"])
def test_multiply_adds_are_what_torch_counts(tmp_path, kind) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model = build(kind)
    engine = saved(model, tmp_path)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.arange(3, 33).reshape(2, 15))
    # torch computes the layers of distances, which depend on weights alone, in every run; ALBERT's pooler is not used
    once = {"deberta-v3": 2 * LAYERS * 16 * 32 * 32, "albert": 2 * 32 * 32}.get(kind, 0)
    assert engine.multiply_adds(2, 15) == counter.get_total_flops() // 2 - once


def test_buckets_are_those_of_transformers() -> None:
    from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position
    from transformers.models.t5.modeling_t5 import T5Attention

    for buckets, longest in ((256, 512), (8, 200), (32, 128)):
        kind = Disentangled(buckets, buckets, longest, True, True, 3, True, False, None)
        far = len(kind.rows()) // 2
        distance = torch.arange(-far, far + 1)
        right = make_log_bucket_position(distance, buckets, longest).long() + buckets
        np.testing.assert_array_equal(kind.rows(), right.clamp(0, 2 * buckets - 1).numpy())
        assert kind.rows()[[0, -1]].tolist() == [0, 2 * buckets - 1]  # what is farther is the same
    for buckets, longest in ((32, 128), (8, 20), (64, 1000)):
        kind = Bucketed(8, buckets, longest, False, False)
        distance = torch.arange(-longest, longest + 1)
        right = T5Attention._relative_position_bucket(distance, num_buckets=buckets, max_distance=longest)
        np.testing.assert_array_equal(kind.rows(), right.numpy())
        beyond = T5Attention._relative_position_bucket(
            torch.tensor([-9999, 9999]), num_buckets=buckets, max_distance=longest
        )
        np.testing.assert_array_equal(kind.rows()[[0, -1]], beyond.numpy())


def test_the_words_of_t5_may_lie_under_either_name(tmp_path) -> None:
    from safetensors.numpy import load_file, save_file

    engine = saved(build("t5"), tmp_path)
    expected = run(engine, TEXTS)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["encoder.embed_tokens.weight"] = tensors.pop("shared.weight")
    save_file({f"transformer.{name}": value for name, value in tensors.items()}, tmp_path / "model.safetensors")
    for found, right in zip(run(opened(tmp_path), TEXTS), expected, strict=True):
        np.testing.assert_array_equal(found, right)


def test_what_is_not_done_is_refused_by_name(tmp_path) -> None:
    build("albert").save_pretrained(tmp_path)
    with pytest.raises(UnsupportedModelError, match="several groups"):
        opened(tmp_path, num_hidden_groups=2)
    with pytest.raises(UnsupportedModelError, match="a albert that is a decoder"):
        opened(tmp_path, is_decoder=True)
    with pytest.raises(UnsupportedModelError, match="relative_key"):
        opened(tmp_path, position_embedding_type="relative_key")
    with pytest.raises(UnsupportedModelError, match="mish"):
        opened(tmp_path, hidden_act="mish")
    with pytest.raises(ModelError, match="do not divide"):
        opened(tmp_path, num_attention_heads=5)
    with pytest.raises(ModelError, match="contradict"):
        opened(tmp_path, intermediate_size=50)
    with pytest.raises(ModelError, match="not complete"):
        opened(tmp_path, hidden_size="wide")
    with pytest.raises(UnsupportedModelError, match="the architecture bert is not supported"):
        opened(tmp_path, model_type="bert")
    build("deberta-convolved").save_pretrained(tmp_path)
    with pytest.raises(UnsupportedModelError, match="conv_act"):
        opened(tmp_path, conv_act="mish")
    with pytest.raises(UnsupportedModelError, match="heads of 4 components"):
        opened(tmp_path, attention_head_size=4)
