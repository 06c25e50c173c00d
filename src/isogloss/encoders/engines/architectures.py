"""Shapes of encoder that the graph writer knows: sizes from ``config.json``, names of the tensors.

Four are the post-norm Transformer encoder and differ in names, in how positions enter, and in token types:
BERT (https://arxiv.org/abs/1810.04805), RoBERTa (https://arxiv.org/abs/1907.11692; XLM-R and CamemBERT share it),
MPNet with relative position buckets (https://arxiv.org/abs/2004.09297), DistilBERT (https://arxiv.org/abs/1910.01108).
The pre-norm ones with rotary positions, ModernBERT and decoders of Llama's kind, add a :class:`Rotary`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.encoders.engines.rotary import DECODERS, MODERNBERT, Rotary, read_rotary
from isogloss.encoders.engines.weights import TensorPlace
from isogloss.errors import ModelError, UnsupportedModelError

RELATIVE_MAX_DISTANCE = 128  # MPNet's constant; the number of buckets is in its config


@dataclass(frozen=True, slots=True)
class Names:
    """Templates of the tensor names of one shape, without ``.weight`` and ``.bias``; ``{i}`` is the layer."""

    query: str
    key: str
    value: str
    attention_out: str
    attention_norm: str
    up: str
    down: str
    out_norm: str
    word: str = "embeddings.word_embeddings"
    position: str = "embeddings.position_embeddings"
    token_type: str = ""
    embedding_norm: str = "embeddings.LayerNorm"
    relative: str = ""
    gate: str = ""
    query_norm: str = ""
    key_norm: str = ""
    last_norm: str = ""


_BERT_LAYER = "encoder.layer.{i}."
_BERT = Names(
    query=_BERT_LAYER + "attention.self.query",
    key=_BERT_LAYER + "attention.self.key",
    value=_BERT_LAYER + "attention.self.value",
    attention_out=_BERT_LAYER + "attention.output.dense",
    attention_norm=_BERT_LAYER + "attention.output.LayerNorm",
    up=_BERT_LAYER + "intermediate.dense",
    down=_BERT_LAYER + "output.dense",
    out_norm=_BERT_LAYER + "output.LayerNorm",
    token_type="embeddings.token_type_embeddings",
)
_MPNET = Names(
    query=_BERT_LAYER + "attention.attn.q",
    key=_BERT_LAYER + "attention.attn.k",
    value=_BERT_LAYER + "attention.attn.v",
    attention_out=_BERT_LAYER + "attention.attn.o",
    attention_norm=_BERT_LAYER + "attention.LayerNorm",
    up=_BERT_LAYER + "intermediate.dense",
    down=_BERT_LAYER + "output.dense",
    out_norm=_BERT_LAYER + "output.LayerNorm",
    relative="encoder.relative_attention_bias",
)
_DISTIL_LAYER = "transformer.layer.{i}."
_DISTILBERT = Names(
    query=_DISTIL_LAYER + "attention.q_lin",
    key=_DISTIL_LAYER + "attention.k_lin",
    value=_DISTIL_LAYER + "attention.v_lin",
    attention_out=_DISTIL_LAYER + "attention.out_lin",
    attention_norm=_DISTIL_LAYER + "sa_layer_norm",
    up=_DISTIL_LAYER + "ffn.lin1",
    down=_DISTIL_LAYER + "ffn.lin2",
    out_norm=_DISTIL_LAYER + "output_layer_norm",
)

_MODERN_LAYER = "layers.{i}."
_MODERNBERT = Names(
    query=_MODERN_LAYER + "attn.Wqkv",
    key=_MODERN_LAYER + "attn.Wqkv",
    value=_MODERN_LAYER + "attn.Wqkv",
    attention_out=_MODERN_LAYER + "attn.Wo",
    attention_norm=_MODERN_LAYER + "attn_norm",
    up=_MODERN_LAYER + "mlp.Wi",
    down=_MODERN_LAYER + "mlp.Wo",
    out_norm=_MODERN_LAYER + "mlp_norm",
    word="embeddings.tok_embeddings",
    position="",
    embedding_norm="embeddings.norm",
    last_norm="final_norm",
)
_DECODER_LAYER = "layers.{i}."
_DECODER = Names(
    query=_DECODER_LAYER + "self_attn.q_proj",
    key=_DECODER_LAYER + "self_attn.k_proj",
    value=_DECODER_LAYER + "self_attn.v_proj",
    attention_out=_DECODER_LAYER + "self_attn.o_proj",
    attention_norm=_DECODER_LAYER + "input_layernorm",
    up=_DECODER_LAYER + "mlp.up_proj",
    down=_DECODER_LAYER + "mlp.down_proj",
    out_norm=_DECODER_LAYER + "post_attention_layernorm",
    word="embed_tokens",
    position="",
    embedding_norm="",
    gate=_DECODER_LAYER + "mlp.gate_proj",
    query_norm=_DECODER_LAYER + "self_attn.q_norm",
    key_norm=_DECODER_LAYER + "self_attn.k_norm",
    last_norm="norm",
)

MODEL_TYPES: Mapping[str, Names] = {
    "bert": _BERT,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "camembert": _BERT,
    "mpnet": _MPNET,
    "distilbert": _DISTILBERT,
}
"""``model_type`` of ``config.json`` to tensor names: the post-norm encoders, which can also be trained here."""
ROTARY_TYPES: Mapping[str, Names] = {MODERNBERT: _MODERNBERT, **dict.fromkeys(sorted(DECODERS), _DECODER)}
"""The same of the pre-norm transformers with rotary positions."""

_OFFSET_TYPES = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet"})
_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}


def known_activations() -> dict[str, str]:
    """Return the activation functions that graphs are written with, by the words of ``config.json``.

    Examples
    --------
    >>> known_activations()["gelu_new"]
    'gelu_tanh'
    """
    return dict(_ACTIVATIONS)


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of one model, read from its ``config.json``.

    Attributes
    ----------
    model_type
        As in ``config.json``.
    names
        Templates of the tensor names.
    layers, width, heads, inner, vocabulary
        Number of layers, hidden size, attention heads, size inside the feed-forward part, rows of the token table.
    positions
        Longest input in tokens, special ones included.
    first_position
        Row of the position table that the first token takes (RoBERTa and MPNet: padding id + 1).
    epsilon
        Of the layer norms.
    activation
        ``"gelu"``, ``"gelu_tanh"``, ``"relu"`` or ``"silu"``.
    buckets
        Relative position buckets, 0 where there are none.
    rotary
        What a pre-norm transformer with rotary positions has beside its sizes, ``None`` for the post-norm ones.
    """

    model_type: str
    names: Names
    layers: int
    width: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    first_position: int
    epsilon: float
    activation: str
    buckets: int = 0
    rotary: Rotary | None = None


