"""A linear map behind a sentence model at rest: the cheapest way to adapt its vectors."""

from __future__ import annotations

import torch
from torch import nn

from isogloss.nn.sentence import DenseLayer, SentenceModel
from isogloss.training.adapters.freezing import trainable
from isogloss.training.randomness import seeded


def add_output_map(model: SentenceModel) -> int:
    """Put a linear map ``W x + b`` behind a model, freeze the rest; return how many numbers may move.

    ``W`` begins as the identity and ``b`` as zero: nothing changes. It is the linear adapter of query embeddings, and
    the control of adapters that sit inside the layers.

    Parameters
    ----------
    model
        Changed in place.

    Examples
    --------
    >>> from isogloss.nn.transformer import Transformer, TransformerConfig
    >>> add_output_map(SentenceModel(Transformer(TransformerConfig(vocabulary=9, width=4, layers=1, heads=2, inner=8))))
    20
    """
    size = model.dimensions
    with seeded(0), torch.no_grad():  # the first draw is overwritten: the caller's draws stay as they were
        layer = DenseLayer(size, size, activation="Identity")
        nn.init.eye_(layer.linear.weight)
        nn.init.zeros_(layer.linear.bias)
    model.requires_grad_(False)
    model.dense.append(layer)
    return trainable(model)
