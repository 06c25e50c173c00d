"""Another objective with a mixture of experts kept in balance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from isogloss.nn.moe import MixtureFeedForward, load_balance
from isogloss.objectives.contract import Batch, Losses, Objective
from isogloss.objectives.token_targets import token_weights


def with_routing(forward: Callable[[nn.Module, Batch], Any]) -> Callable[[nn.Module, Batch], tuple[Any, list[Tensor]]]:
    """Return a forward pass that gives, beside its outputs, the routing ``(T, experts)`` of each mixture.

    Parameters
    ----------
    forward
        From module and batch to outputs, such as ``predict_judged``.
    """

    def both(module: nn.Module, batch: Batch) -> tuple[Any, list[Tensor]]:
        outputs = forward(module, batch)
        return outputs, [part.routing for part in module.modules() if isinstance(part, MixtureFeedForward)]

    return both


@dataclass(frozen=True, slots=True)
class Balanced:
    """An objective plus a penalty for experts that are chosen more often than others.

    Takes what ``with_routing(forward)`` gives. Switch Transformers (https://arxiv.org/abs/2101.03961).

    Attributes
    ----------
    objective
        The one that is added to.
    top
        Experts that a token takes.
    weight
        Of the penalty (the paper's .01), which every value bears.
    """

    objective: Objective
    top: int = 2
    weight: float = 0.01
    cacheable: bool = False

    def __call__(self, outputs: tuple[Any, list[Tensor]], batch: Batch) -> Losses:
        """Return the objective's losses, each with the penalty added."""
        losses = self.objective(outputs[0], batch)
        weights, routings = token_weights(batch), outputs[1]
        if weights is not None:  # tokens of weight 0 crowd no expert
            routings = [one[weights > 0] if len(one) == len(weights) else one for one in routings]
        balance = torch.stack([load_balance(routing, self.top) for routing in routings]).mean()
        parts = {**losses.parts, "balance": balance.detach()}
        return replace(losses, values=losses.values + self.weight * balance, parts=parts)
