"""The head of a masked language model: from a token's vector to one number a word of the vocabulary, in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isogloss.arrays import Dense
from isogloss.encoders.engines.architectures import Architecture
from isogloss.encoders.engines.weights import TensorPlace, read_headers
from isogloss.encoders.model_modules import read_json
from isogloss.encoders.model_plan import ModelPlan
from isogloss.encoders.pooling import LayerNorm
from isogloss.errors import ModelError, UnsupportedModelError


@dataclass(frozen=True, slots=True)
class _Names:
    """Names of a head's tensors: its dense layer, its layer norm, its word table, its bias in both spellings."""

    dense: str
    norm: str
    table: str
    bias: tuple[str, ...]


_BERT = _Names(
    "cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.decoder",
    ("cls.predictions.bias", "cls.predictions.decoder.bias"),
)  # fmt: skip
_ROBERTA = _Names("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", ("lm_head.bias", "lm_head.decoder.bias"))
_DISTIL = _Names("vocab_transform", "vocab_layer_norm", "vocab_projector", ("vocab_projector.bias",))
_MODERN = _Names("head.dense", "head.norm", "decoder", ("decoder.bias",))
_HEADS: Mapping[str, _Names] = {
    "bert": _BERT, "distilbert": _DISTIL, "roberta": _ROBERTA, "xlm-roberta": _ROBERTA, "camembert": _ROBERTA,
    "mpnet": _ROBERTA, "modernbert": _MODERN,
}  # fmt: skip


def gelu(x: Dense) -> Dense:
    """Return ``x Phi(x)`` by the error function, for arrays of any size (https://arxiv.org/abs/1606.08415).

    Examples
    --------
    >>> [round(value, 4) for value in gelu(np.array([-1.0, 0.0, 2.0], np.float32)).tolist()]
    [-0.1587, 0.0, 1.9545]
    """
    from scipy.special import erf

    return np.asarray(x * np.float32(0.5) * (1 + erf(x / np.float32(math.sqrt(2)))), np.float32)


def _gelu_tanh(x: Dense) -> Dense:
    inner = np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x**3)
    return np.asarray(x * np.float32(0.5) * (1 + np.tanh(inner)), np.float32)


ACTIVATIONS: Mapping[str, Callable[[Dense], Dense]] = {
    "gelu": gelu,
    "gelu_tanh": _gelu_tanh,
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: np.asarray(x / (1 + np.exp(-x)), np.float32),
}
"""Activation functions by the names of :class:`~isogloss.encoders.engines.architectures.Architecture`."""


@dataclass(frozen=True, slots=True)
class WordHead:
    """``LayerNorm(act(x W^T + b)) E^T + c`` with the table ``E (V, d)``: BERT's (https://arxiv.org/abs/1810.04805).

    Examples
    --------
    >>> one = np.eye(2, dtype=np.float32)
    >>> norm = LayerNorm(np.ones(2, np.float32), np.zeros(2, np.float32))
    >>> head = WordHead(one, np.zeros(2, np.float32), norm, one, np.array([0, 1], np.float32), ACTIVATIONS["relu"])
    >>> head(np.array([[3.0, 1.0]], np.float32)).round(3).tolist()  # 3, 1 are 1, -1 behind the norm
    [[1.0, 0.0]]
    """

    weight: Dense
    bias: Dense
    norm: LayerNorm
    table: Dense
    table_bias: Dense
    activation: Callable[[Dense], Dense]

    def __call__(self, x: Dense) -> Dense:
        """Return the logits ``(T, V)`` of token vectors ``(T, d)``."""
        return self.norm(self.activation(x @ self.weight.T + self.bias)) @ self.table.T + self.table_bias


def load_word_head(plan: ModelPlan) -> WordHead:
    """Read the head of a masked language model from the transformer's folder.

    Raises
    ------
    UnsupportedModelError
        Where the head of this kind of model is not known here.
    ModelError
        Where the folder has no head: it was saved as an encoder alone.
    """
    shape = plan.architecture
    if shape is None or shape.model_type not in _HEADS:
        raise UnsupportedModelError(
            f"the words' head of a {plan.model_type} is not supported", f"{plan.name} needs it",
            f"use a model of one of these kinds, with its weights: {', '.join(sorted(_HEADS))}",
        )  # fmt: skip
    names, tensors = _HEADS[shape.model_type], read_headers(plan.transformer)
    width, rows = shape.width, shape.vocabulary
    table = next((name for name in _tables(names, shape, tensors)), "")
    bias = next((name for name in names.bias if name in tensors), names.bias[0])
    # RoBERTa's and MPNet's heads have GELU whatever the layers have
    activation = "gelu" if names is _ROBERTA else shape.activation
    if names is _MODERN:
        activation = head_activation(plan)
    bare = names is _MODERN  # its dense layer and its norm may have no bias
    return WordHead(
        _read(tensors, names.dense + ".weight", (width, width)), _read(tensors, names.dense + ".bias", (width,), bare),
        LayerNorm(
            _read(tensors, names.norm + ".weight", (width,)), _read(tensors, names.norm + ".bias", (width,), bare),
            shape.epsilon,
        ),
        _read(tensors, table, (rows, width)), _read(tensors, bias, (rows,)), ACTIVATIONS[activation],
    )  # fmt: skip


def _tables(names: _Names, shape: Architecture, tensors: Mapping[str, TensorPlace]) -> list[str]:
    """Return the names that the table of words has, its own one first, else the embeddings', which it shares."""
    own = names.table + ".weight"
    shared = [name for name in tensors if name.endswith(shape.names.word + ".weight")]
    return [own] if own in tensors else shared


def head_activation(plan: ModelPlan) -> str:
    """Return the activation of a ModernBERT's head, which ``config.json`` names apart from the layers'.

    Raises
    ------
    UnsupportedModelError
        Where it is not known here.
    """
    named = str(read_json(plan.transformer / "config.json").get("classifier_activation", "gelu"))
    if named not in ACTIVATIONS:
        raise UnsupportedModelError(
            f"the activation function {named} is not supported", f"config.json of {plan.name} names it for the head",
            f"known: {', '.join(ACTIVATIONS)}",
        )  # fmt: skip
    return named


def _read(tensors: Mapping[str, TensorPlace], name: str, shape: tuple[int, ...], optional: bool = False) -> Any:
    place = tensors.get(name) or tensors.get(_former(name))
    if place is None and optional:
        return np.zeros(shape, np.float32)
    if place is None or place.shape != shape:
        found = "it has none" if place is None else f"it is {place.shape}, {shape} is expected"
        raise ModelError(
            "the model's head over words cannot be read", f"tensor {name}: {found}",
            "use a model that was saved with its masked-language-model head",
        )  # fmt: skip
    return place.read()


def _former(name: str) -> str:
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
