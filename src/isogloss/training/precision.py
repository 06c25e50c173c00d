"""What a forward pass computes in: float32, or bfloat16 with float32 weights, gradients and optimiser."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import nn

from isogloss.nn.fused import half_precision
from isogloss.objectives.contract import Batch
from isogloss.training.stage import Forward


def in_precision(forward: Forward, precision: Literal["fp32", "bf16"]) -> Forward:
    """Return a forward pass that computes in the given precision; the module's parameters stay float32.

    In ``bf16`` the transformer's linear layers and attention run in bfloat16 from copies of the weights that are made
    once a pass, everything else as torch's autocast decides; gradients reach the float32 parameters as float32
    (mixed precision training, https://arxiv.org/abs/1710.03740; bfloat16 needs no loss scaling). Sentence vectors come
    out in float32.

    Parameters
    ----------
    forward
        From module and batch to outputs.
    precision
        ``"fp32"`` gives ``forward`` itself.

    Examples
    --------
    >>> linear = nn.Linear(2, 2)
    >>> run = in_precision(lambda module, batch: module(batch.columns[0]), "bf16")
    >>> run(linear, Batch((torch.ones(3, 2),))).dtype
    torch.bfloat16
    """
    if precision == "fp32":
        return forward

    def halved(module: nn.Module, batch: Batch) -> Any:
        device = next((parameter.device.type for parameter in module.parameters()), "cpu")
        with half_precision(device):
            return forward(module, batch)

    return halved


def has_half(device: str = "cpu") -> bool:
    """Say whether the machine multiplies bfloat16 in hardware; without it bf16 is slower than fp32."""
    if device != "cpu":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
