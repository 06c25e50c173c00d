"""Which precision a run computes in."""

from __future__ import annotations

from typing import Literal

import torch

from isogloss.training.precision import has_half


def precision_of(asked: str) -> Literal["fp32", "bf16"]:
    """Return what was asked for; for ``auto`` bf16 where the machine multiplies it in hardware.

    Without such hardware bf16 is slower than float32, not faster.
    """
    if asked in ("fp32", "bf16"):
        return "bf16" if asked == "bf16" else "fp32"
    return "bf16" if has_half() else "fp32"


def use_threads(threads: int | None) -> None:
    """Let torch compute with so many threads; None leaves its own choice."""
    if threads is not None:
        torch.set_num_threads(threads)
