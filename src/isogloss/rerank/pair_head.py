"""The head of a sequence classifier in NumPy: from a pair's states to one logit a label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isogloss.arrays import Dense
from isogloss.encoders.engines.weights import TensorPlace, read_headers
from isogloss.encoders.model_plan import ModelPlan
from isogloss.encoders.word_head import ACTIVATIONS
from isogloss.errors import ModelError, UnsupportedModelError


@dataclass(frozen=True, slots=True)
class PairHead:
    """``act(x W^T + b) C^T + c`` of the first token's state ``x``; one row of ``C`` a label.

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

    def __call__(self, x: Dense) -> Dense:
        """Return the logits ``(n, labels)`` of states ``(n, d)``."""
        return np.asarray(self.activation(x @ self.weight.T + self.bias) @ self.labels.T + self.labels_bias, np.float32)


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
    if plan.model_type not in _DENSE:
        raise UnsupportedModelError(
            f"the classification head of a {plan.model_type} is not supported", f"{plan.name} needs it",
            f"use a cross-encoder of one of these kinds: {', '.join(sorted(_DENSE))}",
        )  # fmt: skip
    dense, activation, labels = _DENSE[plan.model_type]
    tensors = read_headers(plan.transformer)
    name = next((one for one in dense if f"{one}.weight" in tensors), dense[0])
    first, last = _layer(tensors, name), _layer(tensors, labels)
    return PairHead(*first, np.tanh if activation == "tanh" else ACTIVATIONS[activation], *last)


def _layer(tensors: Mapping[str, TensorPlace], name: str) -> tuple[Any, Any]:
    places = [tensors.get(f"{name}.{part}") for part in ("weight", "bias")]
    if places[0] is None or places[1] is None or places[0].shape[:1] != places[1].shape:
        raise ModelError(
            "the model has no classification head", f"the tensors {name}.weight and .bias are missing or do not fit",
            "use a model that was trained as a cross-encoder",
        )  # fmt: skip
    return places[0].read(), places[1].read()
