"""Losses on the scores of a query's candidates: single, in pairs, as a list.

They take scores ``(size, candidates)`` as a model gives them (a cross-encoder's logits), and labels of the same shape:
how relevant each candidate is. A label below 0 stands for no candidate (padding of lists of unlike length).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.similarity import Kind, need_columns, need_labels, rowwise


@dataclass(frozen=True, kw_only=True)
class CandidateScores:
    """A bi-encoder's similarities as scores for an objective on lists: ``(query, candidate_1, ...)``.

    Attributes
    ----------
    inner
        An objective on scores.
    similarity
        ``cosine`` or ``dot``.
    scale
        The similarities are multiplied by it.

    Examples
    --------
    >>> q = torch.tensor([[1.0, 0.0]])
    >>> losses = CandidateScores(inner=Pointwise(), scale=0.0)((q, q), Batch((q, q), torch.ones(1, 1)))
    >>> round(float(losses.mean()), 4)
    0.6931
    """

    inner: Pointwise | Pairwise | ListWise
    similarity: Kind = "cosine"
    scale: float = 20.0

    cacheable: ClassVar[bool] = True

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return the inner objective's losses for vectors ``(size, d)`` a column."""
        outputs = need_columns(outputs, 2, "a ranking loss")
        scores = torch.stack([rowwise(outputs[0], one, self.similarity) for one in outputs[1:]], 1)  # (n, candidates)
        return self.inner(scores * self.scale, batch)


@dataclass(frozen=True, kw_only=True)
class Pointwise:
    """Binary cross entropy of each candidate by itself; labels lie between 0 and 1.

    Attributes
    ----------
    positive_weight
        Weight of the part that belongs to label 1.

    Examples
    --------
    >>> losses = Pointwise()(torch.zeros(1, 2), Batch((torch.zeros(1),), torch.tensor([[1.0, -1.0]])))
    >>> round(float(losses.mean()), 4), losses.weights.tolist()
    (0.6931, [1.0, 0.0])
    """

    positive_weight: float = 1.0

    cacheable: ClassVar[bool] = False

    def __call__(self, outputs: Tensor, batch: Batch) -> Losses:
        """Return one loss a candidate for ``(size, candidates)`` scores."""
        scores, labels, there, weights = _lists(outputs, batch)
        if bool((labels > 1).any()):
            raise UsageError("binary cross entropy needs labels between 0 and 1", f"one is {float(labels.max())}")
        target = labels.clamp_min(0)
        heavier = scores.new_tensor(self.positive_weight)
        values = functional.binary_cross_entropy_with_logits(scores, target, reduction="none", pos_weight=heavier)
        return Losses(values.flatten(), (there * weights[:, None]).flatten(), "pair")  # (n * candidates,)


@dataclass(frozen=True, kw_only=True)
class Pairwise:
    """Each more relevant candidate is scored above each less relevant one.

    Sources: Burges et al. 2005, "Learning to Rank using Gradient Descent"; Burges 2010, "From RankNet to LambdaRank to
    LambdaMART" (https://www.microsoft.com/en-us/research/publication/from-ranknet-to-lambdarank-to-lambdamart-an-overview/).

    Attributes
    ----------
    kind
        ``logistic`` (RankNet), ``lambda`` (logistic, each pair weighted by how much swapping both would change nDCG),
        or ``hinge``.
    sigma
        Scale of the differences.
    margin
        Of the hinge.

    Examples
    --------
    >>> losses = Pairwise()(torch.zeros(1, 2), Batch((torch.zeros(1),), torch.tensor([[1.0, 0.0]])))
    >>> round(float(losses.mean()), 4), losses.weights.tolist()
    (0.6931, [0.0, 1.0, 0.0, 0.0])
    """

    kind: Literal["logistic", "lambda", "hinge"] = "logistic"
    sigma: float = 1.0
    margin: float = 1.0

    cacheable: ClassVar[bool] = False

    def __call__(self, outputs: Tensor, batch: Batch) -> Losses:
        """Return one loss a pair of candidates for ``(size, candidates)`` scores; other pairs have the weight 0."""
        scores, labels, there, weights = _lists(outputs, batch)
        pairs = (labels[:, :, None] > labels[:, None, :]) & there[:, :, None] & there[:, None, :]  # (n, m, m)
        difference = self.sigma * (scores[:, :, None] - scores[:, None, :])  # (n, m, m)
        hinge, logistic = (self.margin - difference).clamp_min(0), functional.softplus(-difference)
        values = hinge if self.kind == "hinge" else logistic
        chosen = pairs * weights[:, None, None]
        if self.kind == "lambda":
            values = values * _swap_gain(scores.detach(), labels, there)
        return Losses(values.flatten(), chosen.flatten(), "pair", {"pairs": float(pairs.sum())})  # (n * m * m,)


