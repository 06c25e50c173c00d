"""Fine-tuning of any body over packed tokens as a sentence encoder, and recurrent bodies to begin from."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isogloss.encoders.tokenizer_file import Tokens
from isogloss.nn.backbones import Backbone
from isogloss.nn.fixed_words import FixedWords
from isogloss.nn.packing import Packed
from isogloss.nn.pooling import PoolingMode, pool
from isogloss.nn.recurrent import Cell, RecurrentLayers
from isogloss.objectives.contract import Objective
from isogloss.training.batching import TextBatches
from isogloss.training.body_encoder import BodyEncoder
from isogloss.training.corpus_tokens import token_ids
from isogloss.training.fine_tuning import encode_together
from isogloss.training.loop import train
from isogloss.training.randomness import seeded
from isogloss.training.stage import Optimiser, Player, Stage
from isogloss.training.trained_encoder import TrainedEncoder
from isogloss.transforms.projection import principal_directions


class BodyTokens:
    """Token ids as a :class:`~isogloss.training.body_encoder.BodyEncoder` reads them: cut, special tokens around.

    Parameters
    ----------
    encoder
        Whose tokenizer, special tokens and window.
    """

    def __init__(self, encoder: BodyEncoder) -> None:
        self.encoder, self.max_length = encoder, encoder.window

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Return the ids of each text, and how many there were."""
        own, around = self.encoder, len(self.encoder.before) + len(self.encoder.after)
        rows = list(token_ids(texts, own.tokenizer)) if texts else []
        kept = [np.concatenate([own.before, row[: own.window - around], own.after]) for row in rows]
        return Tokens(kept, np.array([len(row) + around for row in rows], np.int64), [])


class _Pooled(nn.Module):
    """A body and how its states become one vector a text."""

    def __init__(self, body: nn.Module, modes: Sequence[PoolingMode]) -> None:
        super().__init__()
        self.body, self.modes = body, tuple(modes)

    def forward(self, packed: Packed) -> Tensor:
        return pool(self.body(packed), packed, self.modes)  # (n, modes * width)


def word_table(words: TrainedEncoder, dimensions: int) -> Tensor:
    """Return a transformer's token table in its first principal directions, ``(V, dimensions)``, of variance 1.

    The numbers of all tokens together have mean 0 and variance 1, as those of word vectors nearly have: recurrent
    layers begin with weights that suit such inputs, and over a table of far smaller numbers they learn too slowly.

    Parameters
    ----------
    words
        Whose table.
    dimensions
        Directions that are kept.
    """
    whole = words.trainable.model.transformer.embeddings.word.weight.detach().numpy()  # (V, d)
    found = principal_directions(whole)
    kept = (whole - found.mean) @ found.rows[:dimensions].T  # (V, dimensions)
    return torch.from_numpy((kept / kept.std()).astype(np.float32))


def recurrent_encoder(
    words: TrainedEncoder, *, dimensions: int = 256, width: int = 256, layers: int = 1, cell: Cell = "lstm",
    pooling: PoolingMode = "max", window: int = 64, seed: int = 0,
) -> BodyEncoder:  # fmt: skip
    """Return a recurrent encoder with random weights that reads both ways over word vectors at rest.

    The encoder of Conneau et al. 2017, "Supervised Learning of Universal Sentence Representations"
    (https://arxiv.org/abs/1705.02364): states of both ways side by side, the maximum over the tokens taken.

    Parameters
    ----------
    words
        Whose tokens, and whose table is the word vectors (see :func:`word_table`); it is not changed.
    dimensions
        Of the word vectors.
    width
        Of the states, half of it for each way; at least that of the word vectors.
    layers
        How many; with 0 the states are the word vectors themselves.
    cell, pooling, window
        Kind of layer, how states become a vector, most tokens of a text.
    seed
        Of the weights.

    Raises
    ------
    UsageError
        Where the width is below that of the word vectors, or odd.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        words = TrainedEncoder.of(load_trainable("minilm"))
        recurrent_encoder(words).encode(["a small dog"])  # (1, 256)
    """
    table = word_table(words, dimensions)
    tokens: Any = words.tokenizer.tokenizer
    with seeded(seed):
        above = [RecurrentLayers(width, layers=layers, cell=cell, ways="both")] if layers else []
        body = Backbone(FixedWords(table, width=width), above)
    edge = words.tokenizer([""]).ids[0]  # the special tokens around nothing
    return BodyEncoder(
        body, tokens, before=edge[:1].tolist(), after=edge[1:].tolist(), window=window, pooling=(pooling,),
        name=f"bi{cell}",
    )  # fmt: skip


def tune_body(
    encoder: BodyEncoder, columns: Sequence[Sequence[str]], objective: Objective, *, labels: Any = None, steps: int,
    batch_size: int = 64, learning_rate: float = 2e-3, seed: int = 0,
) -> BodyEncoder:  # fmt: skip
    """Return a copy of an encoder, tuned on columns of texts; what does not learn in its body stays as it is.

    The twin of :func:`~isogloss.training.fine_tuning.fine_tune` for bodies that are no transformers with a folder.

    Parameters
    ----------
    encoder
        To begin from; it is not changed.
    columns, objective, labels
        As for ``fine_tune``.
    steps, batch_size, learning_rate
        Of AdamW, the rate rising over a tenth of the steps and then falling to 0.
    seed
        Of the order.

    Raises
    ------
    UsageError
        Where the data cannot be trained on.
    NonFiniteError
        Where a loss is not finite.

    Examples
    --------
    With columns of premises and hypotheses, and a class for each pair::

        head = PairHead(encoder.dimensions, 3)
        tuned = tune_body(encoder, [premises, hypotheses], HeadClasses(head), labels=classes, steps=500)
    """
    learning = BodyEncoder(
        copy.deepcopy(encoder.body), encoder.tokenizer, before=encoder.before.tolist(), after=encoder.after.tolist(),
        window=encoder.window, pooling=encoder.pooling, name=encoder.name,
    )  # fmt: skip
    batches = TextBatches(
        columns, BodyTokens(encoder), batch_size=batch_size, seed=seed, labels=labels, no_duplicates=labels is None
    )
    player = Player(
        module=_Pooled(learning.body, encoder.pooling), objective=objective, forward=encode_together,
        optimiser=Optimiser(learning_rate=learning_rate),
    )  # fmt: skip
    train(Stage(batches=batches, players=[player], steps=steps, name="tuning"), seed=seed)
    learning.body.eval()
    return learning
