"""Weights in safetensors files: where each tensor lies, without reading it."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import ModelError, UnsupportedModelError

_WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """Where a tensor lies: its file (links resolved), type as safetensors names it, shape, first byte and bytes."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int
    length: int

    def read(self) -> NDArray[Any]:
        """Return the values as float32 (from F64, F32, F16 or BF16); F32 as a view of the mapped file."""
        raw = np.memmap(self.path, np.uint8, "r", self.offset, (self.length,)) if self.length else np.zeros(0, "u1")
        if self.dtype == "BF16":
            return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32).reshape(self.shape)
        if self.dtype not in _FLOATS:
            raise UnsupportedModelError(
                "a weight has a type that is not supported",
                f"{self.path.name} holds a tensor of type {self.dtype}",
                "store the weights as F32, F16 or BF16",
            )
        return np.asarray(raw.view(_FLOATS[self.dtype]).astype(np.float32, copy=False).reshape(self.shape))


def _damaged(path: Path, why: str) -> ModelError:
    return ModelError(f"{path.name} is not a whole safetensors file", f"{path}: {why}", "fetch the model again")


def read_header(path: Path) -> dict[str, TensorPlace]:
    """Return the tensors of one safetensors file by name; only the header is read.

    Raises
    ------
    ModelError
        Where the header is damaged, or the file is shorter than its header says.
    """
    path = Path(os.path.realpath(path))
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
        if not 0 < length <= size - 8:
            hint = "it is a Git LFS pointer, not the file itself" if start == b"version " else f"it has {size} bytes"
            raise _damaged(path, hint)
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise _damaged(path, f"the header is not JSON ({error})") from error
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        shape = tuple(entry["shape"])
        expected = int(np.prod(shape, dtype=np.int64)) * _WIDTHS.get(entry["dtype"], 0)
        if 8 + length + end > size or (expected and end - begin != expected):
            raise _damaged(path, f"tensor {name} needs bytes {begin} to {end}, the file has {size - 8 - length}")
        tensors[name] = TensorPlace(path, entry["dtype"], shape, 8 + length + begin, end - begin)
    return tensors


def read_headers(folder: Path) -> dict[str, TensorPlace]:
    """Return the tensors of a folder with ``model.safetensors`` or its sharded form with an index.

    Raises
    ------
    ModelError
        Where neither is there, or a shard is missing; the message names it.
    UnsupportedModelError
        Where there are pickled weights only.
    """
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return read_header(single)
    if index.is_file():
        tensors: dict[str, TensorPlace] = {}
        for shard in sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values())):
            if not (folder / shard).is_file():
                raise ModelError(
                    f"a part of the weights is missing: {shard}", f"{index} names it", "fetch the model again"
                )
            tensors |= read_header(folder / shard)
        return tensors
    pickled = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pkl", "*.h5") for path in folder.glob(pattern))
    if pickled:
        raise UnsupportedModelError(
            f"the weights are only in {', '.join(pickled)}",
            "such files are Python pickles (or TensorFlow's), and opening one can run any code that its author put in",
            "convert it once where you trust it (safetensors.torch.save_file), or fetch a revision with safetensors",
        )
    raise ModelError(
        "the model has no weights", f"{folder} has neither model.safetensors nor its index", "fetch the model again"
    )


def digest(tensors: Mapping[str, TensorPlace], extra: Iterable[Path] = ()) -> str:
    """Return a hash of the tensors' names, types, shapes and values, and of the content of ``extra`` files.

    It does not depend on how the tensors are spread over files, nor on a file's other metadata.
    """
    total = hashlib.sha256()
    maps: dict[Path, NDArray[np.uint8]] = {}
    for name in sorted(tensors):
        place = tensors[name]
        if place.path not in maps:
            maps[place.path] = np.memmap(place.path, np.uint8, "r")
        total.update(f"{name}\x1f{place.dtype}\x1f{place.shape}\x1f".encode())
        total.update(hashlib.sha256(maps[place.path][place.offset : place.offset + place.length].data).digest())
    for path in extra:
        with open(path, "rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
