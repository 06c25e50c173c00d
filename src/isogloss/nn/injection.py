"""Telling a frozen language model a vector: it is added to the states of every token."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from isogloss.nn.heads import TokenPredictor
from isogloss.nn.packing import Packed
from isogloss.nn.transformer import Layout, Transformer

Where = Literal["embedding", "layers"]


def injected_logits(predictor: TokenPredictor, packed: Packed, vectors: Tensor, where: Where = "layers") -> Tensor:
    """Return the logits of a causal model that has a vector added to the states of each text's tokens.

    Source: Subramani and Suresh 2020, "Discovering Useful Sentence Representations from Large Pretrained Language
    Models" (https://arxiv.org/abs/2008.09049), their injection into embeddings and into transformer layers.

    Parameters
    ----------
    predictor
        A body that is a :class:`~isogloss.nn.transformer.Transformer`, and its head.
    packed
        ``n`` texts of ``T`` tokens in all.
    vectors
        ``(n, width)``, one a text; zeros leave the model as it is.
    where
        ``"embedding"``: added once, to the embeddings; ``"layers"``: to what every layer reads.

    Returns
    -------
    Tensor
        ``(T, vocabulary)``.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from isogloss.nn.heads import CausalHead
    >>> from isogloss.nn.packing import pack
    >>> from isogloss.nn.transformer import TransformerConfig
    >>> config = TransformerConfig(vocabulary=9, width=8, layers=1, heads=2, inner=16, types=0, causal=True)
    >>> model = TokenPredictor(Transformer(config), CausalHead(8)).eval()
    >>> packed = pack([np.array([1, 2, 3])])
    >>> torch.equal(injected_logits(model, packed, torch.zeros(1, 8)), model(packed))
    True
    """
    body = predictor.body
    if not isinstance(body, Transformer):
        raise TypeError(f"vectors are told to a Transformer, not to a {type(body).__name__}")
    added = vectors[packed.texts()]  # (n, width) -> (T, width)
    relative = None if body.relative is None else body.relative.weight
    layout = Layout(packed, causal=body.config.causal, relative=relative)
    states = body.embeddings(packed) + (added if where == "embedding" else 0)  # (T, width)
    for layer in body.layers:
        states = layer(states + added if where == "layers" else states, layout)  # (T, width)
    if body.norm is not None:
        states = body.norm(states)
    logits: Tensor = predictor.head(states, predictor.table)  # (T, vocabulary)
    return logits
