"""What a run writes down about its steps: JSON lines, TensorBoard."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from isogloss.errors import MissingExtraError


class Log(Protocol):
    """Takes one record a move, a look or an event."""

    def write(self, record: Mapping[str, Any]) -> None:
        """Take a record: ``event``, ``stage``, ``step`` and numbers or text by name."""
        ...

    def close(self) -> None:
        """Bring what was written to the file."""
        ...


class JsonLines:
    r"""One JSON object a line.

    Parameters
    ----------
    path
        The file; it is gone on with.
    kept
        Bytes of it to keep, where a run goes on from a checkpoint: what was written after that is forgotten.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = JsonLines(Path(folder) / "log.jsonl")
    ...     log.write({"event": "move", "step": 0, "loss": 0.5})
    ...     log.close()
    ...     (Path(folder) / "log.jsonl").read_text()
    '{"event": "move", "step": 0, "loss": 0.5}\n'
    """

    def __init__(self, path: str | Path, kept: int = 0) -> None:
        self._file = Path(path).open("ab")  # noqa: SIM115 (closed by close)
        self._file.truncate(kept)
        self._file.seek(kept)

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a line."""
        self._file.write(json.dumps(dict(record), ensure_ascii=False).encode() + b"\n")

    def size(self) -> int:
        """Return the file's length in bytes, with all that was written on its way to the disk."""
        self._file.flush()
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TensorBoard:
    """Curves for TensorBoard: every number of a record, under ``stage/player/name``.

    Parameters
    ----------
    folder
        Where the event files go.

    Raises
    ------
    MissingExtraError
        Where tensorboard is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            library = importlib.import_module("torch.utils.tensorboard")
        except ImportError:
            raise MissingExtraError(
                "curves need tensorboard", "it is not installed", "pip install tensorboard, or read log.jsonl"
            ) from None
        self._writer = library.SummaryWriter(str(folder))

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a point to each curve."""
        place = "/".join(str(record[name]) for name in ("stage", "player") if name in record)
        for name, value in record.items():
            if isinstance(value, int | float) and name != "step":
                self._writer.add_scalar(f"{place}/{name}", value, int(record.get("step", 0)))

    def close(self) -> None:
        """Bring all points to the disk."""
        self._writer.close()


def numbers(parts: Mapping[str, Tensor | float]) -> dict[str, float]:
    """Return an objective's parts as plain numbers; what is not a single number is left out.

    Examples
    --------
    >>> import torch
    >>> numbers({"a": torch.tensor(2.0), "b": 1.0, "c": torch.ones(2)})
    {'a': 2.0, 'b': 1.0}
    """
    single = {name: part for name, part in parts.items() if not isinstance(part, Tensor) or part.numel() == 1}
    return {name: float(part) for name, part in single.items()}
