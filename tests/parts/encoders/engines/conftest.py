"""Tiny random encoders of the four shapes, and their forward pass in plain NumPy: an oracle that needs nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

WIDTH, INNER, HEADS, LAYERS, VOCABULARY, POSITIONS = 24, 40, 3, 3, 50, 40

BERT = {
    "q": "encoder.layer.{}.attention.self.query", "k": "encoder.layer.{}.attention.self.key",
    "v": "encoder.layer.{}.attention.self.value", "o": "encoder.layer.{}.attention.output.dense",
    "n1": "encoder.layer.{}.attention.output.LayerNorm", "up": "encoder.layer.{}.intermediate.dense",
    "down": "encoder.layer.{}.output.dense", "n2": "encoder.layer.{}.output.LayerNorm",
}  # fmt: skip
MPNET = BERT | {
    "q": "encoder.layer.{}.attention.attn.q", "k": "encoder.layer.{}.attention.attn.k",
    "v": "encoder.layer.{}.attention.attn.v", "o": "encoder.layer.{}.attention.attn.o",
    "n1": "encoder.layer.{}.attention.LayerNorm",
}  # fmt: skip
DISTILBERT = {
    "q": "transformer.layer.{}.attention.q_lin", "k": "transformer.layer.{}.attention.k_lin",
    "v": "transformer.layer.{}.attention.v_lin", "o": "transformer.layer.{}.attention.out_lin",
    "n1": "transformer.layer.{}.sa_layer_norm", "up": "transformer.layer.{}.ffn.lin1",
    "down": "transformer.layer.{}.ffn.lin2", "n2": "transformer.layer.{}.output_layer_norm",
}  # fmt: skip
TABLES = {"bert": BERT, "roberta": BERT, "mpnet": MPNET, "distilbert": DISTILBERT}
FIRST = {"bert": 0, "roberta": 2, "mpnet": 2, "distilbert": 0}


def config_of(kind: str) -> dict[str, Any]:
    """Return the ``config.json`` of a tiny model."""
    sizes = {
        "num_hidden_layers": LAYERS,
        "hidden_size": WIDTH,
        "num_attention_heads": HEADS,
        "intermediate_size": INNER,
    }
    if kind == "distilbert":
        sizes = {"n_layers": LAYERS, "dim": WIDTH, "n_heads": HEADS, "hidden_dim": INNER, "activation": "gelu"}
    rows = {"vocab_size": VOCABULARY, "max_position_embeddings": POSITIONS + FIRST[kind]}
    rest = {"pad_token_id": 1 if FIRST[kind] else 0, "layer_norm_eps": 1e-12 if kind == "distilbert" else 1e-5}
    return {"model_type": kind, "hidden_act": "gelu", **rows, **rest, **sizes}


def random_weights(kind: str, seed: int = 0) -> dict[str, np.ndarray]:
    """Return random weights under the names of a shape; norms are not trivial, so that a lost one shows."""
    rng = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {}

    def linear(name: str, outputs: int, inputs: int) -> None:
        weights[name + ".weight"] = rng.normal(0, 0.25, (outputs, inputs)).astype(np.float32)
        weights[name + ".bias"] = rng.normal(0, 0.2, outputs).astype(np.float32)

    def norm(name: str) -> None:
        weights[name + ".weight"] = rng.uniform(0.5, 1.5, WIDTH).astype(np.float32)
        weights[name + ".bias"] = rng.normal(0, 0.2, WIDTH).astype(np.float32)

    tables = {"word": VOCABULARY, "position": POSITIONS + FIRST[kind]}
    if kind in ("bert", "roberta"):
        tables["token_type"] = 2 if kind == "bert" else 1
    for name, rows in tables.items():
        weights[f"embeddings.{name}_embeddings.weight"] = rng.normal(0, 1, (rows, WIDTH)).astype(np.float32)
    norm("embeddings.LayerNorm")
    if kind == "mpnet":
        weights["encoder.relative_attention_bias.weight"] = rng.normal(0, 1, (32, HEADS)).astype(np.float32)
    for i in range(LAYERS):
        names = {key: name.format(i) for key, name in TABLES[kind].items()}
        for key in ("q", "k", "v", "o"):
            linear(names[key], WIDTH, WIDTH)
        linear(names["up"], INNER, WIDTH)
        linear(names["down"], WIDTH, INNER)
        norm(names["n1"])
        norm(names["n2"])
    return weights


def bucket(distance: int) -> int:
    """Return MPNet's bucket of one distance (key minus query), from the definition, in Python's own floats."""
    half = 16 if distance > 0 else 0
    size = abs(distance)
    if size < 8:
        return half + size
    return half + min(15, 8 + int(math.log(size / 8) / math.log(16) * 8))


def forward(kind: str, weights: dict[str, np.ndarray], config: dict[str, Any], ids: list[int]) -> tuple[list, list]:
    """Return all hidden states ``(L, d)`` and attention maps ``(heads, L, L)`` of one text, in float64."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    heads = config.get("num_attention_heads", config.get("n_heads"))
    eps = config["layer_norm_eps"]
    length = len(ids)
    erf = np.vectorize(math.erf)

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(1, keepdims=True) + eps) * w[name + ".weight"] + w[name + ".bias"]

    def split(x: np.ndarray) -> np.ndarray:
        return x.reshape(length, heads, -1).transpose(1, 0, 2)

    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.position_embeddings.weight"][FIRST[kind] : FIRST[kind] + length]
    if "embeddings.token_type_embeddings.weight" in w:
        x = x + w["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, "embeddings.LayerNorm")
    bias = 0.0
    if kind == "mpnet":
        grid = [[bucket(key - query) for key in range(length)] for query in range(length)]
        bias = w["encoder.relative_attention_bias.weight"][np.array(grid)].transpose(2, 0, 1)
    states, maps = [x], []
    layers = config.get("num_hidden_layers", config.get("n_layers"))
    for i in range(layers):
        names = {key: name.format(i) for key, name in TABLES[kind].items()}
        q, k, v = (split(linear(x, names[key])) for key in "qkv")
        scores = np.exp(q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1]) + bias)
        attention = scores / scores.sum(-1, keepdims=True)
        x = norm(linear((attention @ v).transpose(1, 0, 2).reshape(length, -1), names["o"]) + x, names["n1"])
        wide = linear(x, names["up"])
        x = norm(linear(wide * 0.5 * (1 + erf(wide / math.sqrt(2))), names["down"]) + x, names["n2"])
        states.append(x)
        maps.append(attention)
    return states, maps


@pytest.fixture(scope="session")
def numpy_forward() -> Callable[..., tuple[list, list]]:
    """Return the forward pass in NumPy: ``numpy_forward(kind, weights, config, ids) -> (states, maps)``."""
    return forward


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., tuple[Path, dict[str, Any], dict[str, np.ndarray]]]:
    """Write weights and config of a tiny model: ``tiny(kind, prefix="", dtype=np.float32)``."""
    from safetensors.numpy import save_file

    def make(kind: str, *, prefix: str = "", dtype: Any = np.float32, name: str = "") -> tuple[Path, dict, dict]:
        folder = tmp_path / (name or kind)
        folder.mkdir()
        weights = {key: value.astype(dtype) for key, value in random_weights(kind).items()}
        save_file({prefix + key: value for key, value in weights.items()}, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(config_of(kind)))
        return folder, config_of(kind), weights

    return make
