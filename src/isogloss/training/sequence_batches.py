"""Batches of what a model reads and what it shall write, by number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.nn.fused import half_precision
from isogloss.nn.packing import Packed, pack
from isogloss.nn.seq2seq import Seq2Seq
from isogloss.objectives.contract import Batch
from isogloss.seeding import generator

Ids = NDArray[np.int64]


class SequenceBatches:
    """Batches of token pairs (source, target), a pure function of the step; each epoch has another order.

    Parameters
    ----------
    sources, targets
        One ``(length,)`` array of token ids each; ``targets`` end with the end row where outputs have one.
    batch_size
        Pairs a batch; the last of an epoch may be smaller.
    seed
        Of the orders.
    labels, weights
        ``(n,)`` for each pair, or None.

    Raises
    ------
    UsageError
        Where there is nothing, the columns are not equally long, or a text is empty; the message counts.

    Examples
    --------
    >>> read, written = [np.array([5]), np.array([6, 7])], [np.array([1]), np.array([2])]
    >>> batches = SequenceBatches(read, written, batch_size=1, seed=0)
    >>> batches.per_epoch, sorted(int(batches(step).columns[1].ids[0]) for step in range(2))
    (2, [1, 2])
    """

    def __init__(
        self, sources: Sequence[Ids], targets: Sequence[Ids], *, batch_size: int, seed: int,
        labels: NDArray[Any] | None = None, weights: NDArray[Any] | None = None,
    ) -> None:  # fmt: skip
        _check(sources, targets, batch_size, labels, weights)
        self.sources, self.targets, self.batch_size, self.seed = sources, targets, batch_size, seed
        self.labels, self.weights = labels, weights
        self.per_epoch: int = -(-len(sources) // batch_size)

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step."""
        epoch, part = divmod(step, self.per_epoch)
        order = generator(self.seed, "sequences", epoch).permutation(len(self.sources))
        rows = order[part * self.batch_size : (part + 1) * self.batch_size]
        columns = (pack([self.sources[i] for i in rows]), pack([self.targets[i] for i in rows]))
        return Batch(columns, _rows(self.labels, rows), _rows(self.weights, rows))


def _rows(values: NDArray[Any] | None, rows: NDArray[np.int64]) -> Tensor | None:
    return None if values is None else torch.from_numpy(np.ascontiguousarray(values[rows]))  # (size,)


def _check(
    sources: Sequence[Ids], targets: Sequence[Ids], batch_size: int, labels: NDArray[Any] | None,
    weights: NDArray[Any] | None,
) -> None:  # fmt: skip
    counts = {len(one) for one in (sources, targets, labels, weights) if one is not None}
    if len(counts) != 1:
        raise UsageError(
            "each source needs one target, and one label and weight where there are any",
            f"{len(sources)} sources, {len(targets)} targets",
        )
    empty = sum(not len(one) for one in (*sources, *targets))
    if not len(sources) or empty or batch_size < 1:
        raise UsageError(
            "there is nothing to learn from",
            f"{len(sources)} pairs, {empty} empty sources or targets, batches of {batch_size}",
            "leave out empty texts, and take batches of at least one",
        )


def sequence_logits(module: nn.Module, batch: Batch) -> Any:
    """Return the logits ``(T, outputs)`` at the tokens of the second column: a player's forward pass."""
    return module(batch.columns[0], batch.columns[1])


class FrozenSources:
    """Sources whose encoder does not learn: read once, and looked up at every step.

    Parameters
    ----------
    encoder
        From packed tokens to states ``(T, width)``; it is not changed.
    sources
        Token ids of each source.
    batch_size
        Sources read at once.
    precision
        ``bf16`` reads in bfloat16; the states are kept in float32.

    Examples
    --------
    >>> table = nn.Embedding(9, 4)
    >>> frozen = FrozenSources(lambda packed: table(packed.ids), [np.array([3, 4]), np.array([5])])
    >>> [rows.tolist() for rows in frozen.rows], tuple(frozen.states.shape)
    ([[0, 1], [2]], (3, 4))
    """

    def __init__(
        self, encoder: Callable[[Packed], Tensor], sources: Sequence[Ids], *, batch_size: int = 64,
        precision: Literal["fp32", "bf16"] = "fp32",
    ) -> None:  # fmt: skip
        parts = []
        with torch.no_grad(), half_precision() if precision == "bf16" else nullcontext():
            for start in range(0, len(sources), batch_size):
                parts.append(encoder(pack(list(sources[start : start + batch_size]))).float())
        self.states = torch.cat(parts)  # (T of all sources, width)
        ends = np.cumsum([len(one) for one in sources])
        self.rows: list[Ids] = [np.arange(end - len(one), end) for one, end in zip(sources, ends, strict=True)]

    def logits(self, module: nn.Module, batch: Batch) -> Any:
        """Return logits ``(T, outputs)`` where the first column holds ``rows``: a player's forward pass."""
        sources, targets = batch.columns[:2]
        return cast(Seq2Seq, module).decode(self.states[sources.ids], sources, targets)
