"""A margin between right and wrong documents whose size the model's own vectors of the documents decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.similarity import matrix, need_columns, rowwise

Target = Literal["distributed", "adaptive"]


@dataclass(frozen=True, kw_only=True)
class AdaptiveMargin:
    """The margin ``s(q, p) - s(q, n)`` is drawn towards a target that follows from documents alone, ``s`` the cosine.

    Source: Gienapp et al. 2024, "Learning Effective Representations for Retrieval Using Self-Distillation with Adaptive
    Relevance Margins" (https://arxiv.org/abs/2407.21515). No teacher and no constant: the target is
    ``(s(p, n) + 1) / 2`` by the vectors that are being learned, with their gradient.

    Attributes
    ----------
    target
        ``adaptive``: of the item's own documents. ``distributed``: each query's margin meets the targets of its
        negative with the positives of all items. A number: the same target for every item, as a baseline.
    in_batch
        The negatives of all items are negatives of each one (not with ``distributed``).
    error
        ``squared``, ``absolute`` or ``soft`` (``log(1 + exp(-x))`` of margin less target: too large is no error).
    shift
        Each item is given the target of the item so many rows on: a placebo, whose targets are as large.

    Examples
    --------
    >>> import torch
    >>> q, n = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> float(AdaptiveMargin()((q, q, n), Batch((q, q, n))).mean())  # margin 1, target 1/2
    0.25
    """

    target: Target | float = "distributed"
    in_batch: bool = False
    error: Literal["squared", "absolute", "soft"] = "squared"
    shift: int = 0

    cacheable: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.target == "distributed" and self.in_batch:
            raise UsageError(
                "distributed targets have no form with the negatives of the batch", "in_batch is set",
                "take target='adaptive'",
            )  # fmt: skip

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item for ``(query, positive, negative)``, each ``(size, d)``."""
        query, right, wrong = need_columns(outputs, 3, "an adaptive margin")[:3]
        negative = matrix(query, wrong) if self.in_batch else rowwise(query, wrong)[:, None]  # (n, n) or (n, 1)
        margins = rowwise(query, right)[:, None] - negative  # (n, n) or (n, 1)
        targets = self._targets(right, wrong)  # as many rows; (n, 1) or (n, n)
        errors = self._error(margins - targets)  # (n, n) or (n, 1)
        parts = {"margin": float(margins.detach().mean()), "target": float(targets.detach().mean())}
        if batch.weights is None or errors.shape[1] == 1:
            return Losses(errors.mean(1), batch.weights, "item", parts)
        kept = (batch.weights > 0).to(errors)  # (n,): documents of items of weight 0 take no part
        return Losses((errors * kept).sum(1) / kept.sum().clamp_min(1), batch.weights, "item", parts)

    def _targets(self, right: Tensor, wrong: Tensor) -> Tensor:
        if not isinstance(self.target, str):
            return right.new_full((len(right), 1), float(self.target))
        if self.target == "distributed":
            alike = matrix(wrong, right)  # (n, n): a row for each query's negative, a column for each positive
        else:
            alike = matrix(right, wrong) if self.in_batch else rowwise(right, wrong)[:, None]  # (n, n) or (n, 1)
        return (alike / 2 + 0.5).roll(-self.shift, 0)

    def _error(self, difference: Tensor) -> Tensor:
        if self.error == "soft":
            return functional.softplus(-difference)
        return difference.abs() if self.error == "absolute" else difference.square()