def _unsupported(what: str, why: str) -> UnsupportedModelError:
    known = ", ".join(sorted({**MODEL_TYPES, **ROTARY_TYPES}))
    fix = f"use a model of one of these kinds: {known}; or one whose folder has an ONNX file under onnx/"
    return UnsupportedModelError(what, why, fix)


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """Read the sizes from the content of ``config.json``.

    Raises
    ------
    UnsupportedModelError
        For another kind of model, a decoder, relative key positions, or an unknown activation function.
    ModelError
        Where a size is missing or the heads do not divide the width.
    """
    kind = str(config.get("model_type", ""))
    names = MODEL_TYPES.get(kind) or ROTARY_TYPES.get(kind)
    if names is None:
        named = ", ".join(config.get("architectures") or []) or "no architecture named"
        raise _unsupported(
            f"the architecture {kind or '(none)'} is not supported", f"config.json says {kind!r}, {named}"
        )
    if (config.get("is_decoder") and kind not in DECODERS) or config.get("add_cross_attention"):
        raise _unsupported(
            f"a {kind} that is a decoder is not supported", "config.json has is_decoder or add_cross_attention"
        )
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise _unsupported(
            f"positions of type {config['position_embedding_type']} are not supported",
            "only absolute positions (and MPNet's relative buckets) are",
        )
    keys = _KEYS.get(kind, _USUAL_KEYS)
    layers, width, heads, inner, vocabulary, rows = _sizes(config, kind, keys[:4])
    act = str(config.get(keys[4], "silu" if kind in DECODERS else "gelu"))
    if act not in _ACTIVATIONS:
        raise _unsupported(
            f"the activation function {act} is not supported", f"known: {', '.join(sorted(_ACTIVATIONS))}"
        )
    first = int(config.get("pad_token_id", 1)) + 1 if kind in _OFFSET_TYPES else 0
    epsilon = config.get("norm_eps", 1e-5) if kind == MODERNBERT else config.get("layer_norm_eps", 1e-12)
    return Architecture(
        kind, names, layers, width, heads, inner, vocabulary, rows - first, first,
        float(config.get("rms_norm_eps", 1e-6) if kind in DECODERS else epsilon), _ACTIVATIONS[act],
        int(config.get("relative_attention_num_buckets", 32)) if names.relative else 0,
        read_rotary(config, layers, width, heads) if kind in ROTARY_TYPES else None,
    )  # fmt: skip


