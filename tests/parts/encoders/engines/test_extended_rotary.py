"""Rotary positions of longer windows: transformers' own scaling where they equal, attention by hand where not."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.encoders.batching import padded
from isogloss.encoders.engines.architectures import Weights, read_architecture
from isogloss.encoders.engines.extended_graph import ChangedEngine, EngineByLength
from isogloss.encoders.engines.onnx import GraphEngine
from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.positions import SelfExtend, self_extend_for, stretched

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

LAYERS, WIDTH, HEADS, TRAINED = 3, 32, 4, 24
SIZES = {
    "vocab_size": 70, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "intermediate_size": 48, "max_position_embeddings": TRAINED, "initializer_range": 0.25, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
KINDS = {
    "llama": ("Llama", SIZES),
    "shared keys": ("Llama", {**SIZES, "num_key_value_heads": 2}),
    "normed heads": ("Qwen3", {**SIZES, "num_key_value_heads": 1, "head_dim": 12}),
    "modernbert": ("ModernBert", {**SIZES, "local_attention": 10, "cls_token_id": 1, "sep_token_id": 2,
                                  "global_attn_every_n_layers": 2}),
}  # fmt: skip
LONG = np.random.default_rng(3).integers(3, 70, 60)


def theirs(kind, **changes):
    family, settings = KINDS[kind]
    torch.manual_seed(4)
    return getattr(transformers, family + "Model")(
        getattr(transformers, family + "Config")(**settings | changes)
    ).eval()


def build(kind, folder):
    made = theirs(kind)
    made.save_pretrained(folder)
    architecture = read_architecture(made.config.to_dict())
    return made, architecture, Weights(read_headers(folder), architecture).used()


def states_of(model, text):
    with torch.no_grad():
        return model(torch.tensor(text)[None]).last_hidden_state[0].numpy()


def run(engine, *texts):
    lengths = np.array([len(text) for text in texts])
    return [row[:n] for row, n in zip(engine.last(padded(list(texts)), lengths), lengths, strict=True)]


@pytest.mark.parametrize("kind", ["llama", "shared keys"])
def test_linear_stretching_is_that_of_transformers(tmp_path, kind) -> None:
    _, arch, weights = build(kind, tmp_path)
    scaled = {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 60 / TRAINED}}
    longer = _with(arch, stretched(arch.rotary, "linear", 60 / TRAINED))
    expected = states_of(theirs(kind, **scaled), LONG)
    np.testing.assert_allclose(run(ChangedEngine(longer, weights), LONG)[0], expected, atol=2e-5)


@pytest.mark.parametrize("kind", ["llama", "shared keys"])
def test_a_longer_base_is_transformers_dynamic_one_at_the_length_of_the_window(tmp_path, kind) -> None:
    plain, arch, weights = build(kind, tmp_path)
    scaled = {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 1.0}}
    longer = _with(arch, stretched(arch.rotary, "ntk", 60 / TRAINED))
    found, expected = run(ChangedEngine(longer, weights), LONG)[0], states_of(theirs(kind, **scaled), LONG)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert np.abs(states_of(plain, LONG) - expected).max() > 1e-2


def _with(arch, rotary):
    from dataclasses import replace

    return replace(arch, positions=60, rotary=rotary)


class ByHand:
    """The forward pass in float64, each pair of tokens turned by its own distance: slow, and nothing like the graph."""

    def __init__(self, model, arch):
        self.arch, self.rotary = arch, arch.rotary
        self.w = {name: value.detach().numpy().astype(np.float64) for name, value in model.state_dict().items()}

    def norm(self, x, name):
        if self.rotary.centred:
            x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + self.arch.epsilon) * self.w[name + ".weight"]

    def turned_products(self, i, query, key, distance):
        """``sum q R(distance) k`` of every pair, ``(heads, L, L)``."""
        speeds = self.rotary.turnings[i].frequencies(self.rotary.head_size).astype(np.float64)
        angles = distance[..., None] * speeds  # (L, L, size / 2)
        half = self.rotary.head_size // 2
        q, k = query[:, :, None], key[:, None]  # (heads, L, 1, size), (heads, 1, L, size)
        straight = q[..., :half] * k[..., :half] + q[..., half:] * k[..., half:]
        across = q[..., half:] * k[..., :half] - q[..., :half] * k[..., half:]
        # turning q by a and k by b, their product depends on a - b alone
        return (straight * np.cos(angles) - across * np.sin(angles)).sum(-1)

    def attention(self, i, x, distances):
        names, w, length = self.arch.names, self.w, len(x)
        if self.rotary.joined:
            parts = np.split(x @ w[names.query.format(i=i) + ".weight"].T, 3, axis=1)
        else:
            parts = [x @ w[one.format(i=i) + ".weight"].T for one in (names.query, names.key, names.value)]
        query, key, value = (part.reshape(length, -1, self.rotary.head_size).transpose(1, 0, 2) for part in parts)
        if self.rotary.head_norms:
            query, key = self.norm(query, names.query_norm.format(i=i)), self.norm(key, names.key_norm.format(i=i))
        key, value = (np.repeat(one, len(query) // len(one), 0) for one in (key, value))
        plain = np.arange(length)[:, None] - np.arange(length)[None]
        window = self.rotary.windows[i]
        scores = self.turned_products(i, query, key, plain if window else distances)
        seen = (plain >= 0) if self.rotary.causal else (np.abs(plain) <= (window or length))
        scores = np.where(seen, scores / np.sqrt(self.rotary.head_size), -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (weights / weights.sum(-1, keepdims=True)) @ value
        rows = mixed.transpose(1, 0, 2).reshape(length, -1)
        return rows @ w[names.attention_out.format(i=i) + ".weight"].T

    def inner(self, i, x):
        from math import erf

        names, w = self.arch.names, self.w
        if self.rotary.joined:
            first, gate = np.split(x @ w[names.up.format(i=i) + ".weight"].T, 2, axis=1)
            active = first * 0.5 * (1 + np.vectorize(erf)(first / np.sqrt(2)))
        else:
            first, gate = (x @ w[one.format(i=i) + ".weight"].T for one in (names.gate, names.up))
            active = first / (1 + np.exp(-first))
        return (active * gate) @ w[names.down.format(i=i) + ".weight"].T

    def __call__(self, text, how):
        names, places = self.arch.names, np.arange(len(text))
        distances = how.distance(places[:, None], places[None])
        x = self.w[names.word + ".weight"][text]
        x = self.norm(x, names.embedding_norm) if names.embedding_norm else x
        for i in range(self.arch.layers):
            bare = self.rotary.joined and i == 0
            x = x + self.attention(i, x if bare else self.norm(x, names.attention_norm.format(i=i)), distances)
            x = x + self.inner(i, self.norm(x, names.out_norm.format(i=i)))
        return self.norm(x, names.last_norm)


@pytest.mark.parametrize("kind", KINDS)
def test_self_extend_is_attention_by_hand(tmp_path, kind) -> None:
    model, arch, weights = build(kind, tmp_path)
    oracle, everything = ByHand(model, arch), SelfExtend(near=100, group=1)
    # the oracle itself is right: with exact distances it is the model
    np.testing.assert_allclose(oracle(LONG[:40], everything), states_of(model, LONG[:40]), atol=2e-5)
    longer = _with(arch, arch.rotary)
    for how in (self_extend_for(60, TRAINED), SelfExtend(3, 4), SelfExtend(1, 7), SelfExtend(8, 2)):
        engine = ChangedEngine(longer, weights, how=how)
        for found, text in zip(run(engine, LONG, LONG[:33]), (LONG, LONG[:33]), strict=True):
            np.testing.assert_allclose(found, oracle(text, how), atol=2e-5)
    assert np.abs(oracle(LONG, SelfExtend(3, 4)) - oracle(LONG, everything)).max() > 1e-2


@pytest.mark.parametrize("kind", ["shared keys", "modernbert"])
@pytest.mark.parametrize("how", [SelfExtend(100, 5), SelfExtend(4, 1)])
def test_neighbours_without_end_and_groups_of_one_change_nothing(tmp_path, kind, how) -> None:
    _, arch, weights = build(kind, tmp_path)
    engine, plain = ChangedEngine(arch, weights, how=how), GraphEngine(arch, weights)
    np.testing.assert_allclose(run(engine, LONG)[0], run(plain, LONG)[0], atol=1e-5)
    ids, lengths = LONG[None], np.array([60])
    for one, other in zip(engine.states(ids, lengths, [0, 2]), plain.states(ids, lengths, [0, 2]), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    np.testing.assert_allclose(
        engine.attentions(ids, lengths, [1])[0], plain.attentions(ids, lengths, [1])[0], atol=1e-5
    )


def test_short_texts_run_on_the_plain_engine(tmp_path) -> None:
    _, arch, weights = build("llama", tmp_path)
    longer = _with(arch, stretched(arch.rotary, "ntk", 60 / TRAINED))
    short, far = GraphEngine(arch, weights), ChangedEngine(longer, weights)
    both = EngineByLength(longer, weights, short=short, long=far)
    found = run(both, LONG, LONG[:TRAINED], LONG[:5])
    for row, engine, length in zip(found, (far, short, short), (60, TRAINED, 5), strict=True):
        np.testing.assert_allclose(row, run(engine, LONG[:length])[0], atol=1e-5)
    assert np.abs(found[1] - run(far, LONG[:TRAINED])[0]).max() > 1e-3
