"""What every candidate is made from and judged with, and what a candidate is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from isogloss.encoders.names import find_model, load_encoder
from isogloss.encoders.static import StaticEncoder
from isogloss.mining.questions.decide import Part, decide
from isogloss.protocols import Encoder, Progress
from isogloss.workflows.adapting.keeping import Kept
from isogloss.workflows.adapting.linear_maps import MAPS as MAPS
from isogloss.workflows.adapting.linear_maps import append_map, copy_model, mapped_static
from isogloss.workflows.adapting.material import Material
from isogloss.workflows.adapting.order import Clock, Order
from isogloss.workflows.adapting.room import Marks, Reading, Room

BUNDLED = "static"
FAST = 2000.0
"""Passages a second that a static model surely reads once its kernels are there; measuring would time their loading."""
FORGOTTEN = 0.01
"""Loss on the general probe set above which a candidate is passed over."""
Write = Callable[[Path, str], None]


@dataclass(slots=True)
class Candidate:
    """A system that may take the base's place: a model, and how much the words count beside it.

    Attributes
    ----------
    name, family
        For tables.
    reading, marks
        What it reads and reaches in the room that chooses.
    write
        Writes its model into a folder, with the text of its card; None where the model is the base.
    encoder
        Its static model, which maps are folded into; None for transformers, whose maps follow the vectors.
    general
        What it reads of the general probe set; None where nobody looked.
    words
        Weight of the words beside the vectors; 0: the vectors alone.
    seconds
        What it took.
    facts
        Anything else that the record keeps.
    """

    name: str
    family: str
    reading: Reading
    marks: Marks
    write: Write | None = None
    encoder: StaticEncoder | None = None
    general: Reading | None = None
    words: float = 0.0
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """What candidates are ordered by."""
        return self.marks.value()


@dataclass(slots=True)
class Workbench:
    """Everything that candidates are made from.

    Attributes
    ----------
    order, clock, material
        What is asked for, the time, the documents.
    room, general
        That chooses; the general probe set as a room.
    base
        The model to start from.
    rate
        Passages that the base reads in a second.
    keep
        Where finished candidates lie.
    progress, threads
        Told about the work; of encoders and torch.
    notes
        What the user should know.
    made
        Pairs of made questions, once they are made.
    """

    order: Order
    clock: Clock
    material: Material
    room: Room
    general: Room
    base: Candidate
    rate: float
    keep: Kept
    progress: Progress
    threads: int | None = None
    notes: list[str] = field(default_factory=list)
    made: Any = None

    @property
    def is_static(self) -> bool:
        """Whether the base is a table of token vectors."""
        return self.base.encoder is not None

    def reading_seconds(self) -> float:
        """Return about how long a model of the base's kind takes to read the room that chooses."""
        return (len(self.room.texts) + len(self.room.made)) / max(self.rate, 1e-9)

    def of_static(self, name: str, family: str, encoder: StaticEncoder) -> Candidate:
        """Judge a static model."""
        reading = self.room.read(encoder, self.progress)
        return Candidate(
            name, family, reading, self.room.marks(reading), encoder=encoder,
            write=lambda folder, card: encoder.save(folder, card=card),
            general=self.general.read(encoder, self.progress),
        )  # fmt: skip

    def mapped(self, model: Candidate, name: str) -> Candidate:
        """Let the vectors of a candidate go through one of the linear maps, fitted on the documents."""
        if model.encoder is not None:
            made = self.of_static(
                f"{model.name}, {name}", "maps", mapped_static(model.encoder, MAPS[name], self.room.texts)
            )
            made.facts = {**model.facts, "map": name}
            return made
        found = MAPS[name](model.reading.passages)
        reading = found.read(model.reading)

        def write(folder: Path, card: str) -> None:
            if model.write is None:
                copy_model(find_model(self.order.base), folder)
            else:
                model.write(folder, "")
            append_map(folder, found)
            (folder / "README.md").write_text(card, "utf-8")

        general = None if model.general is None else found.read(model.general)
        return Candidate(
            f"{model.name}, {name}", "maps", reading, self.room.marks(reading), write=write, general=general,
            seconds=model.seconds, facts={**model.facts, "map": name},
        )  # fmt: skip

    def remembers(self, model: Candidate) -> bool:
        """Say whether a candidate loses no more on the general probe set than is allowed."""
        if model.general is None or self.base.general is None:
            return True
        before, after = (self.general.marks(one).value() for one in (self.base.general, model.general))
        return after >= before - FORGOTTEN

    def gain(self, model: Candidate, over: Candidate) -> Part:
        """Return by how much a candidate is better than another in the room that chooses, with its standard error."""
        return decide(self.room.made, model.marks.both(), over.marks.both()).whole


def open_base(name: str, threads: int | None) -> Encoder:
    """Load the base, and refuse one that nothing can be made of.

    Raises
    ------
    UsageError
        Where it matches words: there are no vectors to adapt.
    """
    from isogloss.errors import UsageError

    encoder = load_encoder(name, threads=threads)
    if getattr(encoder, "kind", "dense") != "dense":
        raise UsageError(f"{name} cannot be adapted", "it matches words and has no vectors", "--base static or minilm")
    return encoder


def rate_of(encoder: Encoder, texts: list[str]) -> float:
    """Return how many passages an encoder reads in a second, measured on a few; of a fast one a low guess."""
    import time

    from isogloss.protocols import EncodeReport

    if getattr(encoder, "speed", "slow") == "fast":
        return FAST
    some = texts[:: max(1, len(texts) // 32)][:32]
    encoder.encode(some[:4], role="document", report=EncodeReport())  # the first call loads the model
    times = []
    for _ in range(2):
        began = time.perf_counter()
        encoder.encode(some, role="document", report=EncodeReport())
        times.append(time.perf_counter() - began)
    return len(some) / max(min(times), 1e-6)


def kinds_of(room: Room, marks: Marks, over: Marks) -> dict[str, list[float]]:
    """Return for each kind of question how many there are, the difference, and its standard error."""
    found = decide(room.made, marks.one.items[:, 0], over.one.items[:, 0]).kinds
    return {part.name: [part.questions, float(part.value), _finite(part.error)] for part in found}


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else -1.0
