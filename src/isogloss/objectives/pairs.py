"""Losses on pairs of vectors: a score for each pair, an order of the scores, a class, or nearness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.similarity import Distance, apart, need_classes, need_columns, need_labels, rowwise, unit

Measure = Literal["cosine", "dot", "angle"]


def angle_similarity(left: Tensor, right: Tensor) -> Tensor:
    """Return how near ``(n, d)`` pairs lie as complex numbers: the halves are real and imaginary parts; ``(n,)``.

    It is the absolute sum of the real and the imaginary part of the product of one with the other's conjugate, at
    length 1: unlike the cosine it keeps a gradient where the cosine is nearly 1 or -1. An odd width is filled up by
    a zero.

    Examples
    --------
    >>> one, turned = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> float(angle_similarity(one, one)), float(angle_similarity(one, turned))
    (1.0, 1.0)
    """
    if left.shape[1] % 2:
        left, right = functional.pad(left, (0, 1)), functional.pad(right, (0, 1))  # (n, d + 1)
    (a, b), (c, d) = unit(left).chunk(2, 1), unit(right).chunk(2, 1)  # (n, d / 2) each
    return (a * c + b * d + b * c - a * d).sum(1).abs()  # (n,)


def order_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Return ``log(1 + sum exp(s_j - s_i))`` over all pairs ``label_i > label_j``: ``(n,)`` twice to ``()``.

    ``O(n log n)``: scores are sorted by label, and each is met with the sum over all of a higher label.

    Examples
    --------
    >>> round(order_loss(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 0.0])).exp().item(), 4)
    2.0
    """
    labels, order = labels.sort(stable=True)
    scores = scores[order]  # (n,)
    first_higher = torch.searchsorted(labels.contiguous(), labels.contiguous(), right=True)  # (n,)
    lower = first_higher < len(labels)
    if not bool(lower.any()):
        return scores.sum() * 0
    above = (-scores).flip(0).logcumsumexp(0).flip(0)  # (n,): log of the sum of exp(-s) from here on
    terms = scores[lower] + above[first_higher[lower]]
    return functional.softplus(terms.logsumexp(0))


def pair_features(left: Tensor, right: Tensor, *, difference: bool = True, product: bool = False) -> Tensor:
    """Return ``u, v``, ``|u - v|`` and, on request, ``u * v`` beside each other: ``(n, d)`` twice to ``(n, 2-4 d)``.

    Examples
    --------
    >>> pair_features(torch.tensor([[1.0]]), torch.tensor([[3.0]]), product=True).tolist()
    [[1.0, 3.0, 2.0, 3.0]]
    """
    compared = [*([(left - right).abs()] if difference else []), *([left * right] if product else [])]
    return torch.cat([left, right, *compared], 1)  # (n, 2 d to 4 d)


