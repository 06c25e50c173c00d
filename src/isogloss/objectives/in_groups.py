"""Any objective on a few items of a batch at a time: fewer negatives at the cost of the whole batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses, Objective


@dataclass(frozen=True, kw_only=True)
class InGroups:
    """The losses of an objective on each ``size`` items in turn, as though each were a batch of its own.

    With a soft-max over the batch every query has ``size - 1`` other documents as its negatives, while a step reads as
    many texts as it does for the whole batch: a baseline for what the negatives of a batch are worth (Karpukhin et al.
    2020, "Dense Passage Retrieval for Open-Domain Question Answering", https://arxiv.org/abs/2004.04906).

    Attributes
    ----------
    inner
        An objective on vectors with one loss an item.
    size
        Items of a group; the last one may have fewer.

    Examples
    --------
    >>> from isogloss.objectives.in_batch import InBatchSoftmax
    >>> vectors = torch.eye(4)
    >>> losses = InGroups(inner=InBatchSoftmax(temperature=1.0), size=2)((vectors, vectors), Batch((vectors, vectors)))
    >>> round(float(losses.mean()), 4)  # log(1 + 1/e), as with two items
    0.3133
    """

    inner: Objective
    size: int

    cacheable: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UsageError("a group has items", f"its size is {self.size}", "take 2 or more")

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item for columns of ``(size, d)`` vectors."""
        count = len(outputs[0])
        found = []
        for start in range(0, count, self.size):
            stop = min(start + self.size, count)
            found.append(self.inner(tuple(one[start:stop] for one in outputs), batch.take(start, stop)))
        if any(one.unit != "item" for one in found):
            raise UsageError("only losses of items can be taken in groups", f"these are of the unit {found[0].unit}")
        return Losses(torch.cat([one.values for one in found]), batch.weights, "item")  # (n,)
