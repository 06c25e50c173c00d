"""Heads over pairs of vectors, and a recurrent body as an encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from contract_parts import ObjectivePart

from isogloss.objectives.contract import Batch
from isogloss.objectives.pair_heads import HeadClasses, HeadRegression, PairHead

AT_RANDOM = {"right_is_lower": "its head is drawn at random: nothing is right before it has learned"}


def _pairs(labels: Callable[[int], Any]) -> Callable[[int, int], tuple[Any, Any]]:
    def case(items: int, seed: int) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(seed)
        left, right = torch.randn(2, items, 8, generator=generator, dtype=torch.float64)
        return (left.clone().requires_grad_(), right.clone().requires_grad_()), Batch((left, right), labels(items))

    return case


def _taught(items: int) -> Any:
    return torch.linspace(-2, 2, 2 * items, dtype=torch.float64).reshape(items, 2)


objectives: dict[str, ObjectivePart] = {
    "objectives.pair_heads.HeadClasses": ObjectivePart(
        lambda: HeadClasses(PairHead(8, 2, hidden=6)), _pairs(lambda items: torch.arange(items) % 2),
        opted_out=AT_RANDOM,
    ),
    "objectives.pair_heads.HeadRegression": ObjectivePart(
        lambda: HeadRegression(PairHead(8, 2, hidden=6)), _pairs(_taught), opted_out=AT_RANDOM
    ),
}  # fmt: skip
