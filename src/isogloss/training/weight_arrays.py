"""Weights of a module as plain arrays, for those who keep them without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def weight_arrays(module: nn.Module) -> dict[str, NDArray[Any]]:
    """Return a module's tensors as float32 arrays by name.

    Examples
    --------
    >>> sorted(weight_arrays(nn.Linear(2, 1)))
    ['bias', 'weight']
    """
    return {name: value.detach().float().cpu().numpy().copy() for name, value in module.state_dict().items()}


def load_weight_arrays(module: nn.Module, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Give a module the tensors that :func:`weight_arrays` returned, and return them as tensors.

    Examples
    --------
    >>> one, other = nn.Linear(2, 1), nn.Linear(2, 1)
    >>> _ = load_weight_arrays(other, weight_arrays(one))
    >>> bool((one.weight == other.weight).all())
    True
    """
    state = {name: torch.from_numpy(np.array(value, np.float32)) for name, value in arrays.items()}
    module.load_state_dict(state)
    return state
