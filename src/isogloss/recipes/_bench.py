"""The bench: runs each arm once a seed, lets judges read its artifact, and keeps what they read (on disk too)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import counting
from isogloss.evaluation.sample import Sample
from isogloss.protocols import Progress, Silent
from isogloss.recipes._outlines import outline
from isogloss.recipes._run import Arm, Run

Reader = Callable[[Any], Any]
"""A judge (artifact to Sample) or a measure (artifact to a number)."""


class TracedRun(Run):
    """A run that notes whether the arm looked at its seed or fold: an arm that never does needs to run only once."""

    looked = False

    def __getattribute__(self, name: str) -> Any:
        """Return the field, and remember that a varying one was read."""
        if name in ("seed", "fold", "__dict__"):
            object.__setattr__(self, "looked", True)
        return super().__getattribute__(name)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a judge read off one artifact.

    Attributes
    ----------
    sample
        The sample; a plain number is a sample of one item.
    ledger
        Counted costs while the judge worked.
    varies
        Whether the arm looked at its seed or fold.
    outline
        In the first run: what the artifact's vectors look like, see ``_outlines``.
    """

    sample: Sample
    ledger: dict[str, int]
    varies: bool
    outline: NDArray[np.float64] | None = None

    @property
    def value(self) -> float:
        """Return the score."""
        return self.sample.value()


@dataclass(frozen=True, slots=True)
class Job:
    """One arm at one size under one reader."""

    arm: Arm
    reader: Reader
    size: float | None = None


@dataclass(slots=True)
class Bench:
    """Runs arms and keeps readings; arms and readers are known by the labels that findings gave them.

    Attributes
    ----------
    folder
        Where readings are kept between processes, or None.
    readings
        By label of arm, label of reader, size and seed.
    progress
        Told about every reading.
    """

    folder: Path | None = None
    readings: dict[tuple[str, str, float | None, int], Reading] = field(default_factory=dict)
    progress: Progress = field(default_factory=Silent)
    _labels: dict[int, tuple[Any, str]] = field(default_factory=dict)
    _artifacts: dict[tuple[str, float | None], tuple[int, Any, bool]] = field(default_factory=dict)

    def label(self, made: Any, label: str | None = None) -> str:
        """Return the label of an arm or reader, giving it ``label`` at first sight."""
        if id(made) not in self._labels:
            self._labels[id(made)] = made, label or f"unnamed-{len(self._labels)}"  # kept alive: its id stays its own
        return self._labels[id(made)][1]

    def artifact(self, arm: Arm, run: Run) -> Any:
        """Return what the arm makes in a run; made once a run, once for all where it ignores seed and fold."""
        key = self.label(arm), run.size
        if key in self._artifacts:
            seed, made, varies = self._artifacts[key]
            if seed == run.seed or not varies:
                return made
        traced = TracedRun(**{one.name: getattr(run, one.name) for one in fields(Run)})
        made = arm(traced)
        self._artifacts[key] = run.seed, made, bool(object.__getattribute__(traced, "looked"))
        return made

    def forget(self) -> None:
        """Let artifacts go; readings stay."""
        self._artifacts.clear()

    def measure(self, jobs: Sequence[Job], runs: Sequence[Run]) -> None:
        """Take every reading that is not there yet, run by run, so that one run's artifacts serve all readers."""
        missing = [(job, run) for run in runs for job in jobs if self._known(job, run) is None]
        if not missing:
            return
        self.progress.start("measuring", len(missing), "readings")
        try:
            for job, run in missing:
                self.read(job, run)
                self.progress.advance(1)
        finally:
            self.progress.finish()

    def read(self, job: Job, run: Run) -> Reading:
        """Return one reading, taken now or known."""
        known = self._known(job, run)
        if known is not None:
            return known
        made = self.artifact(job.arm, _at(run, job.size))
        with counting() as ledger:
            found = job.reader(made)
        label = self.label(job.arm)
        varies = self._artifacts[label, job.size][2]
        sample = found if isinstance(found, Sample) else Sample.of([float(found)], name=self.label(job.reader))
        return self._keep(job, run, Reading(sample, ledger.to_dict(), varies, None if run.fold else outline(made)))

    def all(self, job: Job, runs: Iterable[Run]) -> list[Reading]:
        """Return the readings of one job in every run."""
        return [self.read(job, run) for run in runs]

    def _key(self, job: Job, run: Run) -> tuple[str, str, float | None, int]:
        return self.label(job.arm), self.label(job.reader), job.size, run.seed

    def _known(self, job: Job, run: Run) -> Reading | None:
        key = self._key(job, run)
        if key in self.readings:
            return self.readings[key]
        alike = (found for other, found in self.readings.items() if other[:3] == key[:3] and not found.varies)
        first = next(alike, None)
        if first is not None:
            self.readings[key] = first
            return first
        stored = load_reading(self._file(key)) if self.folder else None
        if stored is not None:
            self.readings[key] = stored
        return stored

    def _keep(self, job: Job, run: Run, reading: Reading) -> Reading:
        key = self._key(job, run)
        self.readings[key] = reading
        if self.folder:
            store_reading(self._file(key), reading)
        return reading

    def _file(self, key: tuple[str, str, float | None, int]) -> Path:
        import hashlib

        assert self.folder is not None
        digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:24]
        return self.folder / f"{digest}.npz"


def _at(run: Run, size: float | None) -> Run:
    return run if size is None else Run(run.seed, run.fold, size, run.budget)


def store_reading(path: Path, reading: Reading) -> bool:
    """Write a reading; False where its aggregate has no name to find it by again (then it is measured anew)."""
    aggregate = reading.sample.aggregate
    module, name = getattr(aggregate, "__module__", ""), getattr(aggregate, "__qualname__", "")
    if not module.startswith("isogloss.") or "<" in name or reading.sample.items.dtype == object:
        return False
    about = {
        "aggregate": [module, name], "name": reading.sample.name, "ledger": reading.ledger, "varies": reading.varies
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    arrays: dict[str, Any] = {"items": reading.sample.items, "groups": reading.sample.groups}
    if reading.outline is not None:
        arrays["outline"] = reading.outline
    np.savez_compressed(partial, about=np.array(json.dumps(about)), **arrays)
    partial.replace(path)
    return True


def load_reading(path: Path) -> Reading | None:
    """Read a reading back, or None where there is none that can be read."""
    if not path.is_file():
        return None
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            items, groups = stored["items"], stored["groups"]
            shape = stored.get("outline")
        aggregate: Any = import_module(about["aggregate"][0])
        for part in about["aggregate"][1].split("."):
            aggregate = getattr(aggregate, part)
    except (OSError, ValueError, KeyError, AttributeError, ImportError, BadZipFile):
        return None  # half written or of another version: measured anew
    return Reading(Sample(items, groups, aggregate, about["name"]), about["ledger"], bool(about["varies"]), shape)
