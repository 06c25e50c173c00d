"""Sub-models: encoders of a layer and a width, and the objective that trains them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from contract_parts import Made, ObjectivePart, _tiny_model

from isogloss.encoders.sub_models import SubModelEncoder
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.objectives.contract import Batch
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.objectives.sub_models import FixedLadder, SubModels


def _made(folder: Path) -> Made:
    base, other = (TransformerEncoder(_tiny_model(folder / str(n), seed=n), threads=1) for n in (0, 3))
    first: dict[str, int] = {"layer": 1, "width": 16}
    others = [SubModelEncoder(base, **(first | change)) for change in ({"layer": 0}, {"width": 15})]
    return Made(
        SubModelEncoder(base, **first), SubModelEncoder(base, **first), (*others, SubModelEncoder(other, **first))
    )


def _near(items: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first, noise = torch.randn(2, items, 8, generator=generator, dtype=torch.float64)
    return first.requires_grad_(), (first.detach() + 0.3 * noise).requires_grad_()


def _case(items: int, seed: int) -> tuple[Any, Any]:
    last = _near(items, seed)
    return {3: _near(items, seed + 50), 6: last}, Batch(tuple(one.detach().clone() for one in last))


def _wrong(outputs: Any, batch: Any) -> tuple[Any, Any]:
    return {layer: (first, second.roll(1, 0)) for layer, (first, second) in outputs.items()}, batch


encoders: dict[str, Callable[[Path], Made]] = {"encoders.sub_models.SubModelEncoder": _made}
objectives: dict[str, ObjectivePart] = {
    "objectives.sub_models.SubModels": ObjectivePart(
        lambda: SubModels(InBatchSoftmax(), FixedLadder(((3, 4), (6, 8)))), _case, _wrong,
        opted_out={"finite_differences": "the whole model is a target without gradient; see the part's own test"},
    )
}  # fmt: skip