_USUAL_KEYS = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "hidden_act")
_KEYS: Mapping[str, tuple[str, ...]] = {
    "distilbert": ("n_layers", "dim", "n_heads", "hidden_dim", "activation"),
    MODERNBERT: (*_USUAL_KEYS[:4], "hidden_activation"),
}


def _sizes(config: Mapping[str, Any], kind: str, keys: tuple[str, ...]) -> list[int]:
    """Return layers, width, heads, inner size, vocabulary and rows of positions."""
    try:
        sizes = [int(config[key]) for key in (*keys, "vocab_size", "max_position_embeddings")]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            "config.json is not complete", f"{kind} needs a number for {error}", "fetch the model again"
        ) from error
    _, width, heads, *_ = sizes
    if width % heads and not config.get("head_dim"):
        raise ModelError(
            "config.json contradicts itself", f"{heads} heads do not divide a width of {width}", "fetch the model again"
        )
    return sizes


def relative_buckets(length: int, buckets: int) -> NDArray[np.int64]:
    """Return the bucket of each pair (query position, key position), ``(length, length)`` int64.

    Half of the buckets are for keys before the query, half for keys after it; in each half the first half holds one
    distance a bucket and the rest distances on a logarithmic scale up to 128.
    """
    position = np.arange(length)
    distance = position[None, :] - position[:, None]
    half = buckets // 2
    exact = half // 2
    size = np.abs(distance)
    # float32 as the models were trained with: its rounding decides at the bucket borders
    ratio = np.log(np.maximum(size, 1).astype(np.float32) / np.float32(exact)) / np.float32(
        np.log(RELATIVE_MAX_DISTANCE / exact)
    )
    large = np.minimum(exact + (ratio * np.float32(half - exact)).astype(np.int64), half - 1)
    return np.asarray(np.where(size < exact, size, large) + np.where(distance > 0, half, 0), np.int64)


