"""The head of a sequence classifier in NumPy: from a pair's states to one logit a label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isogloss.arrays import Dense
from isogloss.encoders.engines.weights import TensorPlace, read_headers
from isogloss.encoders.model_modules import read_json
from isogloss.encoders.model_plan import ModelPlan
from isogloss.encoders.pooling import LayerNorm
from isogloss.encoders.word_head import ACTIVATIONS, head_activation
from isogloss.errors import ModelError, UnsupportedModelError


@dataclass(frozen=True, slots=True)
class PairHead:
    """``norm(act(x W^T + b)) C^T + c`` of the first token's state ``x``; one row of ``C`` a label.

    With ``mean``, ``x`` is the mean of the tokens' states; most shapes have no norm.

    Examples
    --------
    >>> one = np.eye(2, dtype=np.float32)
    >>> head = PairHead(one, np.zeros(2, np.float32), np.tanh, np.array([[2, 1]], np.float32), np.ones(1, np.float32))
    >>> head(np.array([[0.0, 0.0]], np.float32)).tolist()
    [[1.0]]
    """

    weight: Dense
    bias: Dense
    activation: Callable[[Dense], Dense]
    labels: Dense
    labels_bias: Dense
    norm: LayerNorm | None = None
    mean: bool = False

    def __call__(self, x: Dense) -> Dense:
        """Return the logits ``(n, labels)`` of states ``(n, d)``."""
        inner = self.activation(x @ self.weight.T + self.bias)
        inner = inner if self.norm is None else self.norm(inner)
        return np.asarray(inner @ self.labels.T + self.labels_bias, np.float32)


_DENSE: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    # names of the dense layer (the first one that is there counts), its activation, the layer of the labels
    "bert": (("bert.pooler.dense", "pooler.dense"), "tanh", "classifier"),
    "roberta": (("classifier.dense",), "tanh", "classifier.out_proj"),
    "xlm-roberta": (("classifier.dense",), "tanh", "classifier.out_proj"),
    "camembert": (("classifier.dense",), "tanh", "classifier.out_proj"),
    "mpnet": (("classifier.dense",), "tanh", "classifier.out_proj"),
    "distilbert": (("pre_classifier",), "relu", "classifier"),
    "electra": (("classifier.dense",), "gelu", "classifier.out_proj"),
    "albert": (("albert.pooler", "pooler"), "tanh", "classifier"),
    "deberta-v2": (("pooler.dense",), "gelu", "classifier"),
}


def load_pair_head(plan: ModelPlan) -> PairHead:
    """Read the head of a sequence classifier from the transformer's folder.

    Raises
    ------
    UnsupportedModelError
        Where the head of this kind of model is not known here.
    ModelError
        Where the folder has no head: it was saved as an encoder alone.
    """
    if plan.model_type == "modernbert":
        return _modern(plan)
    if plan.model_type not in _DENSE:
        raise UnsupportedModelError(
            f"the classification head of a {plan.model_type} is not supported", f"{plan.name} needs it",
            f"use a cross-encoder of one of these kinds: {', '.join(sorted([*_DENSE, 'modernbert']))}",
        )  # fmt: skip
    dense, activation, labels = _DENSE[plan.model_type]
    if plan.model_type == "deberta-v2":
        activation = str(read_json(plan.transformer / "config.json").get("pooler_hidden_act", activation))
    if activation not in ("tanh", *ACTIVATIONS):
        raise UnsupportedModelError(
            f"the activation function {activation} is not supported", f"config.json of {plan.name} names it",
            f"known: tanh, {', '.join(ACTIVATIONS)}",
        )  # fmt: skip
    tensors = read_headers(plan.transformer)
    name = next((one for one in dense if f"{one}.weight" in tensors), dense[0])
    first, last = _layer(tensors, name), _layer(tensors, labels)
    return PairHead(*first, np.tanh if activation == "tanh" else ACTIVATIONS[activation], *last)


def _modern(plan: ModelPlan) -> PairHead:
    """Read ModernBERT's head: a dense layer and a norm, both mostly without bias, over the first or the mean state."""
    tensors, said = read_headers(plan.transformer), read_json(plan.transformer / "config.json")
    if "head.dense.weight" not in tensors or "head.norm.weight" not in tensors:
        _layer(tensors, "classifier")  # says that there is no head
    weight, gain = tensors["head.dense.weight"].read(), tensors["head.norm.weight"].read()
    bias, shift = (
        tensors[name].read() if name in tensors else np.zeros(len(gain), np.float32)
        for name in ("head.dense.bias", "head.norm.bias")
    )
    norm = LayerNorm(gain, shift, float(said.get("norm_eps", 1e-5)))
    mean = said.get("classifier_pooling", "cls") == "mean"
    return PairHead(weight, bias, ACTIVATIONS[head_activation(plan)], *_layer(tensors, "classifier"), norm, mean)


def _layer(tensors: Mapping[str, TensorPlace], name: str) -> tuple[Any, Any]:
    places = [tensors.get(f"{name}.{part}") for part in ("weight", "bias")]
    if places[0] is None or places[1] is None or places[0].shape[:1] != places[1].shape:
        raise ModelError(
            "the model has no classification head", f"the tensors {name}.weight and .bias are missing or do not fit",
            "use a model that was trained as a cross-encoder",
        )  # fmt: skip
    return places[0].read(), places[1].read()
