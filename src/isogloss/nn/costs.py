"""What a step costs, counted: multiply-adds of the products and convolutions that torch really runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(work: Callable[[], Any]) -> int:
    """Return the multiply-adds of all matrix products and convolutions inside ``work``, backward passes included.

    Sums, norms, activations and look-ups are not counted; neither are torch's own fused attention kernels on a CPU.

    Parameters
    ----------
    work
        Called once.

    Examples
    --------
    >>> import torch
    >>> multiply_adds(lambda: torch.ones(2, 3) @ torch.ones(3, 5))
    30
    """
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops()) // 2
