"""Base models of the Lab on this machine: found by listing files, built once, admitted, kept under the cache folder."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from isogloss.compiled import cache_folder
from isogloss.errors import CheckFailed, UsageError
from isogloss.protocols import Progress, Silent
from isogloss.recipes._closure import digest
from isogloss.recipes._data import opened, texts_of
from isogloss.recipes._symbols import PACKAGE

ROWS = PACKAGE / "training" / "base_models"
SEEDS = (0, 1)
"""Seeds that every base model is built with."""
FORMAT = 1


class LabMaterial:
    """Data sets of this machine, for builders."""

    def texts(self, name: str, part: str | None = None) -> list[str]:
        """Return the texts of a part."""
        return list(texts_of(self.examples(name, part)))

    def examples(self, name: str, part: str | None = None) -> Any:
        """Return the examples of a part."""
        return opened(name).part(part)


@dataclass(frozen=True, slots=True)
class Built:
    """A base model in the cache.

    Attributes
    ----------
    name, seed, folder
        Which one, and where.
    seconds, cpu_seconds
        What building and admission took: by the clock, and of processors.
    parameters, megabytes
        Its size.
    score
        The number that tables show, and its name.
    measured
        What admission measured.
    fresh
        Whether it was built just now.
    """

    name: str
    seed: int
    folder: Path
    seconds: float
    cpu_seconds: float
    parameters: int
    megabytes: float
    score: tuple[str, float]
    measured: dict[str, float]
    fresh: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain data without paths of this machine."""
        found = {**asdict(self), "folder": self.folder.name, "score": {self.score[0]: self.score[1]}}
        return {name: value for name, value in found.items() if name != "fresh"}


def base_model_names() -> list[str]:
    """Return the names of all base models; nothing is imported.

    Examples
    --------
    >>> "tiny-mlm" in base_model_names()
    True
    """
    return sorted(path.stem.replace("_", "-") for path in ROWS.glob("*.py") if not path.name.startswith("_"))


def row_file(name: str) -> Path:
    """Return the file of a base model.

    Raises
    ------
    UsageError
        Where there is none of this name.
    """
    if name not in base_model_names():
        raise UsageError(f"there is no base model {name!r}", f"the Lab has {', '.join(base_model_names())}")
    return ROWS / f"{name.replace('-', '_')}.py"


def base_model_key(name: str) -> str:
    """Return the hash of a builder's import closure and of its data; the model itself need not be there."""
    path = row_file(name)
    data = {one: opened(one).digest() for one in _data_of(path)}
    content = json.dumps([FORMAT, digest(path), data])
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _data_of(path: Path) -> list[str]:
    """Return the names of the data sets in the row's ``DATA``, else in that of the shared text; nothing is imported."""
    for source in (path, ROWS / "_text.py"):
        for node in ast.parse(source.read_text(encoding="utf-8")).body:
            names = [getattr(one, "id", "") for one in getattr(node, "targets", [])]
            if isinstance(node, ast.Assign) and "DATA" in names and isinstance(node.value, ast.Tuple):
                return [str(one) for one in ast.literal_eval(node.value)]
    raise UsageError(f"{path.name} names no data", "there is no DATA = (...) of literals in it", "name its data sets")


def base_model_folder(name: str, seed: int) -> Path:
    """Return where a base model lies, built or not."""
    return cache_folder() / "lab" / f"{name}-{seed}-{base_model_key(name)}"


def load_base_model(name: str, seed: int = 0, *, progress: Progress | None = None) -> Any:
    """Return a base model of the Lab, built first where it is missing."""
    built = build_base_model(name, seed, progress=progress)
    return _row(name).load(built.folder)


def built_base_model(name: str, seed: int) -> Built | None:
    """Return what is known of a base model that lies in the cache, or None."""
    folder = base_model_folder(name, seed)
    try:
        said = json.loads((folder / "lab.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    said["score"] = next(iter(said["score"].items()))
    return Built(**{**said, "folder": folder})


def build_base_model(name: str, seed: int = 0, *, progress: Progress | None = None) -> Built:
    """Build, test and keep a base model, where it is not there yet.

    It is written beside its place and renamed, so a stopped build leaves nothing that looks like a model.

    Parameters
    ----------
    name, seed
        Which one.
    progress
        Told about every step of its training.

    Raises
    ------
    CheckFailed
        Where the model does not pass its admission test; nothing is kept.
    """
    known = built_base_model(name, seed)
    if known is not None:
        return known
    row, material, place = _row(name), LabMaterial(), base_model_folder(name, seed)
    began, worked = time.perf_counter(), time.process_time()
    partial = place.with_name(f".{place.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        with _one_thread():
            artifact = row.build(material, seed, progress or Silent())
            artifact.save(partial)
            found = row.admit(row.load(partial), material)
        if found.failed:
            shown = ", ".join(f"{what} {value:.3f}" for what, value in found.measured.items())
            raise CheckFailed(
                f"{name} of seed {seed} is not admitted", f"not true: {'; '.join(found.failed)} ({shown})"
            )
        size = (partial / "model.safetensors").stat().st_size / 1e6
        built = Built(
            name, seed, place, round(time.perf_counter() - began, 1), round(time.process_time() - worked, 1),
            artifact.parameters, round(size, 1), (row.score, found.measured[row.score]), dict(found.measured), True,
        )  # fmt: skip
        (partial / "README.md").write_text(_card(row, built), encoding="utf-8")
        (partial / "lab.json").write_text(json.dumps(built.to_dict(), indent=1) + "\n", encoding="utf-8")
        partial.replace(place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return built


def _row(name: str) -> Any:
    row_file(name)
    return import_module(f"isogloss.training.base_models.{name.replace('-', '_')}").ROW


class _one_thread:
    """Computes with one thread of torch inside: weights are the same on every machine with the same instructions."""

    def __enter__(self) -> None:
        import torch

        self.threads = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *error: object) -> None:
        import torch

        torch.set_num_threads(self.threads)


def _card(row: Any, built: Built) -> str:
    """Return the text of the model's README."""
    numbers = "\n".join(f"| {name} | {value:.4f} |" for name, value in built.measured.items())
    claims = "\n".join(f"- {claim}" for claim in row.claims)
    return (
        f"# {row.name}, seed {built.seed}\n\n{row.what}. A base model of the Lab of Isogloss, built by `isogloss lab "
        f"build {row.name}` from {', '.join(row.data)}; {built.parameters:,} weights, {built.seconds:.0f} seconds.\n\n"
        f"Admitted because\n\n{claims}\n\n| measured | |\n|---|---|\n{numbers}\n"
    )