@dataclass(frozen=True, kw_only=True)
class ListWise:
    """The scores of a list as a whole.

    Sources: Cao et al. 2007, "Learning to Rank: From Pairwise Approach to Listwise Approach"
    (https://www.microsoft.com/en-us/research/publication/learning-to-rank-from-pairwise-approach-to-listwise-approach/);
    Xia et al. 2008, "Listwise Approach to Learning to Rank" (https://doi.org/10.1145/1390156.1390306).

    Attributes
    ----------
    kind
        ``softmax`` (cross entropy with the labels divided by their sum; a list without a relevant candidate has the
        weight 0), ``listnet`` (cross entropy with the soft-max of the labels), or ``listmle`` (likelihood of the order
        by label; ties in the order given).
    temperature
        Scores are divided by it.

    Examples
    --------
    >>> batch = Batch((torch.zeros(1),), torch.tensor([[1.0, 0.0]]))
    >>> [round(float(ListWise(kind=kind)(torch.zeros(1, 2), batch).mean()), 4) for kind in ("softmax", "listmle")]
    [0.6931, 0.6931]
    """

    kind: Literal["softmax", "listnet", "listmle"] = "softmax"
    temperature: float = 1.0

    cacheable: ClassVar[bool] = False

    def __call__(self, outputs: Tensor, batch: Batch) -> Losses:
        """Return one loss a list for ``(size, candidates)`` scores."""
        scores, labels, there, weights = _lists(outputs, batch)
        scores = scores / self.temperature
        exists = there.any(1)
        if self.kind == "listmle":
            values = _order_likelihood(scores, labels, there)
        else:
            logs = _log_softmax(scores, there)
            if self.kind == "listnet":
                target = _log_softmax(labels, there).exp() * there
            else:
                gains = labels.clamp_min(0)
                target = gains / gains.sum(1, keepdim=True).clamp_min(torch.finfo(gains.dtype).tiny)
                exists = gains.sum(1) > 0
            values = -(target * logs).sum(1)  # (n,)
        return Losses(values * exists, weights * exists, "item", {"lists": float(exists.sum())})


def _lists(outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return scores, labels, which candidates are there, ``(n, m)`` each, and the lists' weights ``(n,)``."""
    labels = need_labels(batch.labels, len(outputs), "a ranking loss")
    if outputs.ndim != 2 or labels.reshape(len(labels), -1).shape != outputs.shape:
        shapes = f"the scores have the shape {tuple(outputs.shape)}, the labels {tuple(labels.shape)}"
        raise UsageError("a ranking loss needs a score and a label for each candidate", shapes)
    labels = labels.reshape(outputs.shape).to(outputs)
    weights = outputs.new_ones(len(outputs)) if batch.weights is None else batch.weights.to(outputs)
    return outputs, labels, labels >= 0, weights


def _log_softmax(scores: Tensor, there: Tensor) -> Tensor:
    """Return log soft-max over the candidates that are there, 0 for the others, ``(n, m)``."""
    lowest = torch.finfo(scores.dtype).min / 4
    return scores.masked_fill(~there, lowest).log_softmax(1).masked_fill(~there, 0.0)


def _order_likelihood(scores: Tensor, labels: Tensor, there: Tensor) -> Tensor:
    """Return minus the log likelihood of drawing the candidates by falling label, ``(n, m)`` to ``(n,)``."""
    order = labels.masked_fill(~there, -1.0).argsort(dim=1, descending=True, stable=True)
    kept = there.gather(1, order)
    lowest = torch.finfo(scores.dtype).min / 4
    ordered = scores.gather(1, order)
    rest = ordered.masked_fill(~kept, lowest).flip(1).logcumsumexp(1).flip(1)  # (n, m): from this rank on
    return ((rest - ordered) * kept).sum(1)


def _swap_gain(scores: Tensor, labels: Tensor, there: Tensor) -> Tensor:
    """Return how much nDCG changes where two candidates swap their ranks, ``(n, m, m)``."""
    ranks = scores.masked_fill(~there, -torch.inf).argsort(dim=1, descending=True, stable=True).argsort(1)  # (n, m)
    discount = 1 / torch.log2(ranks.to(scores) + 2)
    gain = (2 ** labels.clamp_min(0) - 1) * there
    places = 1 / torch.log2(torch.arange(scores.shape[1], device=scores.device).to(scores) + 2)  # (m,)
    best = (gain.sort(1, descending=True).values * places).sum(1).clamp_min(1e-12)  # (n,)
    change = (gain[:, :, None] - gain[:, None, :]).abs() * (discount[:, :, None] - discount[:, None, :]).abs()
    return change / best[:, None, None]
