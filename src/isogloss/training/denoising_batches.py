"""Batches for reconstruction through a bottleneck: damaged texts, and what a decoder is given of the whole ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Ragged
from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch
from isogloss.seeding import generator
from isogloss.training.corpus_batches import Hiding, SequenceOrder, packed, taken

Tokens = tuple[NDArray[np.int64], NDArray[np.int64]]
Noise = Callable[[NDArray[np.int64], NDArray[np.int64], np.random.Generator], Tokens]
"""From tokens, offsets and a generator to other tokens and offsets of as many texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """Tokens left out at random; at least one of each text stays.

    TSDAE (https://arxiv.org/abs/2104.06979) leaves out 60 %.

    Attributes
    ----------
    share
        Of the tokens that are not special.
    special
        Tokens that always stay.

    Examples
    --------
    >>> ids, offsets = Deletion(share=1.0)(np.array([5, 6, 7]), np.array([0, 2, 3]), np.random.default_rng(0))
    >>> len(ids), offsets.tolist()
    (2, [0, 1, 2])
    """

    share: float = 0.6
    special: tuple[int, ...] = ()

    def __call__(self, ids: NDArray[np.int64], offsets: NDArray[np.int64], draw: np.random.Generator) -> Tokens:
        """Return the tokens that stay."""
        luck = draw.random(len(ids))
        stays = (luck >= self.share) | np.isin(ids, self.special)
        texts = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        bare = ~np.isin(np.arange(len(offsets) - 1), texts[stays])
        last = np.lexsort((luck, texts))[offsets[1:] - 1]  # the luckiest token of each text
        stays[last[bare]] = True
        lengths = np.bincount(texts[stays], minlength=len(offsets) - 1)
        return ids[stays], np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


class DenoisingBatches:
    """Texts for a decoder, and damaged copies for an encoder.

    Parameters
    ----------
    sequences
        From :func:`~isogloss.training.corpus_tokens.sentences`.
    noise
        What is done to the encoder's copy: :class:`Deletion`, or a :class:`~isogloss.training.corpus_batches.Hiding`.
    given
        What is hidden from the decoder; None: nothing, it writes the text from left to right and every token is judged.
    batch_size
        Texts of a batch.
    seed
        Of order, noise and hiding.

    Raises
    ------
    UsageError
        Where the noise changes the number of texts.

    Examples
    --------
    >>> batches = DenoisingBatches(Ragged.from_list([np.arange(5, 15)]), Deletion(), batch_size=1, seed=0)
    >>> batch = batches(0)
    >>> len(batch.columns[0].ids), len(batch.columns[1].ids) < 10
    (10, True)
    """

    def __init__(
        self, sequences: Ragged, noise: Noise | Hiding, *, given: Hiding | None = None, batch_size: int, seed: int
    ) -> None:
        self.sequences, self.noise, self.given, self.seed = sequences, noise, given, seed
        self.order = SequenceOrder(sequences, batch_size, seed)
        self.per_epoch = self.order.per_epoch

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step: the decoder's text, the encoder's text; the targets in ``extra``."""
        ids, offsets = taken(self.sequences, self.order(step))
        draw = generator(self.seed, "noise", step)
        if isinstance(self.noise, Hiding):
            noisy: Tokens = self.noise(ids, offsets, draw)[0], offsets
        else:
            noisy = self.noise(ids, offsets, draw)
        if len(noisy[1]) != len(offsets):
            raise UsageError(
                "noise may not change how many texts there are", f"{len(offsets) - 1}, {len(noisy[1]) - 1}"
            )
        shown, targets = (
            (ids, ids) if self.given is None else self.given(ids, offsets, generator(self.seed, "gaps", step))
        )
        return Batch((packed(shown, offsets), packed(*noisy)), extra={"targets": packed(targets, offsets)})
