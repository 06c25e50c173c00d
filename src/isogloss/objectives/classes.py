"""Losses on items with a class: same class near, other classes far, chosen among all items of the batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.margin import hinge
from isogloss.objectives.similarity import Distance, all_apart, matrix, need_classes, need_columns, same, unit, weighted


@dataclass(frozen=True)
class Groups:
    """Who belongs to whom: ``positive`` and ``negative``, each ``(n, n)``, and the items' ``weights (n,)``."""

    positive: Tensor
    negative: Tensor
    weights: Tensor


def groups(outputs: tuple[Tensor, ...], batch: Batch, what: str) -> Groups:
    """Return the pairs of one class and of different classes among items of a weight above 0.

    Examples
    --------
    >>> x = torch.zeros(3, 2)
    >>> found = groups((x,), Batch((x,), torch.tensor([0, 0, 1])), "an example")
    >>> found.positive.sum(1).tolist(), found.negative.sum(1).tolist()
    ([1, 1, 0], [1, 1, 2])
    """
    outputs = need_columns(outputs, 1, what)
    classes = need_classes(batch.labels, len(outputs[0]), what)
    weights = weighted(batch.weights, len(classes), outputs[0])
    counted = weights > 0
    both = counted[:, None] & counted[None, :]
    alike = same(classes, classes)
    other = ~torch.eye(len(classes), dtype=torch.bool, device=classes.device)
    return Groups(alike & other & both, ~alike & both, weights)


