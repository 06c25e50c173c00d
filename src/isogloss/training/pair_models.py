"""Training of models that read both texts of a pair together: cross-encoders, slow and good teachers of faster ones."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isogloss.arrays import Dense, charge
from isogloss.encoders.tokenizer_file import TokenizerFile
from isogloss.errors import UsageError
from isogloss.nn.packing import Packed, pack
from isogloss.nn.pooling import pool
from isogloss.nn.transformer import Transformer
from isogloss.objectives.class_prediction import ClassPrediction
from isogloss.objectives.contract import Batch
from isogloss.objectives.pair_heads import PairHead
from isogloss.protocols import Encoder
from isogloss.training.batching import TextBatches
from isogloss.training.language_model import alike
from isogloss.training.loop import train
from isogloss.training.randomness import seeded
from isogloss.training.stage import Optimiser, Player, Stage
from isogloss.training.trained_encoder import TrainedEncoder


def joined_pairs(left: Packed, right: Packed) -> Packed:
    """Return ``[CLS] left [SEP] right [SEP]`` for texts that stand between their marks, the second one of type 1.

    Parameters
    ----------
    left, right
        As many texts each; of the right ones the first token is left out.

    Examples
    --------
    >>> both = joined_pairs(pack([np.array([1, 5, 2])]), pack([np.array([1, 6, 7, 2])]))
    >>> both.ids.tolist(), both.types.tolist()
    ([1, 5, 2, 6, 7, 2], [0, 0, 0, 1, 1, 1])
    """
    offsets = left.offsets + right.offsets - torch.arange(len(left) + 1)  # (n + 1,)
    places = [left.positions() + offsets[:-1][left.texts()]]  # (T_left,)
    after = offsets[:-1] + left.lengths - 1  # (n,): where the right text's first token would stand
    inside = right.positions() > 0  # (T_right,)
    places.append((right.positions() + after[right.texts()])[inside])
    where, found = torch.cat(places), torch.cat([left.ids, right.ids[inside]])  # (T,) each
    types = torch.cat([torch.zeros_like(left.ids), torch.ones_like(right.ids[inside])])  # (T,)
    return Packed(torch.empty_like(found).scatter(0, where, found), offsets, types.scatter(0, where, types))


class PairReader(nn.Module):
    """A transformer over both texts of a pair, and a linear layer on the mean of its states.

    Parameters
    ----------
    transformer
        Reads; where it knows no token types, the mark between the texts alone tells them apart.
    outputs
        Numbers of a pair.
    """

    def __init__(self, transformer: Transformer, outputs: int) -> None:
        super().__init__()
        self.transformer, self.head = transformer, nn.Linear(transformer.config.width, outputs)

    def forward(self, packed: Packed) -> Tensor:
        """Return ``(n, outputs)`` float32 for pairs from :func:`joined_pairs`."""
        states = self.transformer(packed)  # (T, width)
        with torch.autocast(states.device.type, enabled=False):
            return self.head(pool(states, packed, ["mean"]))  # type: ignore[no-any-return]  # (n, outputs)


def read_pairs(module: nn.Module, batch: Batch) -> Tensor:
    """Return the module's numbers ``(size, outputs)`` of the pairs of a batch's two columns."""
    found: Tensor = module(joined_pairs(batch.columns[0], batch.columns[1]))
    return found


@dataclass(frozen=True, slots=True)
class PairModel:
    """A trained cross-encoder in memory.

    Attributes
    ----------
    reader, tokenizer
        The module, and what cuts its texts.
    """

    reader: PairReader
    tokenizer: TokenizerFile

    def score(self, left: Sequence[str], right: Sequence[str]) -> Dense:
        """Return the raw numbers of pairs, ``(n, outputs)``: every pair is read anew, in bfloat16.

        Raises
        ------
        UsageError
            Where there are not as many left as right texts.
        """
        if len(left) != len(right):
            raise UsageError("pairs have two texts each", f"{len(left)} left ones, {len(right)} right ones")
        ids = [self.tokenizer(list(texts)).ids if texts else [] for texts in (left, right)]
        found = np.zeros((len(left), self.reader.head.out_features), np.float32)
        weights = sum(value.numel() for value in self.reader.transformer.layers.parameters())
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            for rows in alike([len(a) + len(b) for a, b in zip(*ids, strict=True)]):
                joined = joined_pairs(*(pack([texts[i] for i in rows]) for texts in ids))
                charge(multiply_adds=weights * len(joined.ids))
                found[rows] = self.reader(joined).float().numpy()  # (batch, outputs)
        return found


@dataclass(frozen=True, slots=True)
class TwinModel:
    """A pair model whose texts are read apart: an encoder, and a head over two vectors.

    A text is read once however many pairs it stands in, now or later: its vector is kept in memory, and a pair of texts
    that have vectors costs the head alone.

    Attributes
    ----------
    encoder, head
        Gives ``(n, width)`` vectors; reads two of them. Neither may be trained on afterwards.
    known
        Vectors of the texts that were read.
    """

    encoder: Encoder
    head: PairHead
    known: dict[str, Dense] = field(default_factory=dict)

    def score(self, left: Sequence[str], right: Sequence[str]) -> Dense:
        """Return the head's raw numbers of pairs, ``(n, outputs)``.

        Raises
        ------
        UsageError
            Where there are not as many left as right texts.
        """
        if len(left) != len(right):
            raise UsageError("pairs have two texts each", f"{len(left)} left ones, {len(right)} right ones")
        new = [text for text in dict.fromkeys([*left, *right]) if text not in self.known]
        if new:
            vectors: Any = self.encoder.encode(new)  # (new, width)
            self.known.update(zip(new, vectors, strict=True))
        width = self.head.width
        sides = ([self.known[text] for text in texts] for texts in (left, right))
        return self.head.read(*(np.array(rows, np.float32).reshape(-1, width) for rows in sides))


def train_pair_model(
    base: TrainedEncoder, columns: Sequence[Sequence[str]], classes: Any, *, number: int = 2, steps: int = 500,
    batch_size: int = 64, learning_rate: float = 1e-4, seed: int = 0,
) -> PairModel:  # fmt: skip
    """Fine-tune a transformer to classify pairs that it reads at once; its token table stays as it is.

    Nogueira and Cho 2019, "Passage Re-ranking with BERT" (https://arxiv.org/abs/1901.04085), with any classes. The
    table is most of a small model's weights, and few of its rows would move.

    Parameters
    ----------
    base
        Whose transformer and tokenizer; it is not changed.
    columns, classes, number
        Left and right texts, a class for each pair, and how many classes there are.
    steps, batch_size, learning_rate, seed
        Of AdamW, the rate rising over a tenth of the steps and then falling to 0.

    Raises
    ------
    UsageError
        Where the data cannot be trained on.
    NonFiniteError
        Where a loss is not finite.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        base = TrainedEncoder.of(load_trainable("minilm"))
        model = train_pair_model(base, [premises, hypotheses], follows)
        model.score(["It rains."], ["The sun shines."])  # (1, 2)
    """
    with seeded(seed):
        reader = PairReader(copy.deepcopy(base.trainable.model.transformer), number)
    reader.transformer.embeddings.word.weight.requires_grad_(False)
    batches = TextBatches(
        columns, base.tokenizer, batch_size=batch_size, seed=seed, labels=classes, no_duplicates=False
    )
    player = Player(
        module=reader, objective=ClassPrediction(), forward=read_pairs, optimiser=Optimiser(learning_rate=learning_rate)
    )
    stage = Stage(batches=batches, players=[player], steps=steps, precision="bf16", name="pairs")
    train(stage, seed=seed)
    return PairModel(reader.eval(), base.tokenizer)
