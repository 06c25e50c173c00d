"""``isogloss distill``: a smaller encoder from a larger one, and how much of it is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np

from isogloss.arrays import Dense, normalise
from isogloss.encoders.names import load_encoder
from isogloss.errors import UsageError
from isogloss.evaluation.general_questions import NAME
from isogloss.evaluation.neighbours import cosines, recall_of_best
from isogloss.evaluation.statistics.comparison import compare
from isogloss.protocols import Encoder, EncodeReport, Progress
from isogloss.workflows.training.judging import general_exam, measured
from isogloss.workflows.training.texts import sentences_of, shuffled
from isogloss.workflows.training.writing import Measured, Written, check_place, write_model
from isogloss.workflows.vector_cache import encode_kept

Form = Literal["static", "layers", "dim"]
HELD_OUT = 500
"""Sentences on which the student is compared with its teacher, and which it does not learn from."""
FEWEST = 50
TIMED = 128
"""Sentences that are encoded first, to see how many the budget allows."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What the teacher is made into: a form and its size (dimensions or layers; 0: the usual one)."""

    form: Form
    size: int = 0


def parse_goal(text: str) -> Goal:
    """Read ``static``, ``static=128``, ``layers=3`` or ``dim=128``.

    Raises
    ------
    UsageError
        For anything else.

    Examples
    --------
    >>> parse_goal("layers=3"), parse_goal("static")
    (Goal(form='layers', size=3), Goal(form='static', size=0))
    """
    form, equals, size = text.partition("=")
    whole = size.isdecimal() and int(size) > 0
    if form not in ("static", "layers", "dim") or bool(equals) != whole or (form != "static" and not equals):
        raise UsageError(
            f"nothing is distilled to {text!r}", "the forms are static, static=DIM, layers=N and dim=N",
            "for instance --to dim=128",
        )  # fmt: skip
    return Goal(form, int(size) if equals else 0)  # type: ignore[arg-type]


@dataclass(slots=True)
class Material:
    """What a student learns from.

    Attributes
    ----------
    name
        Name of the teacher as the user gave it.
    teacher
        The encoder.
    train, held
        Sentences to learn from and to compare on.
    vectors
        The teacher's of ``train``, ``(n, d)``, of length one.
    seconds
        What is left for training.
    seed
        Of everything drawn.
    """

    name: str
    teacher: Encoder
    train: list[str]
    held: list[str]
    vectors: Dense
    seconds: float
    seed: int
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Distilled:
    """What ``distill`` made.

    Attributes
    ----------
    written
        The folder and what lies in it.
    agreement
        Share of the teacher's ten nearest among held-out sentences that the student finds, with its interval.
    general
        Teacher and student on the general probe set.
    sentences
        How many were learned from.
    facts
        Sizes and parameters of the student.
    """

    written: Written
    agreement: Measured
    general: Measured
    sentences: int
    facts: dict[str, Any]
    notes: list[str]


def distil(
    teacher: str, goal: Goal, on: str, out: str, *, budget: float, seed: int, threads: int | None, progress: Progress
) -> Distilled:
    """Distil a teacher into a smaller encoder on somebody's documents, compare the two and write the student.

    Parameters
    ----------
    teacher
        Name or folder of a model.
    goal
        Of :func:`parse_goal`.
    on
        Folder or file of texts.
    out
        Where the model goes.
    budget
        Seconds, the teacher's encoding included.
    seed, threads, progress
        As everywhere.
    """
    check_place(Path(out))
    if goal.form != "static":
        import_module("isogloss.training.students")  # where torch is missing, say so before the teacher encodes
    began = time.perf_counter()
    made = material(teacher, on, budget=budget, seed=seed, threads=threads, progress=progress)
    made.seconds = max(10.0, budget - (time.perf_counter() - began))
    student, save, facts = _FORMS[goal.form](made, goal.size, progress)
    agreement = _agreement(made, student)
    both = {"teacher": made.teacher, "student": student}
    general = measured(general_exam(), NAME, both, model="student", seed=seed, progress=progress)
    written = write_model(
        Path(out), save, title=f"{goal.form} of {teacher}", base=teacher, results=[agreement, general], facts=facts,
        settings={"to": f"{goal.form}={goal.size}", "on": Path(on).name, "budget": budget, "seed": seed},
        how=f"Distilled from {teacher} on {len(made.train):,} sentences without labels.",
    )  # fmt: skip
    return Distilled(written, agreement, general, len(made.train), facts, made.notes)


def _agreement(made: Material, student: Encoder) -> Measured:
    """Return the share of the teacher's nearest held-out sentences that the student finds among its own nearest."""
    k = min(10, len(made.held) - 1)
    vectors = (np.asarray(one.encode(made.held)) for one in (made.teacher, student))
    truth, found = (cosines(one, one) for one in vectors)
    for scores in (truth, found):
        np.fill_diagonal(scores, -2)  # a sentence is not its own neighbour
    kept = replace(recall_of_best(found, truth, best=k, within=k), name=f"neighbours@{k}")
    return Measured(
        "own sentences", "neighbours", compare({"student": kept}, seed=made.seed), "student", kept
    )  # fmt: skip


def material(name: str, on: str, *, budget: float, seed: int, threads: int | None, progress: Progress) -> Material:
    """Read sentences and let the teacher encode as many as fit half of the budget."""
    teacher = load_encoder(name, threads=threads)
    if getattr(teacher, "kind", "") != "dense":
        raise UsageError(f"{name} gives no dense vectors", "only they can be imitated", "name a dense model")
    texts = shuffled(sentences_of(on, progress), seed)
    if len(texts) < FEWEST:
        raise UsageError(f"{on} has {len(texts)} sentences", f"at least {FEWEST} are needed", "give more text")
    cut = min(HELD_OUT, len(texts) // 5)
    held, rest = texts[:cut], texts[cut:]
    report = EncodeReport()
    started = time.perf_counter()
    teacher.encode(rest[:TIMED])
    rate = len(rest[:TIMED]) / max(1e-6, time.perf_counter() - started)
    train = rest[: max(FEWEST - cut, int(rate * budget / 2))]
    vectors, _ = encode_kept(teacher, train, "document", progress, report=report, what=f"encode with {name}")
    made = Material(name, teacher, train, held, normalise(vectors), budget, seed)
    if len(train) < len(rest):
        made.notes.append(f"{len(train):,} of {len(rest):,} sentences fit the budget; --budget takes more")
    if report.cut:
        made.notes.append(report.sentence())
    return made


Student = tuple[Any, Callable[[Path, str], None], dict[str, Any]]


def _static(made: Material, size: int, progress: Progress) -> Student:
    from isogloss.workflows.training.static_student import static_student

    encoder = static_student(
        made.name, made.teacher, made.train, made.vectors, dimensions=size or min(256, made.vectors.shape[1]),
        progress=progress,
    )  # fmt: skip
    facts = {"tokens": len(encoder.pieces), "dimensions": encoder.dimensions}
    return encoder, lambda folder, card: encoder.save(folder, card=card), facts


def _dim(made: Material, size: int, progress: Progress) -> Student:
    from isogloss.training.students import projected

    return projected(made.name, made.vectors, size)


def _layers(made: Material, size: int, progress: Progress) -> Student:
    from isogloss.training.students import shallow

    return shallow(
        made.name, made.train, made.vectors, size, seconds=made.seconds, seed=made.seed, progress=progress
    )  # fmt: skip


_FORMS: Mapping[Form, Callable[[Material, int, Progress], Student]] = {
    "static": _static, "dim": _dim, "layers": _layers,
}  # fmt: skip
