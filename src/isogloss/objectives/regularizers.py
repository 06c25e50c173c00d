"""What vectors should be like whatever they stand for: spread out, not collapsed, few numbers above zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.similarity import distances, matrix, need_columns, root, unit, weighted


@dataclass(frozen=True, kw_only=True)
class AlignmentUniformity:
    """Right pairs lie near, all vectors spread over the sphere.

    One value a batch: the mean distance of pairs to the power ``alpha``, and the log of the mean Gaussian of all
    pairs' distances, averaged over columns. It can be negative. One item has no spread: that part is 0.

    Source: Wang and Isola 2020, "Understanding Contrastive Representation Learning through Alignment and Uniformity on
    the Hypersphere" (https://arxiv.org/abs/2005.10242).

    Attributes
    ----------
    alignment, uniformity
        Factors of both.
    alpha
        Power of the pairs' distance.
    t
        Width of the Gaussian.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    >>> float(AlignmentUniformity()((x, x), Batch((x, x))).mean())
    -8.0
    """

    alignment: float = 1.0
    uniformity: float = 1.0
    alpha: float = 2.0
    t: float = 2.0

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one value of the batch for columns of ``(size, d)``; alignment is of the first two."""
        outputs = need_columns(outputs, 2, "alignment and uniformity")
        kept = _counted(outputs, batch)
        points = [unit(one) for one in kept]
        near = root((points[0] - points[1]).square().sum(1)) if self.alpha != 2 else _squares(points)  # (n,)
        near = near if self.alpha == 2 else near.clamp_min(1e-12) ** self.alpha
        close = near.mean() if len(near) else near.sum()
        spread = torch.stack([uniformity(one, self.t) for one in points]).mean()
        whole = self.alignment * close + self.uniformity * spread
        return Losses(whole[None], unit="batch", parts={"alignment": close.detach(), "uniformity": spread.detach()})


def _squares(points: list[Tensor]) -> Tensor:
    return (points[0] - points[1]).square().sum(1)  # (n,)


def uniformity(points: Tensor, t: float = 2.0) -> Tensor:
    """Return the log of the mean Gaussian of the distances of all pairs of ``(n, d)`` unit vectors, ``()``.

    Examples
    --------
    >>> float(uniformity(torch.tensor([[1.0, 0.0], [-1.0, 0.0]])))
    -8.0
    """
    n = len(points)
    if n < 2:
        return points.sum() * 0
    first, second = torch.triu_indices(n, n, 1, device=points.device)
    squares = distances(points, points, squared=True)[first, second]  # (n (n - 1) / 2,)
    return (-t * squares).logsumexp(0) - torch.log(points.new_tensor(float(len(first))))


