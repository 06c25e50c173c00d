"""``isogloss adapt``: split, try under a budget, choose, prove once, keep the base where the gain is not real."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from isogloss.encoders.static import StaticEncoder
from isogloss.errors import UsageError
from isogloss.mining.questions.written import Ask
from isogloss.protocols import Encoder, Progress, Record
from isogloss.workflows.adapting.choosing import Choice, choose
from isogloss.workflows.adapting.keeping import Kept
from isogloss.workflows.adapting.material import Material, check_place, digest, read_documents, split_material
from isogloss.workflows.adapting.order import SMALLEST, Clock, Order
from isogloss.workflows.adapting.portfolio import FAMILIES
from isogloss.workflows.adapting.proving import Proof, prove
from isogloss.workflows.adapting.room import Room, furnish, general_room
from isogloss.workflows.adapting.workbench import BUNDLED, Candidate, Workbench, open_base, rate_of
from isogloss.workflows.adapting.writing import write_adapted, write_draft
from isogloss.workflows.training.writing import Written

CHOOSE_SHARE, PROVE_SHARE = 0.02, 0.08
"""Shares of the budget that a model may need to read the room that chooses, and the one that proves."""
CHOOSE_MOST, PROVE_MOST = 1500, 12000
"""Most documents in each room."""
CHOOSE_LEAST, PROVE_LEAST = 120, 160
"""Fewest documents in each room: with fewer nothing is hard to find."""
ENDING = 8.0
"""Seconds for everything else at the end: loading, bootstraps, writing."""


@dataclass(slots=True)
class Adapted:
    """What an adaptation gave.

    Attributes
    ----------
    order
        As it was carried out.
    choice, proof
        What was tried, and the proof.
    written
        The folder; None where the base is kept.
    facts
        Counts and seconds.
    notes
        What the user should know.
    draft
        The candidate's folder, where it was asked for and the candidate has a model of its own.
    """

    order: Order
    choice: Choice
    proof: Proof
    written: Written | None
    facts: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    draft: Path | None = None

    @property
    def kept(self) -> str:
        """Which of the two is kept: ``base`` or ``adapted``."""
        return "adapted" if self.proof.kept else "base"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "kept": self.kept, "reason": self.proof.reason, "base": self.order.base,
            "candidate": self.choice.best.name, "words": self.choice.best.words,
            "folder": str(self.written.folder) if self.written else None, "facts": self.facts,
            "results": [one.to_dict() for one in self.proof.results()], "kinds": self.proof.kinds,
            "tried": self.choice.tried, "left_out": self.choice.left_out, "notes": self.notes,
        }  # fmt: skip


def settled(order: Order) -> Order:
    """Return the order with base and place filled in, checked before anything is read.

    Raises
    ------
    UsageError
        Where the budget is too small, a family is unknown, or the place is taken.
    """
    if order.budget < SMALLEST:
        raise UsageError(
            f"{order.budget:g} s are too short", "nothing can be tried and proved in them",
            f"--budget {SMALLEST:g}s at the least; 10m is usual",
        )  # fmt: skip
    strange = [name for name in order.families if name not in FAMILIES]
    if strange:
        raise UsageError(f"there is no family {strange[0]!r}", f"they are {', '.join(FAMILIES)}", "name some of them")
    if order.out:
        check_place(Path(order.out).expanduser())
    return order if order.base else replace(order, base=usual_base(order.index))


def usual_base(index: str) -> str:
    """Return the model that an index searches with beside the words; the bundled one where there is no index."""
    from isogloss.collection.parts import default_records
    from isogloss.index.store.store import Store

    if not Store.exists(index):
        return BUNDLED
    with Store.open(index) as store:
        chosen, _ = default_records(store.snapshot, store.snapshot.encoders())
    return next((record.name for record in chosen if record.kind == "dense"), BUNDLED)


def place_of(order: Order, name: str) -> Path:
    """Return where the model goes: the place named, else the first free one of ``models/NAME-1``, ``-2`` ..."""
    if order.out:
        return Path(order.out).expanduser()
    number = 1
    while (Path("models") / f"{name}-{number}").exists():
        number += 1
    return Path("models") / f"{name}-{number}"


def adapt(
    order: Order, *, threads: int | None = None, progress: Progress, records: Sequence[Record] | None = None,
    name: str = "", keep_draft: bool = False,
) -> Adapted:  # fmt: skip
    """Adapt a model to documents without labels.

    Parameters
    ----------
    order
        What is asked for.
    threads
        Of encoders and torch; None for their own choice.
    progress
        Told about the work.
    records, name
        The documents and their name, where they are at hand; else they are read.
    keep_draft
        Leave the candidate's folder in the cache, kept or not, for those who want to judge it otherwise, too.

    Raises
    ------
    UsageError, CorpusError
        Where the order cannot be carried out: the message says what is needed.
    KeyboardInterrupt
        After Ctrl-C; finished candidates are kept, and the same call goes on from them.
    """
    clock = Clock(order.budget)
    order = settled(order)
    base = open_base(order.base, threads)
    if records is None:
        progress.start("read documents", None, "documents")
        name, records = read_documents(order)
        progress.finish()
    material = split_material(name or "documents", records, order.seed, ask=_writer(order), progress=progress)
    out = place_of(order, material.name)
    bench, proving = prepare(order, clock, material, base, threads, progress)
    choice = choose(bench)
    draft = write_draft(choice.best, bench.keep.folder / "draft" / out.name)
    proof = prove(bench, proving, choice.best, draft)
    if choice.best is bench.base:
        proof.reason = "no candidate was better on the questions that choose"
    facts = {
        "documents": len(material.records), "passages_a_second": round(bench.rate, 1),
        "learned_from": len(material.train), "chosen_by": len(bench.room.made),
        "proved_by": proof.questions, "passages": proof.passages, "candidates": len(choice.tried),
        "seconds": round(clock.spent(), 1), "budget": order.budget, "tried": choice.tried, "left_out": choice.left_out,
    }  # fmt: skip
    written = write_adapted(bench, choice, proof, draft, out, facts) if proof.kept else None
    if not keep_draft:
        shutil.rmtree(bench.keep.folder / "draft", ignore_errors=True)
    facts["seconds"] = round(clock.spent(), 1)
    told = {name: value for name, value in facts.items() if name not in ("tried", "left_out")}
    return Adapted(order, choice, proof, written, told, [*material.notes, *bench.notes], draft if keep_draft else None)


def prepare(
    order: Order, clock: Clock, material: Material, base: Encoder, threads: int | None, progress: Progress
) -> tuple[Workbench, Room]:
    """Furnish both rooms for the budget, and let the base read the one that chooses.

    Raises
    ------
    UsageError
        Where the budget is too small for the base to read enough.
    """
    every = material.records
    sample = [f"{record.title} {record.text}"[:1200] for record in every[:: max(1, len(every) // 32)][:32]]
    rate = rate_of(base, sample)
    sizes = room_sizes(rate, order.budget, len(every))
    chooser, prover = (
        furnish(made, every, most, order.seed)
        for made, most in zip((material.choose, material.prove), sizes, strict=True)
    )
    reading = chooser.read(base, progress, what="the base reads the questions that choose")
    static = base if isinstance(base, StaticEncoder) else None
    general = general_room()
    first = Candidate(
        Path(order.base).name, "base", reading, chooser.marks(reading), encoder=static,
        general=general.read(base, progress, what="the base reads the general probe set"),
    )  # fmt: skip
    clock.reserved = 2 * (len(prover.texts) + len(prover.made) + 240) / rate + ENDING
    keep = Kept.of(digest(material, order))
    return Workbench(order, clock, material, chooser, general, first, rate, keep, progress, threads), prover


def room_sizes(rate: float, budget: float, documents: int) -> tuple[int, int]:
    """Return how many documents the rooms have that choose and prove.

    Parameters
    ----------
    rate
        Passages that the base reads in a second.
    budget
        Seconds.
    documents
        That there are.

    Raises
    ------
    UsageError
        Where not even the smallest rooms can be read; the message says which budget would do.

    Examples
    --------
    >>> room_sizes(100.0, 600.0, 5000)
    (1200, 4800)
    """
    choosing = min(CHOOSE_MOST, documents, int(rate * budget * CHOOSE_SHARE))
    proving = min(PROVE_MOST, documents, int(rate * budget * PROVE_SHARE))
    if choosing < min(CHOOSE_LEAST, documents) or proving < min(PROVE_LEAST, documents):
        needed = max(CHOOSE_LEAST / CHOOSE_SHARE, PROVE_LEAST / PROVE_SHARE) / rate
        raise UsageError(
            f"{budget:g} s are too short for this model", f"it reads {rate:.0f} passages a second here",
            f"--budget {needed:.0f}s at the least, or --base static",
        )  # fmt: skip
    return choosing, proving


def _writer(order: Order) -> Ask | None:
    from isogloss.workflows.own_evaluation import writer
    from isogloss.workflows.requests import Request

    return writer(Request(kind="questions", writer=order.writer, writer_model=order.writer_model))