@dataclass(frozen=True, kw_only=True)
class CosineRegression:
    """Distance between the cosine of a pair and its label.

    Source: Reimers and Gurevych 2019, "Sentence-BERT" (https://arxiv.org/abs/1908.10084).

    Attributes
    ----------
    error
        ``squared``, ``absolute``, or ``huber`` (squared below 1).
    similarity
        ``cosine``, ``dot`` or ``angle``.

    Examples
    --------
    >>> one = torch.tensor([[1.0, 0.0]])
    >>> float(CosineRegression()((one, one), Batch((one, one), torch.tensor([0.5]))).mean())
    0.25
    """

    error: Literal["squared", "absolute", "huber"] = "squared"
    similarity: Measure = "cosine"

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss a pair for ``(u, v)``, each ``(size, d)``, and ``(size,)`` labels."""
        scores, labels = _scored(outputs, batch, self.similarity, "cosine regression")
        compare = {"squared": functional.mse_loss, "absolute": functional.l1_loss, "huber": functional.smooth_l1_loss}
        return Losses(compare[self.error](scores, labels.to(scores), reduction="none"), batch.weights, "pair")


@dataclass(frozen=True, kw_only=True)
class OrderedPairs:
    """Pairs of a higher label get a higher score: CoSENT with the cosine, AnglE with the angle.

    One value a batch, 0 where all labels are equal. Pairs of weight 0 are left out; other weights play no part.

    Sources: Su 2022, "CoSENT" (https://kexue.fm/archives/8847); Li and Li 2023, "AnglE-optimized Text Embeddings"
    (https://arxiv.org/abs/2309.12871).

    Attributes
    ----------
    scale
        Scores are multiplied by it.
    similarity
        ``cosine``, ``dot`` or ``angle``.

    Examples
    --------
    >>> u, v = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> right = OrderedPairs()((u, v), Batch((u, v), torch.tensor([1.0, 0.0]))).mean()
    >>> wrong = OrderedPairs()((u, v), Batch((u, v), torch.tensor([0.0, 1.0]))).mean()
    >>> float(right) < 1e-6, round(float(wrong), 3)
    (True, 20.0)
    """

    scale: float = 20.0
    similarity: Measure = "cosine"

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss of the batch for ``(u, v)``, each ``(size, d)``, and ``(size,)`` labels."""
        scores, labels = _scored(outputs, batch, self.similarity, "an order of pairs")
        if batch.weights is not None:
            scores, labels = scores[batch.weights > 0], labels[batch.weights > 0]
        return Losses(order_loss(scores * self.scale, labels)[None], unit="batch")  # (1,)


class PairClassification(nn.Module):
    """A linear head on ``(u, v, |u - v|)`` that says which class a pair is of (InferSent, SBERT on NLI).

    The head is part of the objective and is trained with its player.

    Source: Conneau et al. 2017, "Supervised Learning of Universal Sentence Representations"
    (https://arxiv.org/abs/1705.02364).

    Parameters
    ----------
    width
        Numbers of a vector.
    classes
        How many.
    difference
        Whether the head sees ``|u - v|``.
    product
        Whether the head sees ``u * v`` too.
    smoothing
        Share of the target spread evenly over all classes.

    Examples
    --------
    >>> objective, one = PairClassification(width=2, classes=3), torch.ones(4, 2)
    >>> tuple(objective((one, one), Batch((one, one), torch.tensor([0, 1, 2, 0]))).values.shape)
    (4,)
    """

    cacheable = True

    def __init__(
        self, *, width: int, classes: int, difference: bool = True, product: bool = False, smoothing: float = 0.0
    ) -> None:
        super().__init__()
        self.difference, self.product, self.smoothing = difference, product, smoothing
        self.head = nn.Linear((2 + difference + product) * width, classes)

    def forward(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss a pair for ``(u, v)``, each ``(size, width)``, and ``(size,)`` classes."""
        outputs = need_columns(outputs, 2, "pair classification")
        classes = need_classes(batch.labels, len(outputs[0]), "pair classification")
        if len(classes) and (int(classes.min()) < 0 or int(classes.max()) >= self.head.out_features):
            raise UsageError(
                f"the head knows {self.head.out_features} classes",
                f"the labels run from {int(classes.min())} to {int(classes.max())}",
            )
        logits = self.head(
            pair_features(outputs[0], outputs[1], difference=self.difference, product=self.product)
        )  # (n, classes)
        values = functional.cross_entropy(logits, classes, reduction="none", label_smoothing=self.smoothing)
        right = (logits.argmax(1) == classes).float().mean() if len(classes) else torch.zeros(())
        return Losses(values, batch.weights, "pair", {"accuracy": right.detach()})


@dataclass(frozen=True, kw_only=True)
class ContrastivePairs:
    """Pairs of label 1 come near, pairs of label 0 go at least a margin apart.

    Source: Hadsell, Chopra, LeCun 2006, "Dimensionality Reduction by Learning an Invariant Mapping"
    (http://yann.lecun.com/exdb/publis/pdf/hadsell-chopra-lecun-06.pdf).

    Attributes
    ----------
    margin
        Distance at which a pair of label 0 costs nothing.
    distance
        ``cosine`` (1 less the cosine), ``euclidean`` or ``manhattan``.
    online
        Count only hard pairs: those of label 1 farther apart than the nearest of label 0, and those of label 0 nearer
        than the farthest of label 1 (or than the mean of their own kind, where there is none of the other). Their
        values are whole, not halved as in the paper.

    Examples
    --------
    >>> u, v = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    >>> ContrastivePairs()((u, v), Batch((u, v), torch.tensor([1, 0]))).values.tolist()
    [0.5, 0.125]
    """

    margin: float = 0.5
    distance: Distance = "cosine"
    online: bool = False

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss a pair for ``(u, v)``, each ``(size, d)``, and ``(size,)`` labels 0 and 1."""
        outputs = need_columns(outputs, 2, "contrastive pairs")
        labels = need_classes(batch.labels, len(outputs[0]), "contrastive pairs")
        if not bool(((labels == 0) | (labels == 1)).all()):
            found = sorted({int(one) for one in labels})[:5]
            raise UsageError("contrastive pairs need the labels 0 and 1", f"among the labels are {found}")
        far = apart(outputs[0], outputs[1], self.distance)  # (n,)
        near = (self.margin - far).clamp_min(0)
        values = torch.where(labels == 1, far.square(), near.square())
        if not self.online:
            return Losses(values / 2, batch.weights, "pair")
        hard = _hard(far.detach(), labels, batch.weights)
        weights = hard.to(far.dtype) if batch.weights is None else batch.weights * hard
        return Losses(values, weights, "pair", {"hard": float(hard.sum())})


def _hard(far: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """Return which pairs lie on the wrong side of the other kind's nearest or farthest one, ``(n,)``."""
    counted = torch.ones_like(labels, dtype=torch.bool) if weights is None else weights > 0
    wanted, unwanted = far[(labels == 1) & counted], far[(labels == 0) & counted]
    least = unwanted.min() if len(unwanted) else wanted.mean() if len(wanted) else far.new_zeros(())
    most = wanted.max() if len(wanted) else unwanted.mean() if len(unwanted) else far.new_zeros(())
    return torch.where(labels == 1, far > least, far < most) & counted


def _scored(outputs: tuple[Tensor, ...], batch: Batch, measure: Measure, what: str) -> tuple[Tensor, Tensor]:
    """Return the pairs' scores and labels, ``(n,)`` each."""
    outputs = need_columns(outputs, 2, what)
    labels = need_labels(batch.labels, len(outputs[0]), what)
    if labels.numel() != len(outputs[0]):
        raise UsageError(f"{what} needs one label for each pair", f"the labels have the shape {tuple(labels.shape)}")
    if measure == "angle":
        return angle_similarity(outputs[0], outputs[1]), labels.reshape(-1)
    return rowwise(outputs[0], outputs[1], measure), labels.reshape(-1)