@dataclass(frozen=True, kw_only=True)
class BatchTriplet:
    """Triplets found in the batch by the items' classes.

    An item without another one of its class, or without one of another class, has the weight 0: its triplet does not
    exist.

    Sources: Hermans et al. 2017, "In Defense of the Triplet Loss for Person Re-Identification"
    (https://arxiv.org/abs/1703.07737); semi-hard: Schroff et al. 2015, "FaceNet" (https://arxiv.org/abs/1503.03832).

    Attributes
    ----------
    mining
        ``hard``: farthest of the class and nearest of the others, one value an item. ``semi_hard``: for each pair of a
        class the nearest of the others that is farther than the pair (else the farthest), one value a pair. ``all``:
        every triplet, of which those that cost nothing have the weight 0.
    margin
        By how much the wrong one is farther.
    distance
        ``euclidean``, ``cosine`` or ``manhattan``.
    soft
        ``log(1 + exp(x))`` instead of the positive part.

    Examples
    --------
    >>> x = torch.tensor([[0.0], [1.0], [3.0]])
    >>> BatchTriplet(margin=2.5)((x,), Batch((x,), torch.tensor([0, 0, 1]))).values.tolist()
    [0.5, 1.5, 0.0]
    """

    mining: Literal["all", "hard", "semi_hard"] = "hard"
    margin: float = 5.0
    distance: Distance = "euclidean"
    soft: bool = False

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return the losses of ``(items,)``, ``(size, d)``, and ``(size,)`` classes."""
        found = groups(outputs, batch, "a triplet loss over the batch")
        far = all_apart(outputs[0], outputs[0], self.distance)  # (n, n)
        if self.mining == "hard":
            return self._hard(far, found)
        anchor, partner = found.positive.nonzero(as_tuple=True)  # (pairs,) each
        if self.mining == "semi_hard":
            return self._semi_hard(far, found, anchor, partner)
        excess = far[anchor, partner][:, None] - far[anchor] + self.margin  # (pairs, n)
        values = hinge(excess, soft=self.soft)
        weights = (found.negative[anchor] & (values > 0)) * found.weights[anchor][:, None]
        return Losses(values.flatten(), weights.flatten(), "pair", {"triplets": float((weights > 0).sum())})

    def _hard(self, far: Tensor, found: Groups) -> Losses:
        exists = found.positive.any(1) & found.negative.any(1)  # (n,)
        farthest = torch.where(found.positive, far, torch.full_like(far, -torch.inf)).amax(1)
        nearest = torch.where(found.negative, far, torch.full_like(far, torch.inf)).amin(1)
        excess = torch.where(exists, farthest - nearest, torch.zeros_like(nearest)) + self.margin * exists
        values = hinge(excess, soft=self.soft)
        return Losses(values * exists, found.weights * exists, "item", {"without": float((~exists).sum())})

    def _semi_hard(self, far: Tensor, found: Groups, anchor: Tensor, partner: Tensor) -> Losses:
        pair = far[anchor, partner]  # (pairs,)
        wrong, there = far[anchor], found.negative[anchor]  # (pairs, n)
        outside = there & (wrong > pair[:, None])
        nearest = torch.where(outside, wrong, torch.full_like(wrong, torch.inf)).amin(1)
        farthest = torch.where(there, wrong, torch.full_like(wrong, -torch.inf)).amax(1)
        chosen = torch.where(outside.any(1), nearest, farthest)
        exists = there.any(1)
        excess = torch.where(exists, pair - chosen, torch.zeros_like(pair)) + self.margin
        return Losses(hinge(excess, soft=self.soft), found.weights[anchor] * exists, "pair")


@dataclass(frozen=True, kw_only=True)
class Circle:
    """Similarities inside a class go up and those to other classes down, each the faster the farther it is off.

    Source: Sun et al. 2020, "Circle Loss" (https://arxiv.org/abs/2002.10857).

    Attributes
    ----------
    margin
        How far the bounds are relaxed.
    scale
        Of the similarities.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> losses = Circle(scale=1.0)((x,), Batch((x,), torch.tensor([0, 0, 1])))
    >>> round(float(losses.values[0]), 4), losses.weights.tolist()
    (0.6326, [1.0, 1.0, 0.0])
    """

    margin: float = 0.25
    scale: float = 80.0

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item that has both kinds of partners for ``(items,)`` and ``(size,)`` classes."""
        found = groups(outputs, batch, "the circle loss")
        similar = matrix(outputs[0], outputs[0])  # (n, n)
        fixed = similar.detach()
        pull = (1 + self.margin - fixed).clamp_min(0) * (similar - (1 - self.margin))
        push = (fixed + self.margin).clamp_min(0) * (similar - self.margin)
        exists = found.positive.any(1) & found.negative.any(1)  # (n,)
        inside = _log_sum(-self.scale * pull, found.positive, exists)
        outside = _log_sum(self.scale * push, found.negative, exists)
        return Losses(functional.softplus(inside + outside) * exists, found.weights * exists, "item")


@dataclass(frozen=True, kw_only=True)
class MultiSimilarity:
    """Pairs are first mined by the other kind's extremes, then weighted by how far they are off.

    Source: Wang et al. 2019, "Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning"
    (https://arxiv.org/abs/1904.06627).

    Attributes
    ----------
    alpha, beta
        Scales of pairs of a class and of other pairs.
    base
        Similarity about which pairs are weighted.
    epsilon
        How far beyond the other kind's extreme a pair is still kept.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> losses = MultiSimilarity()((x,), Batch((x,), torch.tensor([0, 0, 1])))
    >>> [round(value, 4) for value in losses.values.tolist()]
    [0.0, 0.5991, 0.0]
    """

    alpha: float = 2.0
    beta: float = 50.0
    base: float = 0.5
    epsilon: float = 0.1

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item for ``(items,)`` and ``(size,)`` classes."""
        found = groups(outputs, batch, "the multi-similarity loss")
        similar = matrix(outputs[0], outputs[0])  # (n, n)
        fixed = similar.detach()
        weakest = torch.where(found.positive, fixed, torch.full_like(fixed, torch.inf)).amin(1, keepdim=True)
        strongest = torch.where(found.negative, fixed, torch.full_like(fixed, -torch.inf)).amax(1, keepdim=True)
        positive = found.positive & (fixed - self.epsilon < strongest)
        negative = found.negative & (fixed + self.epsilon > weakest)
        inside = _soft_sum(-self.alpha * (similar - self.base), positive) / self.alpha
        outside = _soft_sum(self.beta * (similar - self.base), negative) / self.beta
        return Losses(inside + outside, found.weights, "item")


def _log_sum(terms: Tensor, chosen: Tensor, exists: Tensor) -> Tensor:
    """Return the log of the sum of the chosen terms' exponentials, ``(n, n)`` to ``(n,)``; 0 where none exists."""
    safe = chosen | ~exists[:, None]  # a row of minus infinities has no gradient
    return torch.where(exists, terms.masked_fill(~safe, -torch.inf).logsumexp(1), torch.zeros_like(terms[:, 0]))


def _soft_sum(terms: Tensor, chosen: Tensor) -> Tensor:
    """Return ``log(1 + sum exp)`` of the chosen terms, ``(n, n)`` to ``(n,)``."""
    kept = torch.cat([terms.new_zeros(len(terms), 1), terms.masked_fill(~chosen, -torch.inf)], 1)  # (n, 1 + n)
    return kept.logsumexp(1)


class ClassMargin(nn.Module):
    """Soft-max over learned class vectors, with a margin on the right class: ArcFace, CosFace, SphereFace in one.

    The right class's cosine ``cos(t)`` becomes ``cos(multiplied * t + angular) - additive``; all are scaled. With no
    margin it is soft-max over cosines. The class vectors are part of the objective and
    are trained with its player.

    Sources: Deng et al. 2019, "ArcFace" (https://arxiv.org/abs/1801.07698); Wang et al. 2018, "CosFace"
    (https://arxiv.org/abs/1801.09414); Liu et al. 2017, "SphereFace" (https://arxiv.org/abs/1704.08063).

    Parameters
    ----------
    width, classes
        Numbers of a vector, and how many classes there are.
    angular, additive, multiplied
        Margins; angles beyond a half turn count as a half turn.
    scale
        Of the cosines.

    Examples
    --------
    >>> objective, x = ClassMargin(width=2, classes=3), torch.ones(4, 2)
    >>> tuple(objective((x,), Batch((x,), torch.tensor([0, 1, 2, 0]))).values.shape)
    (4,)
    """

    cacheable = True

    def __init__(
        self, *, width: int, classes: int, angular: float = 0.5, additive: float = 0.0, multiplied: float = 1.0,
        scale: float = 64.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.angular, self.additive, self.multiplied, self.scale = angular, additive, multiplied, scale
        self.centres = nn.Parameter(torch.empty(classes, width))
        nn.init.normal_(self.centres, std=0.02)

    def forward(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item for ``(items,)``, ``(size, width)``, and ``(size,)`` classes."""
        outputs = need_columns(outputs, 1, "a class margin")
        classes = need_classes(batch.labels, len(outputs[0]), "a class margin")
        if len(classes) and (int(classes.min()) < 0 or int(classes.max()) >= len(self.centres)):
            bounds = f"the labels run from {int(classes.min())} to {int(classes.max())}"
            raise UsageError(f"there are {len(self.centres)} classes", bounds)
        cosines = unit(outputs[0]) @ unit(self.centres).T  # (n, classes)
        right = cosines.gather(1, classes[:, None])[:, 0]  # (n,)
        moved = right
        if self.angular or self.multiplied != 1.0:
            inside = right.clamp(-1 + 1e-6, 1 - 1e-6)  # the arc cosine has no gradient at its ends
            turned = torch.cos((self.multiplied * inside.acos() + self.angular).clamp_max(math.pi))
            moved = right + (turned - inside)
        logits = self.scale * cosines.scatter(1, classes[:, None], (moved - self.additive)[:, None])
        values = functional.cross_entropy(logits, classes, reduction="none")
        hits = (cosines.argmax(1) == classes).float().mean() if len(classes) else torch.zeros(())
        return Losses(values, batch.weights, "item", {"accuracy": hits.detach()})
