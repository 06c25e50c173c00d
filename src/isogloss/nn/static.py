"""A static encoder as a torch module: the mean of token vectors, with a gradient for the tokens of the batch alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from isogloss.nn.packing import Packed


@dataclass(frozen=True, slots=True)
class Bag:
    """Which of the batch's distinct tokens stand in which text.

    Attributes
    ----------
    order
        ``(T,)``: the places of the tokens, by token.
    counts
        ``(u,)``: how often each distinct token stands in the batch.
    offsets
        ``(n + 1,)``: where each text begins.
    """

    order: Tensor
    counts: Tensor
    offsets: Tensor


class _Pooled(Function):
    """A bag of rows; the gradient is a bag, too, of the texts that a token stands in."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, bag: Bag, mean: bool) -> Tensor:
        places = torch.empty_like(bag.order)  # (T,): the row of each token, in the order of the texts
        places[bag.order] = torch.repeat_interleave(torch.arange(len(part), device=part.device), bag.counts)
        ctx.bag, ctx.mean = bag, mean
        return functional.embedding_bag(places, part, bag.offsets[:-1], mode="mean" if mean else "sum")  # (n, d)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        bag, lengths = ctx.bag, ctx.bag.offsets.diff()
        grad = grads[0] / lengths.clamp_min(1)[:, None] if ctx.mean else grads[0]  # (n, d)
        texts = torch.repeat_interleave(torch.arange(len(lengths), device=grad.device), lengths)[bag.order]  # (T,)
        starts = bag.counts.cumsum(0) - bag.counts
        return functional.embedding_bag(texts, grad.contiguous(), starts, mode="sum"), None, None  # (u, d)


def pooled_rows(part: Tensor, bag: Bag, *, mean: bool) -> Tensor:
    """Return the mean or sum of each text's rows, ``(n, d)``; ``part (u, d)`` are the rows of the distinct tokens.

    The twin of ``functional.embedding_bag`` with a faster gradient.
    """
    out: Tensor = _Pooled.apply(part, bag, mean)  # type: ignore[no-untyped-call]
    return out


class StaticModel(nn.Module):
    """The mean (or sum) of each text's token vectors, scaled to length one where asked for.

    The bag of vectors of fastText (https://arxiv.org/abs/1607.01759) and of StaticEmbedding. Each token of a batch is
    looked up once; the table's gradient is sparse, so that a step costs what the batch has, not what the table has.

    Parameters
    ----------
    rows
        ``(V, d)`` token vectors to begin with.
    finish
        ``"unit"`` (length one), ``"mean"`` or ``"sum"``. A text without tokens is a vector of zeros.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> model = StaticModel(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), finish="mean")
    >>> model(pack([np.array([0, 1, 1, 1]), np.array([], np.int64)])).tolist()
    [[0.25, 0.75], [0.0, 0.0]]
    """

    def __init__(self, rows: Tensor, *, finish: Literal["sum", "mean", "unit"] = "unit") -> None:
        super().__init__()
        self.table = nn.Embedding.from_pretrained(rows.float(), freeze=False, sparse=True)
        self.finish = finish

    def forward(self, packed: Packed) -> Tensor:
        """Return ``(n, d)`` float32."""
        order = packed.ids.argsort()  # (T,)
        tokens, counts = torch.unique_consecutive(packed.ids[order], return_counts=True)  # (u,), (u,)
        part = self.table(tokens)  # (u, d)
        bag = Bag(order, counts, packed.offsets.to(order.device))
        pooled = pooled_rows(part, bag, mean=self.finish != "sum")
        return functional.normalize(pooled, dim=-1) if self.finish == "unit" else pooled
