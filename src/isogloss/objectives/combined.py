"""Several objectives on the same outputs, as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses, Objective, weighted_sum


class Combined(nn.Module):
    """A weighted sum of objectives; each part's mean stands in the losses' parts under its name.

    AnglE (https://arxiv.org/abs/2309.12871), for instance, is ``OrderedPairs(similarity="cosine")`` and
    ``OrderedPairs(similarity="angle")`` together. It is cacheable where all its objectives are.

    Parameters
    ----------
    objectives
        Name to ``(factor, objective)``; those that hold parameters are found as sub-modules.

    Examples
    --------
    >>> import torch
    >>> from isogloss.objectives.pairs import OrderedPairs
    >>> both = Combined({"cosine": (1.0, OrderedPairs()), "angle": (0.5, OrderedPairs(similarity="angle"))})
    >>> x = torch.eye(2)
    >>> sorted(both((x, x), Batch((x, x), torch.tensor([1.0, 0.0]))).parts), both.cacheable
    (['angle', 'cosine'], True)
    """

    def __init__(self, objectives: Mapping[str, tuple[float, Objective]]) -> None:
        super().__init__()
        if not objectives:
            raise UsageError("a combined objective needs at least one part", "there is none")
        self.objectives = dict(objectives)
        self.learned = nn.ModuleDict({name: one for name, (_, one) in objectives.items() if isinstance(one, nn.Module)})

    @property
    def cacheable(self) -> bool:
        """Whether all parts are."""
        return all(one.cacheable for _, one in self.objectives.values())

    def forward(self, outputs: Any, batch: Batch) -> Losses:
        """Return one value of the batch."""
        return weighted_sum({name: (factor, one(outputs, batch)) for name, (factor, one) in self.objectives.items()})