@dataclass(frozen=True, kw_only=True)
class BarlowTwins:
    """The correlations between the numbers of one view and those of the other become the identity.

    One value a batch; numbers are standardised over the batch. Fewer than two items have no correlations: 0.

    Source: Zbontar et al. 2021, "Barlow Twins" (https://arxiv.org/abs/2103.03230).

    Attributes
    ----------
    off_diagonal
        Factor of the squared correlations of unlike numbers.
    epsilon
        Added to variances.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(float(BarlowTwins()((x, x), Batch((x, x))).mean()), 6)
    0.0
    """

    off_diagonal: float = 0.005
    epsilon: float = 1e-5

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one value of the batch for ``(view, other view)``, each ``(size, d)``."""
        outputs = need_columns(outputs, 2, "decorrelation")
        first, second, *_ = _counted(outputs, batch)
        if len(first) < 2:
            return Losses((first.sum() * 0)[None], unit="batch")
        one, two = (_standardised(view, self.epsilon) for view in (first, second))  # (n, d)
        correlations = one.T @ two / len(one)  # (d, d)
        on = (torch.diagonal(correlations) - 1).square().sum()
        off = correlations.square().sum() - torch.diagonal(correlations).square().sum()
        parts = {"diagonal": on.detach(), "off_diagonal": off.detach()}
        return Losses((on + self.off_diagonal * off)[None], unit="batch", parts=parts)  # (1,)


def _standardised(view: Tensor, epsilon: float) -> Tensor:
    variance = view.var(0, correction=0)  # (d,)
    return (view - view.mean(0)) / (variance + epsilon).sqrt()


@dataclass(frozen=True, kw_only=True)
class VICReg:
    """Variance kept, views alike, numbers uncorrelated: three parts, one value a batch.

    Fewer than two items have neither variance nor covariance: those parts are 0.

    Source: Bardes, Ponce, LeCun 2022, "VICReg" (https://arxiv.org/abs/2105.04906).

    Attributes
    ----------
    invariance, variance, covariance
        Factors of the parts.
    least
        Standard deviation that each number keeps.
    epsilon
        Added to variances.

    Examples
    --------
    >>> x = torch.tensor([[2.0, 2.0], [2.0, -2.0], [-2.0, 2.0], [-2.0, -2.0]])
    >>> float(VICReg()((x, x), Batch((x, x))).mean())
    0.0
    """

    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0
    least: float = 1.0
    epsilon: float = 1e-4

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one value of the batch for ``(view, other view)``, each ``(size, d)``."""
        outputs = need_columns(outputs, 2, "decorrelation")
        views = _counted(outputs, batch)[:2]
        rows = len(views[0])
        alike = (views[0] - views[1]).square().mean() if rows else views[0].sum()
        spread = unmixed = views[0].sum() * 0
        for view in views if rows > 1 else ():
            deviation = (view.var(0) + self.epsilon).sqrt()  # (d,)
            spread = spread + (self.least - deviation).clamp_min(0).mean() / 2
            mixed = torch.cov(view.T).reshape(view.shape[1], -1)  # (d, d)
            off = mixed.square().sum() - torch.diagonal(mixed).square().sum()
            unmixed = unmixed + off / view.shape[1]
        whole = self.invariance * alike + self.variance * spread + self.covariance * unmixed
        parts = {"invariance": alike.detach(), "variance": spread.detach(), "covariance": unmixed.detach()}
        return Losses(whole[None], unit="batch", parts=parts)  # (1,)


@dataclass(frozen=True, kw_only=True)
class Sparsity:
    """Vectors have few numbers other than zero.

    Sources: FLOPS: Paria et al. 2020, "Minimizing FLOPs to Learn Efficient Sparse Representations"
    (https://arxiv.org/abs/2004.05665); smooth L0: Louizos et al. 2018, "Learning Sparse Neural Networks through L0
    Regularization" gives the aim (https://arxiv.org/abs/1712.01312), the count here is ``x^2 / (x^2 + width^2)``.

    Attributes
    ----------
    kind
        ``flops`` (squared mean size of each number over the batch, summed: one value a batch), ``l1`` (sum of sizes,
        one value an item) or ``l0`` (smooth count of numbers off zero, one value an item).
    width
        Size at which a number counts half for ``l0``.
    columns
        Which columns are counted; empty: all.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    >>> [float(Sparsity(kind=kind)((x,), Batch((x,))).mean()) for kind in ("flops", "l1")]
    [4.0, 2.0]
    """

    kind: Literal["flops", "l1", "l0"] = "flops"
    width: float = 0.1
    columns: tuple[int, ...] = ()

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return the losses for columns of ``(size, d)``, averaged over columns."""
        outputs = need_columns(outputs, 1, "sparsity")
        chosen = [outputs[i] for i in self.columns or range(len(outputs))]
        weights = weighted(batch.weights, len(chosen[0]), chosen[0])
        if self.kind == "flops":
            shares = weights / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
            costs = [(one.abs() * shares[:, None]).sum(0).square().sum() for one in chosen]
            return Losses(torch.stack(costs).mean()[None], unit="batch")  # (1,)
        counts = [self._count(one) for one in chosen]
        return Losses(torch.stack(counts).mean(0), batch.weights, "item")  # (n,)

    def _count(self, vectors: Tensor) -> Tensor:
        if self.kind == "l1":
            return vectors.abs().sum(1)  # (n,)
        ratio = (vectors / self.width).clamp(-1e6, 1e6).square()
        return (ratio / (ratio + 1)).sum(1)  # (n,)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The vectors of different items are no more alike than random directions are.

    One value a batch: the squared mean cosine of different items, and how far their mean squared cosine exceeds 1/d,
    averaged over columns. One item costs nothing.

    Source: Zhang et al. 2017, "Learning Spread-out Local Feature Descriptors" (https://arxiv.org/abs/1708.06320).

    Attributes
    ----------
    mean, second
        Factors of both parts.

    Examples
    --------
    >>> x = torch.ones(3, 2)
    >>> round(float(Spread()((x,), Batch((x,))).mean()), 4)
    1.5
    """

    mean: float = 1.0
    second: float = 1.0

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one value of the batch for columns of ``(size, d)``."""
        outputs = need_columns(outputs, 1, "spread")
        parts = [self._column(one) for one in _counted(outputs, batch)]
        return Losses(torch.stack(parts).mean()[None], unit="batch")  # (1,)

    def _column(self, vectors: Tensor) -> Tensor:
        n = len(vectors)
        if n < 2:
            return vectors.sum() * 0
        other = ~torch.eye(n, dtype=torch.bool, device=vectors.device)
        cosines = matrix(vectors, vectors)[other]  # (n (n - 1),)
        excess = (cosines.square().mean() - 1 / vectors.shape[1]).clamp_min(0)
        return self.mean * cosines.mean().square() + self.second * excess


def _counted(outputs: tuple[Tensor, ...], batch: Batch) -> tuple[Tensor, ...]:
    """Return the columns without items of weight 0."""
    return outputs if batch.weights is None else tuple(one[batch.weights > 0] for one in outputs)
