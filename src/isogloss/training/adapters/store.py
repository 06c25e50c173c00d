"""What moved, as one small safetensors file: saved beside the model that it belongs to, loaded into it again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from torch import nn

from isogloss.errors import IncompatibleError, UsageError


def save_adapter(module: nn.Module, path: str | Path) -> int:
    """Write all weights that may move, with a hash of those that may not; return how many numbers were written.

    Parameters
    ----------
    module
        With adapters, or partly frozen.
    path
        A ``.safetensors`` file; it is written aside and renamed.

    Raises
    ------
    UsageError
        Where nothing may move.
    """
    from safetensors.torch import save_file

    moving = {name: one.detach().contiguous() for name, one in module.named_parameters() if one.requires_grad}
    if not moving:
        raise UsageError("there is no adapter to save", "no weight of the model may move")
    place = Path(path)
    partial = place.with_name(f".{place.name}.{os.getpid()}")
    save_file(moving, str(partial), metadata={"base": _digest_of_rest(module, set(moving)), "format": "pt"})
    partial.replace(place)
    return sum(one.numel() for one in moving.values())


def load_adapter(module: nn.Module, path: str | Path) -> int:
    """Read weights into a model that was prepared in the same way; return how many numbers were read.

    Raises
    ------
    IncompatibleError
        Where the file is of another kind of adapter, other sizes, or another base model; the model is left as it was.
    """
    from safetensors import safe_open

    named = dict(module.named_parameters())
    with safe_open(str(path), "pt") as file:  # type: ignore[no-untyped-call]
        base = (file.metadata() or {}).get("base", "")
        read = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it has no other way
    wrong = [name for name, one in read.items() if name not in named or named[name].shape != one.shape]
    missing = [name for name, one in named.items() if one.requires_grad and name not in read]
    if wrong or missing:
        found = f"{len(wrong)} of {len(read)} do not fit, {len(missing)} are missing ({(wrong + missing)[0]} ...)"
        raise IncompatibleError("this adapter is not of this model", found, "add the same adapters before loading")
    if base != _digest_of_rest(module, set(read)):
        why = "the weights at rest are others than those that it was trained with"
        raise IncompatibleError("this adapter is of another base model", why, "load the model that it was trained on")
    with torch.no_grad():
        for name, one in read.items():
            named[name].copy_(one)
    return sum(one.numel() for one in read.values())


def _digest_of_rest(module: nn.Module, moving: set[str]) -> str:
    whole = hashlib.sha256()
    for name, one in sorted(module.named_parameters()):
        if name not in moving:
            values = one.detach().float().cpu().contiguous().numpy()
            whole.update(f"{name}{values.shape}".encode() + values.tobytes())
    return whole.hexdigest()[:32]
