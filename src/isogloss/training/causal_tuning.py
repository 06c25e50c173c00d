"""Tuning a causal encoder on pairs: low-rank updates under a softmax over the batch."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.protocols import Progress
from isogloss.seeding import derive, generator
from isogloss.training.adapters.freezing import trainable
from isogloss.training.adapters.low_rank import add_low_rank, merge_low_rank
from isogloss.training.causal_encoder import CausalEncoder
from isogloss.training.loop import train
from isogloss.training.stage import Optimiser, Player, Stage


class PackedPairs:
    """Batches of text pairs as a causal encoder packs them; equal texts share a key.

    Parameters
    ----------
    encoder
        Packs.
    columns
        Texts by column, equally many.
    batch_size
        Pairs of a batch.
    seed
        Of the order.

    Raises
    ------
    UsageError
        Where there are no pairs, or columns differ in length.
    """

    def __init__(self, encoder: CausalEncoder, columns: Sequence[Sequence[str]], *, batch_size: int, seed: int) -> None:
        lengths = {len(column) for column in columns}
        if len(lengths) != 1 or not lengths - {0, 1}:
            raise UsageError("pairs need two columns of two texts or more", f"they have {sorted(lengths)}")
        self.encoder, self.columns, self.batch_size, self.seed = encoder, columns, batch_size, seed
        self.per_epoch = -(-len(columns[0]) // batch_size)
        known: dict[str, int] = {}
        self.keys = np.array([[known.setdefault(text, len(known)) for text in column] for column in columns]).T

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step."""
        epoch, place = divmod(step, self.per_epoch)
        order = generator(self.seed, "pairs", epoch).permutation(len(self.keys))
        rows = order[place * self.batch_size : (place + 1) * self.batch_size]
        packed = tuple(self.encoder.pack([column[i] for i in rows]) for column in self.columns)
        return Batch(packed, keys=torch.from_numpy(self.keys[rows]))


def tuned(
    encoder: CausalEncoder, columns: Sequence[Sequence[str]], *, steps: int, batch_size: int = 32, rank: int = 8,
    learning_rate: float = 2e-3, temperature: float = 0.05, seed: int = 0, progress: Progress | None = None,
) -> CausalEncoder:  # fmt: skip
    """Return the encoder tuned on pairs by low-rank updates of all linear layers, which are merged in the end.

    The language model under the given encoder is left as it was.

    Parameters
    ----------
    encoder
        What is tuned, with its reading.
    columns
        Texts and the texts that belong to them.
    steps, batch_size
        How long.
    rank, learning_rate, temperature
        Of the updates, of the optimiser, of the softmax.
    seed
        Of updates, order and dropout.
    progress
        Told about every step.
    """
    body = copy.deepcopy(encoder.reader.body)
    made = CausalEncoder(
        body, encoder.tokenizer, begin=encoder.begin, reading=encoder.reading, window=encoder.window,
        name=f"{encoder.name}-tuned",
    )  # fmt: skip
    add_low_rank(made.reader, rank=rank, alpha=2.0 * rank, layers=["*"], seed=derive(seed, "low rank") % 2**31)
    made.trained = trainable(made.reader)
    player = Player(
        module=made.reader, objective=InBatchSoftmax(temperature=temperature),
        optimiser=Optimiser(learning_rate=learning_rate, weight_decay=0.0),
    )  # fmt: skip
    batches = PackedPairs(made, columns, batch_size=batch_size, seed=derive(seed, "order"))
    train(Stage(batches=batches, players=[player], steps=steps, precision="bf16"), seed=seed, progress=progress)
    merge_low_rank(made.reader)
    made.reader.eval()
    return made
