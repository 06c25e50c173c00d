"""Torch behind the seam: on the processor, or on the graphics card that is named."""

from __future__ import annotations

import os

from isogloss.encoders.engines.device_torch import device_of, load_on
from isogloss.encoders.engines.further_torch import load as load_packed
from isogloss.encoders.engines.packed_torch import PackedTorch
from isogloss.encoders.engines.precision import Precision
from isogloss.encoders.model_plan import ModelPlan

DEVICE = "ISOGLOSS_DEVICE"
"""The variable that names a device: cpu (without it), cuda, cuda:N, or auto for a card where torch sees one."""


def load(plan: ModelPlan, precision: Precision, threads: int) -> PackedTorch:
    """Load a model into torch on the device that ``$ISOGLOSS_DEVICE`` names.

    Parameters
    ----------
    plan
        The model.
    precision
        ``"fp32"`` or ``"bf16"``.
    threads
        Not used: on the processor each batch runs in the thread that asks for it.

    Raises
    ------
    UnsupportedModelError
        Where torch has no way to run this model there.
    UsageError
        Where a graphics card is named that torch does not see.
    """
    device = device_of(os.environ.get(DEVICE) or "cpu")
    return load_packed(plan, precision, threads) if device.type == "cpu" else load_on(plan, precision, device)
