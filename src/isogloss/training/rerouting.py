"""Mixtures of experts that are read through routers of chance: what routers say without having learned it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from isogloss.errors import UsageError
from isogloss.nn.moe import MixtureTransformer, OverheardMixture
from isogloss.seeding import derive


def overheard(base: Any, *, seed: int = 0, shuffled: bool = False) -> Any:
    """Return a copy of a mixture of experts that computes as before and records what routers of chance would say.

    Its states and its text are the model's own; only ``routing`` comes from other weights, which read the same states
    as the model's routers do. That is the control of an embedding from routers (Li and Zhou 2024,
    https://arxiv.org/abs/2410.10814): what beats it was learned by the routers, and does not lie in the states alone.

    Parameters
    ----------
    base
        A causal base model of the Lab with mixtures of experts; left as it was.
    seed
        Of the other weights.
    shuffled
        The model's own routers with all their weights in an order of chance, so that they are as sure as the trained
        ones; else new ones as a new model has them.

    Raises
    ------
    UsageError
        Where the model has no mixtures.
    """
    model = base.fresh()
    body = model.predictor.body
    if not isinstance(body, MixtureTransformer):
        raise UsageError(f"{base.name} has no router", "it is no mixture of experts", "take tiny-moe")
    for number, (layer, mixture) in enumerate(zip(body.layers, body.mixtures, strict=True)):
        draw = torch.Generator().manual_seed(derive(seed, "routers", number) % 2**63)
        layer.mixture = OverheardMixture(mixture, _drawn(mixture.router.weight, draw, shuffled))
    return model


def _drawn(own: Tensor, draw: torch.Generator, shuffled: bool) -> Tensor:
    if shuffled:
        return own.detach().flatten()[torch.randperm(own.numel(), generator=draw)].view_as(own)  # (experts, width)
    return torch.randn(own.shape, generator=draw) * 0.02  # (experts, width)
