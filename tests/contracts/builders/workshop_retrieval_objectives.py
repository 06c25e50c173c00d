"""Objectives that only retrievers are tuned by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from contract_parts import ObjectivePart

from isogloss.objectives.adaptive_margin import AdaptiveMargin
from isogloss.objectives.contract import Batch
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.objectives.in_groups import InGroups


def near(columns: int) -> Callable[[int, int], tuple[Any, Any]]:
    """The second column is near the first, a third one is anywhere."""

    def case(items: int, seed: int) -> tuple[Any, Any]:
        drawn = torch.Generator().manual_seed(seed)
        first, noise, far = torch.randn(3, items, 6, generator=drawn, dtype=torch.float64)
        made = (first, first + 0.2 * noise, far)[:columns]
        return tuple(one.clone().requires_grad_() for one in made), Batch(made)

    return case


def next_documents(outputs: Any, batch: Any) -> tuple[Any, Any]:
    """Give each query the documents of the next item."""
    return (outputs[0], *(one.roll(1, 0) for one in outputs[1:])), batch


NEIGHBOURS = {
    "permutation": "its groups are of items that stand beside each other",
    "weights": "an item of weight 0 still takes a place in its group; the part's own test has the weights",
}
objectives = {
    "objectives.adaptive_margin.AdaptiveMargin": ObjectivePart(AdaptiveMargin, near(3), next_documents, True),
    "objectives.adaptive_margin.AdaptiveMargin in batch": ObjectivePart(
        lambda: AdaptiveMargin(target="adaptive", in_batch=True),
        near(3),
        None,
        True,
        {"right_is_lower": "a margin above its target is an error as well: of many negatives some are too far"},
    ),
    "objectives.in_groups.InGroups": ObjectivePart(
        lambda: InGroups(inner=InBatchSoftmax(), size=3), near(2), next_documents, True, NEIGHBOURS
    ),
}
