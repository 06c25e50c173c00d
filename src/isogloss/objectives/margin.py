"""Losses with a margin between right and wrong on given triplets and pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.similarity import Distance, Kind, apart, matrix, need_columns, rowwise, same


def hinge(excess: Tensor, *, soft: bool = False) -> Tensor:
    """Return the positive part, or its smooth form ``log(1 + exp(x))``."""
    return functional.softplus(excess) if soft else excess.clamp_min(0)


@dataclass(frozen=True, kw_only=True)
class Triplet:
    """The right text is nearer to the anchor than a wrong one, by a margin.

    Sources: Schroff et al. 2015, "FaceNet" (https://arxiv.org/abs/1503.03832); soft margin: Hermans et al. 2017, "In
    Defense of the Triplet Loss" (https://arxiv.org/abs/1703.07737).

    Attributes
    ----------
    margin
        How much nearer.
    distance
        ``euclidean``, ``cosine`` (1 less the cosine) or ``manhattan``.
    soft
        Smooth form; the paper has no margin then.

    Examples
    --------
    >>> a, p, n = torch.tensor([[0.0]]), torch.tensor([[1.0]]), torch.tensor([[3.0]])
    >>> float(Triplet()((a, p, n), Batch((a, p, n))).mean())
    3.0
    """

    margin: float = 5.0
    distance: Distance = "euclidean"
    soft: bool = False

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item, averaged over its negatives, for ``(anchor, positive, negative_1, ...)``."""
        outputs = need_columns(outputs, 3, "a triplet loss")
        right = apart(outputs[0], outputs[1], self.distance)  # (n,)
        wrong = torch.stack([apart(outputs[0], one, self.distance) for one in outputs[2:]], 1)  # (n, negatives)
        excess = right[:, None] - wrong + self.margin
        return Losses(hinge(excess, soft=self.soft).mean(1), batch.weights, "item",
                      {"violated": float((excess > 0).float().mean())})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class EnergyHinge:
    """The right document beats the best wrong one of the batch by a margin.

    Source: LeCun et al. 2006, "A Tutorial on Energy-Based Learning"
    (http://yann.lecun.com/exdb/publis/pdf/lecun-06.pdf); for sentences: Jiang et al. 2022, "Improved Universal Sentence
    Embeddings with Prompt-based Contrastive Learning and Energy-based Learning" (https://arxiv.org/abs/2203.06875).

    Attributes
    ----------
    margin
        By how much.
    similarity
        ``cosine`` or ``dot``.
    own_only
        Look only at the item's own negatives (further columns), not at the other items' texts.

    Notes
    -----
    What ``batch.keys`` knows to be the query or its document is no wrong one; an item of weight 0 is no candidate; an
    item without any candidate has the loss 0.

    Examples
    --------
    >>> q, d = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.8, 0.6], [0.6, 0.8]])
    >>> [round(x, 4) for x in EnergyHinge(margin=0.5)((q, d), Batch((q, d))).values.tolist()]
    [0.3, 0.3]
    """

    margin: float = 0.05
    similarity: Kind = "cosine"
    own_only: bool = False

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item for ``(query, document, negative_1, ...)``."""
        outputs = need_columns(outputs, 3 if self.own_only else 2, "an energy hinge")
        positive = rowwise(outputs[0], outputs[1], self.similarity)  # (n,)
        best = hardest(outputs, batch, self.similarity, own_only=self.own_only)  # (n,)
        values = torch.where(best.isfinite(), hinge(self.margin - positive + best), positive * 0)
        return Losses(values, batch.weights, "item")


@dataclass(frozen=True, kw_only=True)
class TwoMargins:
    """Right pairs are more similar than one bound, the nearest wrong one less than another.

    Source: Wieting and Gimpel 2018, "ParaNMT-50M", mega-batches (https://arxiv.org/abs/1711.05732).

    Attributes
    ----------
    above, below
        Similarity that a right pair reaches, and that a wrong one stays under.
    similarity
        ``cosine`` or ``dot``.

    Examples
    --------
    >>> q, d = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.8, 0.6], [0.6, 0.8]])
    >>> [round(x, 4) for x in TwoMargins(above=0.9)((q, d), Batch((q, d))).values.tolist()]
    [0.4, 0.4]
    """

    above: float = 0.8
    below: float = 0.3
    similarity: Kind = "cosine"

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item for ``(anchor, positive, negative_1, ...)``."""
        outputs = need_columns(outputs, 2, "two margins")
        positive = rowwise(outputs[0], outputs[1], self.similarity)  # (n,)
        best = hardest(outputs, batch, self.similarity)  # (n,)
        wrong = torch.where(best.isfinite(), hinge(best - self.below), positive * 0)
        return Losses(hinge(self.above - positive) + wrong, batch.weights, "item")


@dataclass(frozen=True, kw_only=True)
class SoftNegatives:
    """A soft negative is less similar than the positive, but only within a band.

    Source: Wang et al. 2022, "SNCSE: Contrastive Learning for Unsupervised Sentence Embedding with Soft Negative
    Samples", the bidirectional margin loss (https://arxiv.org/abs/2201.05979).

    Attributes
    ----------
    least, most
        The difference between the positive's similarity and the soft negative's lies between them.

    Examples
    --------
    >>> a, n = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8]])
    >>> round(float(SoftNegatives()((a, a, n), Batch((a, a, n))).mean()), 4)
    0.1
    """

    least: float = 0.1
    most: float = 0.3

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item, averaged over its soft negatives, for ``(anchor, positive, soft_1, ...)``."""
        outputs = need_columns(outputs, 3, "a loss on soft negatives")
        soft = torch.stack([rowwise(outputs[0], one) for one in outputs[2:]], 1)  # (n, negatives)
        gap = rowwise(outputs[0], outputs[1])[:, None] - soft
        return Losses((hinge(self.least - gap) + hinge(gap - self.most)).mean(1), batch.weights, "item")


def hardest(
    outputs: tuple[Tensor, ...], batch: Batch, similarity: Kind = "cosine", *, own_only: bool = False
) -> Tensor:
    """Return each query's similarity to its most similar wrong document, ``(n,)``; minus infinity where it has none.

    Examples
    --------
    >>> q = torch.eye(2)
    >>> hardest((q, q), Batch((q, q))).tolist()
    [0.0, 0.0]
    """
    n = len(outputs[0])
    if own_only:
        return torch.stack([rowwise(outputs[0], one, similarity) for one in outputs[2:]], 1).amax(1)  # (n,)
    mine = torch.eye(n, dtype=torch.bool, device=outputs[0].device)  # (n, n)
    scores = []
    for column in range(1, len(outputs)):
        banned = mine.clone() if column == 1 else torch.zeros_like(mine)
        if batch.keys is not None:
            banned |= same(batch.keys[:, 0], batch.keys[:, column]) | same(batch.keys[:, 1], batch.keys[:, column])
        if batch.weights is not None:
            banned |= (batch.weights == 0)[None, :] & ~mine
        scores.append(matrix(outputs[0], outputs[column], similarity).masked_fill(banned, -torch.inf))
    return torch.cat(scores, 1).amax(1)  # (n,)
