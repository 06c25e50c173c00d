"""Finished candidates on disk, so that a second call goes on where the first one stopped."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.compiled import cache_folder

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder of finished candidates.

    Attributes
    ----------
    folder
        Of one set of documents, one base and one seed.
    """

    folder: Path

    @classmethod
    def of(cls, digest: str) -> Kept:
        """Return the place for a digest of documents and settings."""
        return cls(cache_folder() / "adapting" / digest)

    def save(self, name: str, facts: Mapping[str, Any], arrays: Arrays) -> None:
        """Keep a candidate: written aside and renamed, so that it is whole or not there.

        Examples
        --------
        >>> import tempfile
        >>> kept = Kept(Path(tempfile.mkdtemp()))
        >>> kept.save("a 1", {"steps": 3}, {"x": np.ones(2, np.float32)})
        >>> kept.load("a 1")[0], kept.names()
        ({'steps': 3}, ['a 1'])
        """
        from safetensors.numpy import save_file

        place = self._place(name)
        aside = place.with_name(f".{place.name}.{os.getpid()}")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, aside / "arrays.safetensors")
        (aside / "facts.json").write_text(json.dumps({"name": name, "facts": dict(facts)}), "utf-8")
        shutil.rmtree(place, ignore_errors=True)
        aside.rename(place)

    def load(self, name: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
        """Return what is kept under a name; None where nothing is, or it cannot be read."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        place = self._place(name)
        try:
            record = json.loads((place / "facts.json").read_text("utf-8"))
            return record["facts"], load_file(place / "arrays.safetensors")
        except (OSError, ValueError, KeyError, SafetensorError):
            return None

    def names(self) -> list[str]:
        """Return what is kept."""
        files = sorted(self.folder.glob("*/facts.json"))
        return [json.loads(file.read_text("utf-8"))["name"] for file in files if not file.parent.name.startswith(".")]

    def clear(self) -> None:
        """Forget everything: the adaptation is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _place(self, name: str) -> Path:
        return self.folder / name.replace(" ", "-").replace("/", "-")
