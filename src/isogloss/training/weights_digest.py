"""One hash of named tensors, the same in memory and of a saved folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return a hash of names, shapes and values as float32; the runtime gives the same one for a saved folder.

    Examples
    --------
    >>> import torch
    >>> one, two = tensors_digest({"w": torch.zeros(2, 1)}), tensors_digest({"w": torch.zeros(1, 2)})
    >>> len(one), one == two
    (64, False)
    """
    total = hashlib.sha256()
    for name in sorted(tensors):
        values = np.ascontiguousarray(tensors[name].detach().float().cpu().numpy())
        total.update(f"{name}\x1fF32\x1f{values.shape}\x1f".encode())
        total.update(hashlib.sha256(values.data).digest())
    return total.hexdigest()


def module_identity(settings: Sequence[Any], module: nn.Module) -> str:
    """Return a hash of a module's weights and of settings that JSON can write.

    Examples
    --------
    >>> module = nn.Linear(1, 1)
    >>> module_identity(["a"], module) == module_identity(["b"], module)
    False
    """
    told = [*settings, tensors_digest(module.state_dict())]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
