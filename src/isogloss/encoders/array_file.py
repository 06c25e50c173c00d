"""Writing a safetensors file piece by piece, so that arrays need never lie in memory whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError

_NAMES = {"int8": "I8", "float32": "F32", "int32": "I32", "int64": "I64"}
_ROOM, _ALIGNED = 4096, 64


class ArrayFile:
    """A safetensors file that grows: arrays one behind the other, each by its rows.

    Parameters
    ----------
    path
        The file, written anew.

    Examples
    --------
    >>> import tempfile
    >>> from isogloss.encoders.static import read_arrays
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ArrayFile(Path(folder) / "rows.safetensors") as file:
    ...         file.begin("rows")
    ...         file.append(np.zeros((2, 3), np.float32))
    ...         file.append(np.ones((1, 3), np.float32))
    ...         file.finish({"about": "an example"})
    ...     read_arrays(Path(folder) / "rows.safetensors")[0]["rows"].shape
    (3, 3)
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._file.write(b" " * _ROOM)
        self._header: dict[str, Any] = {}
        self._current: dict[str, Any] = {}
        self._at = 0

    def begin(self, name: str) -> None:
        """Start an array, aligned by bytes without meaning; what is appended from now on belongs to it."""
        if self._at % _ALIGNED:
            free = _ALIGNED - self._at % _ALIGNED
            self._header[f"padding_{len(self._header)}"] = {
                "dtype": "I8", "shape": [free], "data_offsets": [self._at, self._at + free],
            }  # fmt: skip
            self._file.write(bytes(free))
            self._at += free
        self._current = self._header[name] = {"dtype": "", "shape": [], "data_offsets": [self._at, self._at]}

    def append(self, rows: NDArray[Any]) -> None:
        """Write more rows of the array that was begun last."""
        entry = self._current
        kind, tail = _NAMES[rows.dtype.name], list(rows.shape[1:])
        if entry["dtype"] and (entry["dtype"], entry["shape"][1:]) != (kind, tail):
            why = f"{kind} {tail} behind {entry['dtype']} {entry['shape'][1:]}"
            raise UsageError("rows do not fit the ones before them", why)
        before = entry["shape"][0] if entry["dtype"] else 0
        entry["dtype"], entry["shape"] = kind, [before + len(rows), *tail]
        plain = np.ascontiguousarray(rows.astype(rows.dtype.newbyteorder("<"), copy=False))
        self._file.write(plain.data if plain.size else b"")
        self._at += plain.nbytes
        entry["data_offsets"][1] = self._at

    def add(self, name: str, array: NDArray[Any]) -> None:
        """Write a whole array."""
        self.begin(name)
        self.append(array)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def finish(self, about: Mapping[str, str]) -> None:
        """Write the header in front, with remarks; without it the file cannot be read."""
        text = json.dumps({"__metadata__": dict(about), **self._header}, separators=(",", ":")).encode()
        if len(text) > _ROOM - 8:
            raise UsageError("the header is longer than its room", f"{len(text)} bytes in {_ROOM - 8}")
        self._file.seek(0)
        self._file.write((_ROOM - 8).to_bytes(8, "little") + text.ljust(_ROOM - 8))
