"""Building the Lab's base models: all that are missing, one after the other, with a table of what they cost."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isogloss.errors import CheckFailed
from isogloss.protocols import Progress, Silent
from isogloss.recipes._base_models import SEEDS, Built, base_model_names, build_base_model, row_file

RECORD = "base_models.json"
"""Name of the committed table in ``docs/evidence``."""


@dataclass(slots=True)
class Prefixed:
    """A progress that says which of how many models a stage belongs to."""

    inner: Progress
    prefix: str = ""

    def start(self, what: str, total: int | None, unit: str) -> None:
        """Begin a stage."""
        self.inner.start(f"{self.prefix}, {what}", total, unit)

    def advance(self, amount: int) -> None:
        """Say that ``amount`` more units are done."""
        self.inner.advance(amount)

    def finish(self) -> None:
        """End the stage."""
        self.inner.finish()


@dataclass(slots=True)
class LabBuild:
    """What a build came to.

    Attributes
    ----------
    built
        The models, those that were there already included.
    refused
        Name and seed of models that did not pass their admission test, with the reason.
    """

    built: list[Built] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: the table, and what it took in all."""
        return {
            "models": [one.to_dict() for one in self.built],
            "refused": self.refused,
            "seconds": round(sum(one.seconds for one in self.built), 1),
            "cpu_seconds": round(sum(one.cpu_seconds for one in self.built), 1),
        }


def build_base_models(
    names: Sequence[str] = (), seeds: Iterable[int] = SEEDS, *, progress: Progress | None = None
) -> LabBuild:
    """Build base models that are missing; those that are done stay, so a stopped build goes on.

    Parameters
    ----------
    names
        Which; all where there is none.
    seeds
        Of each.
    progress
        Told about every step of every model.

    Raises
    ------
    UsageError
        Where a name is unknown; nothing is built then.
    """
    chosen = list(names) or base_model_names()
    for name in chosen:
        row_file(name)
    wanted = [(name, seed) for name in chosen for seed in seeds]
    found = LabBuild()
    for number, (name, seed) in enumerate(wanted, 1):
        shown = Prefixed(progress or Silent(), f"{name} seed {seed} ({number} of {len(wanted)})")
        try:
            found.built.append(build_base_model(name, seed, progress=shown))
        except CheckFailed as error:
            found.refused[f"{name} seed {seed}"] = error.why
    return found


def write_table(folder: Path, found: LabBuild) -> Path:
    """Write the table as JSON for the documentation, aside first; models that were built before keep their rows.

    Parameters
    ----------
    folder
        Such as ``docs/evidence``.
    found
        What a build came to.
    """
    path = folder / RECORD
    rows = {f"{one['name']}@{one['seed']}": one for one in read_table(folder)}
    rows |= {f"{one.name}@{one.seed}": one.to_dict() for one in found.built}
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps({"models": [rows[key] for key in sorted(rows)]}, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def read_table(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of the committed table, none where there is no table."""
    path = folder / RECORD
    if not path.is_file():
        return []
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["models"]
    return rows
