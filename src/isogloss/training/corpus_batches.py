"""Batches for language modelling: sequences of tokens made once, hidden or shifted anew at every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from isogloss.arrays import Ragged, ragged_take
from isogloss.errors import CorpusError, UsageError
from isogloss.nn.packing import Packed
from isogloss.objectives.contract import Batch
from isogloss.objectives.token_targets import IGNORED
from isogloss.seeding import generator

POOL = 32
"""Batches whose sequences are sorted by length together, so that a batch holds sequences of like lengths."""


class SequenceOrder:
    """Which sequences a step takes: every epoch another order, sequences of like lengths together.

    Parameters
    ----------
    sequences
        Their tokens.
    batch_size
        Sequences of a batch; the last batch of an epoch may be smaller.
    seed
        Of the order.

    Raises
    ------
    CorpusError
        Where there are no sequences, or one is empty.

    Examples
    --------
    >>> order = SequenceOrder(Ragged.from_list([np.arange(3)] * 5), 2, 0)
    >>> order.per_epoch, sorted(np.concatenate([order(step) for step in range(3)]).tolist())
    (3, [0, 1, 2, 3, 4])
    """

    def __init__(self, sequences: Ragged, batch_size: int, seed: int) -> None:
        if not len(sequences):
            raise CorpusError("there is nothing to learn from", "no sequence of tokens")
        if batch_size < 1:
            raise UsageError("a batch needs a sequence", f"batch_size is {batch_size}")
        self.lengths = np.diff(sequences.offsets)
        if not self.lengths.all():
            raise CorpusError("a sequence has no tokens", f"{int((self.lengths == 0).sum())} of {len(sequences)}")
        self.batch_size, self.seed = batch_size, seed
        self.per_epoch = -(-len(sequences) // batch_size)
        self._epoch, self._batches = -1, [np.zeros(0, np.int64)]

    def __call__(self, step: int) -> NDArray[np.int64]:
        """Return the rows of a step."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._order(epoch)
        return self._batches[place]

    def _order(self, epoch: int) -> list[NDArray[np.int64]]:
        draw = generator(self.seed, "order", epoch)
        rows = draw.permutation(len(self.lengths))
        wide = POOL * self.batch_size
        pools = [rows[start : start + wide] for start in range(0, len(rows), wide)]
        alike = np.concatenate([pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools])
        batches = [alike[start : start + self.batch_size] for start in range(0, len(alike), self.batch_size)]
        return [batches[place] for place in draw.permutation(len(batches))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hiding:
    """Which tokens are hidden, and behind what: 15 %, of them 80 % a mask, 10 % a random token, 10 % themselves.

    Attributes
    ----------
    mask
        Number of the mask token.
    vocabulary
        Tokens there are; random ones come from those that are not special.
    special
        Tokens that are never hidden nor drawn.
    share
        Share of a sequence's tokens that is hidden (at least one).
    masked, random
        Shares of the hidden tokens that become the mask or a random token; the rest stays as it is.
    unit
        What is hidden together: single ``token``, whole ``word`` (needs ``continues``), or ``span`` of neighbours with
        a geometric length of mean ``span`` (SpanBERT, https://arxiv.org/abs/1907.10529; ours may touch each other).
    continues
        ``(vocabulary,)`` whether a token goes on with a word (``##`` in WordPiece).
    span
        Mean length of a span.
    """

    mask: int
    vocabulary: int
    special: tuple[int, ...] = ()
    share: float = 0.15
    masked: float = 0.8
    random: float = 0.1
    unit: Literal["token", "word", "span"] = "token"
    continues: NDArray[np.bool_] | None = None
    span: float = 3.8

    def __call__(
        self, ids: NDArray[np.int64], offsets: NDArray[np.int64], draw: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the tokens after hiding, and the targets (``IGNORED`` where nothing was hidden), both ``(T,)``.

        Raises
        ------
        UsageError
            Where whole words are asked for without ``continues``.
        """
        units = self.units(ids, offsets, draw)
        hidden = self.chosen(ids, offsets, units, draw)
        way = draw.random(len(ids))[units]  # (T,) one draw for all tokens of a unit
        ordinary = np.setdiff1d(np.arange(self.vocabulary), [*self.special, self.mask])
        out = np.where(hidden & (way < self.masked), self.mask, ids)
        swapped = hidden & (way >= self.masked) & (way < self.masked + self.random)
        out[swapped] = draw.choice(ordinary, int(swapped.sum()))
        return out, np.where(hidden, ids, IGNORED)

    def chosen(
        self, ids: NDArray[np.int64], offsets: NDArray[np.int64], units: NDArray[np.int64], draw: np.random.Generator
    ) -> NDArray[np.bool_]:
        """Return which tokens are hidden, ``(T,)``: units in random order until the share of a sequence is reached."""
        texts = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))  # (T,)
        free = ~np.isin(ids, self.special)
        wanted = np.maximum(1, np.rint(self.share * np.bincount(texts, free, len(offsets) - 1)))
        size = np.bincount(units, free)  # (u,) tokens of each unit that may be hidden
        owner = np.zeros(len(size), np.int64)  # (u,) the text of each unit
        owner[units] = texts
        order = np.lexsort((draw.random(len(size)), owner))
        before = np.cumsum(size[order]) - size[order]  # (u,) tokens of the units before it, in all texts
        before -= before[np.searchsorted(owner[order], owner[order])]  # ... in its own text
        taken = np.zeros(len(size), bool)
        taken[order] = before < wanted[owner[order]]
        return np.asarray(taken[units] & free)

    def units(self, ids: NDArray[np.int64], offsets: NDArray[np.int64], draw: np.random.Generator) -> NDArray[np.int64]:
        """Return the number of the unit that each token belongs to, ``(T,)``, ascending.

        Raises
        ------
        UsageError
            Where whole words are asked for without ``continues``.
        """
        if self.unit == "word":
            if self.continues is None:
                raise UsageError("whole words need to know which tokens go on with a word", "continues is None")
            starts = ~self.continues[ids]
        elif self.unit == "span":
            starts = draw.random(len(ids)) < 1 / self.span
        else:
            starts = np.ones(len(ids), bool)
        starts[offsets[:-1]] = True
        return np.cumsum(starts) - 1


class MaskedBatches:
    """Sequences with hidden tokens; what is hidden changes with the step (RoBERTa's dynamic masking).

    Parameters
    ----------
    sequences
        From :func:`~isogloss.training.corpus_tokens.sentences` or ``blocks``.
    hiding
        What is hidden.
    batch_size
        Sequences of a batch.
    seed
        Of order and hiding.

    Examples
    --------
    >>> hiding = Hiding(mask=1, vocabulary=30)
    >>> batch = MaskedBatches(Ragged.from_list([np.arange(5, 25)]), hiding, batch_size=1, seed=0)(0)
    >>> int((batch.extra["targets"].ids != -100).sum())
    3
    """

    def __init__(self, sequences: Ragged, hiding: Hiding, *, batch_size: int, seed: int) -> None:
        self.sequences, self.hiding, self.seed = sequences, hiding, seed
        self.order = SequenceOrder(sequences, batch_size, seed)
        self.per_epoch = self.order.per_epoch

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step: the tokens after hiding; ``targets`` and the ``true`` tokens in ``extra``."""
        ids, offsets = taken(self.sequences, self.order(step))
        hidden, targets = self.hiding(ids, offsets, generator(self.seed, "hide", step))
        extra = {"targets": packed(targets, offsets), "true": packed(ids, offsets)}
        return Batch((packed(hidden, offsets),), extra=extra)


class CausalBatches:
    """Sequences and, as targets, the tokens one place on.

    Parameters
    ----------
    sequences
        From :func:`~isogloss.training.corpus_tokens.sentences` or ``blocks``.
    batch_size
        Sequences of a batch.
    seed
        Of the order.

    Examples
    --------
    >>> batch = CausalBatches(Ragged.from_list([np.array([4, 5, 6])]), batch_size=1, seed=0)(0)
    >>> batch.columns[0].ids.tolist(), batch.extra["targets"].ids.tolist()
    ([4, 5, 6], [5, 6, -100])
    """

    def __init__(self, sequences: Ragged, *, batch_size: int, seed: int) -> None:
        self.sequences, self.seed = sequences, seed
        self.order = SequenceOrder(sequences, batch_size, seed)
        self.per_epoch = self.order.per_epoch

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step, the targets in ``extra``."""
        ids, offsets = taken(self.sequences, self.order(step))
        return Batch((packed(ids, offsets),), extra={"targets": packed(following(ids, offsets), offsets)})


def following(ids: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the token after each one in its own sequence, ``IGNORED`` at the last."""
    after = np.append(ids[1:], IGNORED)
    after[offsets[1:] - 1] = IGNORED
    return after


def taken(sequences: Ragged, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the tokens ``(T,)`` and offsets of the chosen sequences."""
    offsets, flat = ragged_take(sequences.offsets, rows)
    return np.asarray(sequences.values[flat], np.int64), offsets


def packed(ids: NDArray[np.int64], offsets: NDArray[np.int64]) -> Packed:
    """Return tokens and offsets as torch sees them."""
    return Packed(torch.from_numpy(ids), torch.from_numpy(offsets))


class LabelledBatches:
    """Sequences and the class of each.

    Parameters
    ----------
    sequences
        From :func:`~isogloss.training.corpus_tokens.sentences`, one a text.
    labels
        ``(n,)`` class numbers.
    batch_size
        Sequences of a batch.
    seed
        Of the order.
    types
        Token types in the sequences' shape, or None.

    Raises
    ------
    UsageError
        Where there is not one label a sequence.

    Examples
    --------
    >>> batch = LabelledBatches(Ragged.from_list([np.array([4, 5])]), np.array([1]), batch_size=1, seed=0)(0)
    >>> batch.columns[0].ids.tolist(), batch.labels.tolist()
    ([4, 5], [1])
    """

    def __init__(
        self, sequences: Ragged, labels: NDArray[np.int64], *, batch_size: int, seed: int, types: Ragged | None = None
    ) -> None:
        if len(labels) != len(sequences):
            raise UsageError("each sequence needs one label", f"{len(sequences)} sequences, {len(labels)} labels")
        self.sequences, self.labels, self.types = sequences, np.asarray(labels, np.int64), types
        self.order = SequenceOrder(sequences, batch_size, seed)
        self.per_epoch = self.order.per_epoch

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step."""
        rows = self.order(step)
        texts = packed(*taken(self.sequences, rows))
        if self.types is not None:
            texts = Packed(texts.ids, texts.offsets, torch.from_numpy(taken(self.types, rows)[0]))
        return Batch((texts,), torch.from_numpy(self.labels[rows]))