class Weights:
    """The tensors of a model under the names of its shape; a common prefix and old layer-norm names are understood."""

    def __init__(self, tensors: Mapping[str, TensorPlace], architecture: Architecture) -> None:
        self.architecture = architecture
        anchor = architecture.names.word + ".weight"
        prefixes = sorted((name[: -len(anchor)] for name in tensors if name.endswith(anchor)), key=len)
        if not prefixes:
            raise ModelError(
                "the weights do not belong to config.json",
                f"a {architecture.model_type} has a tensor {anchor}; found {', '.join(sorted(tensors)[:3])} ...",
                "fetch the model again",
            )
        self.prefix, self.tensors = prefixes[0], tensors

    def place(self, name: str, shape: tuple[int, ...]) -> TensorPlace:
        """Return where tensor ``name`` lies, checked against ``shape``."""
        full = self.prefix + name
        if full not in self.tensors:
            full = full.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        if full not in self.tensors:
            raise ModelError(
                f"the weights lack {self.prefix + name}", "config.json promises it", "fetch the model again"
            )
        place = self.tensors[full]
        if place.shape != shape:
            raise ModelError(
                "the weights contradict config.json",
                f"{full} is {place.shape}, expected {shape}",
                "fetch the model again",
            )
        return place

    def used(self) -> dict[str, TensorPlace]:
        """Return every tensor that the forward pass reads, by its name without the prefix."""
        arch, names = self.architecture, self.architecture.names
        if arch.rotary is not None:
            shapes = _rotary_shapes(arch, arch.rotary)
            return {name: self.place(name, shape) for name, shape in shapes.items()}
        width, inner = arch.width, arch.inner
        shapes = {
            names.word + ".weight": (arch.vocabulary, width),
            names.position + ".weight": (arch.positions + arch.first_position, width),
        }
        if names.token_type:
            table = self.prefix + names.token_type + ".weight"
            shapes[names.token_type + ".weight"] = (self.tensors[table].shape[0] if table in self.tensors else 2, width)
        if names.relative:
            shapes[names.relative + ".weight"] = (arch.buckets, arch.heads)
        linear = {
            names.query: (width, width), names.key: (width, width), names.value: (width, width),
            names.attention_out: (width, width), names.up: (inner, width), names.down: (width, inner),
        }  # fmt: skip
        for i in range(arch.layers):
            for name, shape in linear.items():
                shapes[name.format(i=i) + ".weight"] = shape
                shapes[name.format(i=i) + ".bias"] = shape[:1]
        norms = [names.embedding_norm]
        norms += [name.format(i=i) for i in range(arch.layers) for name in (names.attention_norm, names.out_norm)]
        for name in norms:
            shapes[name + ".weight"] = shapes[name + ".bias"] = (width,)
        return {name: self.place(name, shape) for name, shape in shapes.items()}


def _rotary_shapes(arch: Architecture, rotary: Rotary) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of a pre-norm transformer with rotary positions."""
    names, width, inner = arch.names, arch.width, arch.inner
    across, keys = arch.heads * rotary.head_size, rotary.key_heads * rotary.head_size
    linear = {names.attention_out: ("out", width, across), names.down: ("inner", width, inner)}
    if rotary.joined:
        linear |= {names.query: ("attention", across + 2 * keys, width), names.up: ("inner", 2 * inner, width)}
    else:
        linear |= {names.query: ("attention", across, width)}
        linear |= {name: ("attention", keys, width) for name in (names.key, names.value)}
        linear |= {name: ("inner", inner, width) for name in (names.gate, names.up)}
    shapes: dict[str, tuple[int, ...]] = {names.word + ".weight": (arch.vocabulary, width)}
    norms = [name for name in (names.embedding_norm, names.last_norm) if name]
    for i in range(arch.layers):
        for name, (kind, rows, columns) in linear.items():
            shapes[name.format(i=i) + ".weight"] = (rows, columns)
            if kind in rotary.biases:
                shapes[name.format(i=i) + ".bias"] = (rows,)
        # ModernBERT's first layer reads the embeddings' norm directly
        norms += [name.format(i=i) for name in (names.attention_norm, names.out_norm)][rotary.joined and i == 0 :]
        if rotary.head_norms:
            shapes |= {name.format(i=i) + ".weight": (rotary.head_size,) for name in (names.query_norm, names.key_norm)}
    for name in norms:
        shapes[name + ".weight"] = (width,)
        if "norm" in rotary.biases:
            shapes[name + ".bias"] = (width,)
    return shapes
