"""Which precision a run computes in."""

from __future__ import annotations

from typing import Literal

import torch


def precision_of(asked: str) -> Literal["fp32", "bf16"]:
    """Return what was asked for; for ``auto`` bf16 where the machine multiplies it in hardware.

    Without such hardware bf16 is slower than float32, not faster.
    """
    if asked in ("fp32", "bf16"):
        return "bf16" if asked == "bf16" else "fp32"
    capable = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)() or torch.cuda.is_available()
    return "bf16" if capable else "fp32"
