"""Further shapes of encoder that graphs are written for: sizes from ``config.json``, names of the tensors.

ELECTRA (https://arxiv.org/abs/2003.10555) and ALBERT (https://arxiv.org/abs/1909.11942) are BERT behind a layer that
widens the embeddings; ALBERT uses one layer's weights in all. DeBERTa-v2 and v3 and the encoders of T5, mT5
(https://arxiv.org/abs/2010.11934) and UMT5 (https://openreview.net/forum?id=kXwdL1cWOAi) know distances between tokens
instead of positions: :mod:`isogloss.encoders.engines.relative`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from isogloss.encoders.engines.architectures import (
    MODEL_TYPES,
    ROTARY_TYPES,
    Architecture,
    Names,
    Weights,
    known_activations,
)  # fmt: skip
from isogloss.encoders.engines.relative import Bucketed, Disentangled, read_bucketed, read_disentangled
from isogloss.encoders.engines.weights import TensorPlace
from isogloss.errors import ModelError, UnsupportedModelError

_BERT = MODEL_TYPES["bert"]
_ALBERT_LAYER = "encoder.albert_layer_groups.0.albert_layers.0."
_ALBERT = replace(
    _BERT,
    query=_ALBERT_LAYER + "attention.query",
    key=_ALBERT_LAYER + "attention.key",
    value=_ALBERT_LAYER + "attention.value",
    attention_out=_ALBERT_LAYER + "attention.dense",
    attention_norm=_ALBERT_LAYER + "attention.LayerNorm",
    up=_ALBERT_LAYER + "ffn",
    down=_ALBERT_LAYER + "ffn_output",
    out_norm=_ALBERT_LAYER + "full_layer_layer_norm",
)
_DEBERTA_SELF = "encoder.layer.{i}.attention.self."
_DEBERTA = replace(
    _BERT, query=_DEBERTA_SELF + "query_proj", key=_DEBERTA_SELF + "key_proj", value=_DEBERTA_SELF + "value_proj",
    relative="encoder.rel_embeddings",
)  # fmt: skip
DISTANCE_KEY, DISTANCE_QUERY = _DEBERTA_SELF + "pos_key_proj", _DEBERTA_SELF + "pos_query_proj"
"""DeBERTa's layers for distances, where these do not go through the layers for contents."""
DISTANCE_NORM, CONVOLUTION, CONVOLUTION_NORM = "encoder.LayerNorm", "encoder.conv.conv", "encoder.conv.LayerNorm"
_T5_LAYER = "encoder.block.{i}.layer."
_T5 = Names(
    query=_T5_LAYER + "0.SelfAttention.q",
    key=_T5_LAYER + "0.SelfAttention.k",
    value=_T5_LAYER + "0.SelfAttention.v",
    attention_out=_T5_LAYER + "0.SelfAttention.o",
    attention_norm=_T5_LAYER + "0.layer_norm",
    up=_T5_LAYER + "1.DenseReluDense.wi",
    down=_T5_LAYER + "1.DenseReluDense.wo",
    out_norm=_T5_LAYER + "1.layer_norm",
    word="shared",
    position="",
    embedding_norm="",
    relative=_T5_LAYER + "0.SelfAttention.relative_attention_bias",
    last_norm="encoder.final_layer_norm",
)
_T5_GATED = replace(_T5, gate=_T5.up + "_0", up=_T5.up + "_1")
_T5_WORDS = "encoder.embed_tokens.weight"  # the same table; files hold it under one name or both


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape(Architecture):
    """Sizes of a model of one of the further shapes.

    Attributes
    ----------
    embedded
        Components of a token's embedding before it is widened.
    types
        Rows of the table of token types, 0 where there is none.
    widening
        Name of the layer that widens embeddings, empty where there is none.
    relative
        What the model knows of distances, ``None`` where it has positions alone.
    """

    embedded: int
    types: int = 0
    widening: str = ""
    relative: Disentangled | Bucketed | None = None

    def multiply_adds(self, texts: int, width: int) -> int:
        """Return the multiply-adds of one run on ``texts`` rows of ``width`` tokens: linear layers and attention."""
        across, layers = self.width, 2 if not self.names.gate else 3
        distances = 0
        if isinstance(self.relative, Bucketed):
            across = self.heads * self.relative.head_size
        elif self.relative is not None:
            distances = 2 * self.relative.span * (self.relative.content + self.relative.position)
        a_token = 4 * self.width * across + layers * self.width * self.inner + (2 * width + distances) * across
        widening = self.embedded * self.width if self.widening else 0
        return texts * width * (self.layers * a_token + widening)

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor that the forward pass reads, by its name without a prefix."""
        names, width = self.names, self.width
        across = self.heads * self.relative.head_size if isinstance(self.relative, Bucketed) else width
        linear = {name: (across, width) for name in (names.query, names.key, names.value)}
        linear |= {names.attention_out: (width, across), names.down: (width, self.inner)}
        linear |= {name: (self.inner, width) for name in (names.gate, names.up) if name}
        norms = [names.attention_norm, names.out_norm]
        found: dict[str, tuple[int, ...]] = {names.word + ".weight": (self.vocabulary, self.embedded)}
        found |= self._bucketed(self.relative) if isinstance(self.relative, Bucketed) else self._embeddings()
        plain = isinstance(self.relative, Bucketed)
        for i in range(self.layers):
            for name, shape in [*linear.items(), *((norm, (width,)) for norm in norms)]:
                found[name.format(i=i) + ".weight"] = shape
                if not plain:
                    found[name.format(i=i) + ".bias"] = shape[:1]
        return found | (self._disentangled(self.relative) if isinstance(self.relative, Disentangled) else {})

    def _embeddings(self) -> dict[str, tuple[int, ...]]:
        names, first = self.names, not isinstance(self.relative, Disentangled)
        found: dict[str, tuple[int, ...]] = {}
        if names.position:
            found[names.position + ".weight"] = (self.positions, self.embedded)
        if self.types:
            found[names.token_type + ".weight"] = (self.types, self.embedded)
        if self.widening:
            found[self.widening + ".weight"] = (self.width, self.embedded)
        if self.widening and first:
            found[self.widening + ".bias"] = (self.width,)
        size = self.embedded if first else self.width
        return found | {f"{names.embedding_norm}.{part}": (size,) for part in ("weight", "bias")}

    def _bucketed(self, relative: Bucketed) -> dict[str, tuple[int, ...]]:
        tables = range(self.layers if relative.each else 1)
        found: dict[str, tuple[int, ...]] = {self.names.last_norm + ".weight": (self.width,)}
        return found | {
            self.names.relative.format(i=i) + ".weight": (relative.buckets, self.heads) for i in tables
        }  # fmt: skip

    def _disentangled(self, relative: Disentangled) -> dict[str, tuple[int, ...]]:
        width = self.width
        found: dict[str, tuple[int, ...]] = {}
        if relative.content or relative.position:
            found[self.names.relative + ".weight"] = (2 * relative.span, width)
        linear = [DISTANCE_KEY] * relative.content + [DISTANCE_QUERY] * relative.position
        for name in [] if relative.shared else linear:
            for i in range(self.layers):
                found |= {name.format(i=i) + ".weight": (width, width), name.format(i=i) + ".bias": (width,)}
        norms = [DISTANCE_NORM] * (relative.normed and bool(linear))
        more = relative.convolution
        if more is not None:
            found |= {
                CONVOLUTION + ".weight": (width, width // more.groups, more.kernel),
                CONVOLUTION + ".bias": (width,),
            }
            norms.append(CONVOLUTION_NORM)
        return found | {f"{name}.{part}": (width,) for name in norms for part in ("weight", "bias")}


class ShapeWeights(Weights):
    """The tensors of a model of one of the further shapes."""

    def __init__(self, tensors: Mapping[str, TensorPlace], shape: Shape) -> None:
        own = dict(tensors)
        for name in tensors:
            if isinstance(shape.relative, Bucketed) and name.endswith(_T5_WORDS):
                own.setdefault(name.removesuffix(_T5_WORDS) + shape.names.word + ".weight", tensors[name])
        super().__init__(own, shape)
        self.shape = shape

    def used(self) -> dict[str, TensorPlace]:
        """Return every tensor that the forward pass reads, by its name without the prefix."""
        return {name: self.place(name, shape) for name, shape in self.shape.tensors().items()}


def used_tensors(tensors: Mapping[str, TensorPlace], architecture: Architecture) -> dict[str, TensorPlace]:
    """Return every tensor that a forward pass reads, whatever the shape.

    Raises
    ------
    ModelError
        Where one is missing or has another shape than ``config.json`` says.
    """
    if isinstance(architecture, Shape):
        return ShapeWeights(tensors, architecture).used()
    return Weights(tensors, architecture).used()


def read_shape(config: Mapping[str, Any]) -> Shape:
    """Read the sizes from the content of a ``config.json`` whose ``model_type`` is one of ``SHAPE_TYPES``.

    Raises
    ------
    UnsupportedModelError
        For another kind of model, a decoder, ALBERT with several groups of layers, or an unknown activation function.
    ModelError
        Where a size is missing or the heads do not divide the width.
    """
    kind = str(config.get("model_type", ""))
    if kind not in SHAPE_TYPES:
        raise unknown_kind(config)
    if config.get("is_decoder") or config.get("add_cross_attention"):
        raise UnsupportedModelError(
            f"a {kind} that is a decoder is not supported", "config.json has is_decoder or add_cross_attention",
            "use the encoder",
        )  # fmt: skip
    return SHAPE_TYPES[kind](config)


def unknown_kind(config: Mapping[str, Any]) -> UnsupportedModelError:
    """Return the error of a ``config.json`` whose kind of model no graph is written for."""
    kind, known = str(config.get("model_type", "")), ", ".join(sorted({*MODEL_TYPES, *ROTARY_TYPES, *SHAPE_TYPES}))
    named = ", ".join(config.get("architectures") or []) or "no architecture named"
    return UnsupportedModelError(
        f"the architecture {kind or '(none)'} is not supported", f"config.json says {kind!r}, {named}",
        f"use a model of one of these kinds: {known}; or one whose folder has an ONNX file under onnx/",
    )  # fmt: skip


_USUAL = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size")


def _numbers(config: Mapping[str, Any], keys: tuple[str, ...]) -> list[int]:
    try:
        return [int(config[key]) for key in keys]
    except (KeyError, TypeError, ValueError) as error:
        why = f"{config['model_type']} needs a number for {error}"
        raise ModelError("config.json is not complete", why, "fetch the model again") from error


def _activation(named: str) -> str:
    known = known_activations()
    if named not in known:
        raise UnsupportedModelError(
            f"the activation function {named} is not supported", "config.json names it",
            f"use a model with one of these: {', '.join(sorted(known))}",
        )  # fmt: skip
    return known[named]


def _widened(config: Mapping[str, Any]) -> Shape:
    kind, positions = str(config["model_type"]), str(config.get("position_embedding_type", "absolute"))
    albert = kind == "albert"
    layers, width, heads, inner, words = _numbers(config, _USUAL)
    embedded, rows = _numbers({"embedding_size": 128, **config}, ("embedding_size", "max_position_embeddings"))
    groups = [int(config.get(key, 1)) for key in ("num_hidden_groups", "inner_group_num")]
    if albert and groups != [1, 1]:
        raise UnsupportedModelError(
            "an ALBERT with several groups of layers is not supported",
            f"config.json has num_hidden_groups {groups[0]}, inner_group_num {groups[1]}", "use one with one layer",
        )  # fmt: skip
    if positions != "absolute":
        raise UnsupportedModelError(
            f"positions of type {positions} are not supported", "config.json has position_embedding_type",
            "use a model with absolute positions",
        )  # fmt: skip
    widening = "encoder.embedding_hidden_mapping_in" if albert else "embeddings_project" * (embedded != width)
    return Shape(
        kind, _ALBERT if albert else _BERT, layers, _divided(width, heads), heads, inner, words, rows, 0,
        float(config.get("layer_norm_eps", 1e-12)),
        _activation(str(config.get("hidden_act", "gelu_new" if albert else "gelu"))),
        embedded=embedded, types=int(config.get("type_vocab_size", 2)), widening=widening,
    )  # fmt: skip


def _deberta(config: Mapping[str, Any]) -> Shape:
    layers, width, heads, inner, words = _numbers(config, _USUAL)
    rows = int(config.get("max_position_embeddings", 512))
    embedded, size = int(config.get("embedding_size", width)), int(config.get("attention_head_size", width // heads))
    if size != _divided(width, heads) // heads:
        raise UnsupportedModelError(
            f"heads of {size} components are not supported", f"{heads} of them do not make a width of {width}",
            "use a model without attention_head_size",
        )  # fmt: skip
    relative = read_disentangled(config, rows, known_activations())
    names = _DEBERTA if config.get("position_biased_input", True) else replace(_DEBERTA, position="")
    return Shape(
        "deberta-v2", names, layers, width, heads, inner, words, rows, 0, float(config.get("layer_norm_eps", 1e-7)),
        _activation(str(config.get("hidden_act", "gelu"))), embedded=embedded,
        types=int(config.get("type_vocab_size", 0)), widening="embeddings.embed_proj" * (embedded != width),
        relative=relative,
    )  # fmt: skip


def _t5(config: Mapping[str, Any]) -> Shape:
    keys = ("num_layers", "d_model", "num_heads", "d_ff", "vocab_size", "d_kv")
    layers, width, heads, inner, words, size = _numbers(config, keys)
    kind = str(config["model_type"])
    said = str(config.get("feed_forward_proj", "relu" if kind == "t5" else "gated-gelu"))
    gated = said.startswith("gated-")
    act = "gelu_new" if said == "gated-gelu" else said.removeprefix("gated-")
    return Shape(
        kind, _T5_GATED if gated else _T5, layers, width, heads, inner, words, 0, 0,
        float(config.get("layer_norm_epsilon", 1e-6)), _activation(act), embedded=width,
        relative=read_bucketed(config, size, gated),
    )  # fmt: skip


def _divided(width: int, heads: int) -> int:
    if width % heads:
        raise ModelError(
            "config.json contradicts itself", f"{heads} heads do not divide a width of {width}", "fetch the model again"
        )
    return width


SHAPE_TYPES: Mapping[str, Callable[[Mapping[str, Any]], Shape]] = {
    "electra": _widened, "albert": _widened, "deberta-v2": _deberta, **dict.fromkeys(("t5", "mt5", "umt5"), _t5),
}  # fmt: skip
"""``model_type`` of ``config.json`` to what reads it: the further shapes."""
