"""Batches of what a model reads and what it shall write, by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.nn.packing import pack
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
