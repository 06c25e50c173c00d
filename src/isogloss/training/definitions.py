"""A sentence's vector foretells a word through the word head of its own masked language model, which stays at rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.nn.heads import TokenPredictor
from isogloss.nn.packing import Packed, pack
from isogloss.nn.pooling import PoolingMode, pool
from isogloss.objectives.class_prediction import ClassPrediction, predict_classes
from isogloss.protocols import Progress
from isogloss.training.batching import TextBatches
from isogloss.training.loop import train
from isogloss.training.masked_model import MaskedModel
from isogloss.training.stage import Optimiser, Player, Stage

_SLICE = 64
"""Texts whose logits are computed at once."""


class PooledWords(nn.Module):
    """Logits of the words that a text may stand for: ``head(pool(states))``.

    Parameters
    ----------
    predictor
        Body and head.
    pooling
        How the states of a text become one vector, as wide as a state.

    Examples
    --------
    >>> from isogloss.nn.heads import MaskedHead
    >>> from isogloss.nn.transformer import Transformer, TransformerConfig
    >>> config = TransformerConfig(vocabulary=9, width=8, layers=1, heads=2, inner=16)
    >>> words = PooledWords(TokenPredictor(Transformer(config), MaskedHead(9, 8)))
    >>> tuple(words(pack([np.array([1, 2, 3]), np.array([4])])).shape)
    (2, 9)
    """

    def __init__(self, predictor: TokenPredictor, *, pooling: PoolingMode = "mean") -> None:
        super().__init__()
        self.predictor, self.pooling = predictor, pooling

    def forward(self, packed: Packed) -> Tensor:
        """Return ``(n, vocabulary)``."""
        states = self.predictor.body(packed)  # (T, width)
        logits: Tensor = self.predictor.head(pool(states, packed, (self.pooling,)), self.predictor.table)  # (n, V)
        return logits


def defined(
    base: MaskedModel, definitions: Sequence[str], words: Sequence[int], *, steps: int, batch_size: int = 16,
    learning_rate: float = 1e-5, pooling: PoolingMode = "mean", seed: int = 0, progress: Progress | None = None,
) -> MaskedModel:  # fmt: skip
    """Tune a masked language model so that the pooled states of a definition foretell the word; return it.

    The loss is ``-log p(word | definition)`` over the whole vocabulary. DefSent, Tsukagoshi, Sasano and Takeda 2021
    (https://arxiv.org/abs/2105.04339). The model is changed in place; its head and its token table, which the head
    shares, are not. A sentence's vector is what is pooled, as before.

    Parameters
    ----------
    base
        Encoder and language model.
    definitions, words
        Texts, and the token that each of them stands for.
    steps, batch_size, learning_rate
        Of the tuning.
    pooling
        The base's own pooling, where its vectors are to be used.
    seed
        Of order and dropout.
    progress
        Told about every step.

    Raises
    ------
    UsageError
        Where there are not as many words as definitions, or a word is no token.
    """
    size = len(base.predictor.table)
    if len(words) != len(definitions) or not all(0 <= word < size for word in words):
        found = f"{len(words)} words, {len(definitions)} definitions, {size} tokens"
        raise UsageError("each definition needs one token", found, "leave out words that are no single token")
    batches = TextBatches(
        [definitions], base.tokenizer, batch_size=batch_size, seed=seed, labels=np.asarray(words, np.int64),
        no_duplicates=False,
    )  # fmt: skip
    resting = [base.predictor.table, *base.predictor.head.parameters()]
    player = Player(
        module=PooledWords(base.predictor, pooling=pooling), objective=ClassPrediction(), forward=predict_classes,
        optimiser=Optimiser(learning_rate=learning_rate),
    )  # fmt: skip
    stage = Stage(batches=batches, players=[player], steps=steps, precision="bf16", name="definitions")
    for parameter in resting:
        parameter.requires_grad_(False)
    base.summary = train(stage, seed=seed, progress=progress)
    for parameter in resting:
        parameter.requires_grad_(True)
    return base


def foretold(model: MaskedModel, texts: Sequence[str], *, pooling: PoolingMode = "mean") -> NDArray[np.float32]:
    """Return the logits ``(n, vocabulary)`` of the word that each text defines.

    Parameters
    ----------
    model
        Of which the head is asked.
    texts
        Definitions.
    pooling
        How states become one vector.
    """
    words = PooledWords(model.predictor, pooling=pooling).eval()
    rows = model.tokenizer(list(texts)).ids
    with torch.no_grad():
        parts = [words(pack(rows[i : i + _SLICE])).float() for i in range(0, len(rows), _SLICE)]  # (m, V) each
    return torch.cat([torch.zeros(0, len(model.predictor.table)), *parts]).numpy()  # (n, V)
