"""``isogloss train``: read, split, train stage by stage, merge with the base, prove once, write."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isogloss.errors import UsageError
from isogloss.evaluation.general_questions import NAME
from isogloss.protocols import Progress
from isogloss.workflows.training.data import TrainingData, read_training_data
from isogloss.workflows.training.judging import Exam, exam, general_exam, measured
from isogloss.workflows.training.lineage import learned_from, refuse_seen
from isogloss.workflows.training.objectives import objective_of
from isogloss.workflows.training.settings import StageSettings, TrainingSettings
from isogloss.workflows.training.split import Parts, split
from isogloss.workflows.training.writing import Measured, Written, check_place, write_model

if TYPE_CHECKING:
    from isogloss.training.stage import Stage
    from isogloss.training.trainee import Trainee

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Shares of the trained weights that a merge with the base is tried with."""
LOOKS = 10
"""Looks at the held-out rows in a stage that may stop early."""


@dataclass(slots=True)
class Job:
    """One stage, ready: its rows, its split, the name of its objective."""

    settings: StageSettings
    data: TrainingData
    parts: Parts
    objective: str


@dataclass(slots=True)
class Trained:
    """What a training run gave.

    Attributes
    ----------
    written
        The folder.
    own, general
        Base and model on the rows that were held out (None where there are none), and on the general probe set.
    share
        Share of the trained weights in the model; 1 where nothing was merged.
    facts
        Steps, items, seconds and the like.
    notes
        What was done to the data and chosen on the way, in sentences.
    """

    written: Written
    own: Measured | None
    general: Measured
    share: float
    facts: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def prepare(settings: TrainingSettings) -> list[Job]:
    """Read and split the rows of every stage, and find their objectives, before anything is loaded or written."""
    if not settings.stages:
        raise UsageError("there is nothing to train on", "no stage was given", "give --on DATA")
    jobs = []
    for stage in settings.stages:
        data = read_training_data(stage.on, split=stage.split, seed=settings.seed)
        name, _ = objective_of(stage, data)
        jobs.append(Job(stage, data, split(data, settings.seed), name))
    return jobs


def run_training(settings: TrainingSettings, out: str, *, threads: int | None, progress: Progress) -> Trained:
    """Train as asked for and write the model; a run that was broken off goes on from its last checkpoint.

    Parameters
    ----------
    settings
        What is asked for.
    out
        Folder of the model. Checkpoints lie beside it, in ``.NAME.training``, until the model is written.
    threads
        Of torch; None for its own choice.
    progress
        Told about the steps.

    Raises
    ------
    UsageError, CorpusError
        Where settings or rows are wrong.
    IncompatibleError
        Where a broken run with other settings lies beside ``out``.
    """
    from isogloss.training.hardware import use_threads
    from isogloss.training.loop import train

    place = Path(out).expanduser().absolute()
    check_place(place)
    jobs = prepare(settings)
    for job in jobs:
        refuse_seen([settings.base], job.data, settings.seed)
    use_threads(threads)
    model = loaded(settings)
    stages, notes = assemble(settings, jobs, model)
    work = place.with_name(f".{place.name}.training")
    summary = train(
        stages, seed=settings.seed, progress=progress, out=work, every=200, settings=_fingerprint(settings, jobs)
    )  # fmt: skip
    share = _merge(model, jobs[-1], settings, notes, progress)
    own, general = _prove(model, jobs[-1], settings, progress)
    facts = {
        "steps": summary.steps, "items": summary.items, "seconds": round(summary.seconds, 1),
        "rows": [len(job.parts.train) for job in jobs], "objectives": [job.objective for job in jobs], "share": share,
        "learned_from": learned_from([settings.base], [job.data for job in jobs], settings.seed),
        "last_loss": {name: float(np.mean(values[-20:])) for name, values in summary.losses.items() if values},
    }  # fmt: skip
    written = _write(model, place, settings, jobs, [one for one in (own, general) if one], facts)
    shutil.rmtree(work, ignore_errors=True)
    return Trained(written, own, general, share, facts, notes)


def loaded(settings: TrainingSettings) -> Trainee:
    """Return the model to start from."""
    from isogloss.training.trainee import trainee

    return trainee(settings.base, max_length=settings.max_length)


def assemble(settings: TrainingSettings, jobs: Sequence[Job], model: Trainee) -> tuple[list[Stage], list[str]]:
    """Return the stages for the loop, and what was done to the rows, in sentences."""
    from isogloss.training.hardware import precision_of

    precision = precision_of(settings.precision)
    precision = precision if precision in model.precisions else "fp32"
    notes = [f"computed in {precision}"]
    stages = []
    for number, job in enumerate(jobs, 1):
        notes += [*job.data.notes, job.parts.note]
        stage = _stage(settings, job, model, f"stage {number}" if len(jobs) > 1 else "train", notes)
        stage.precision = precision
        stages.append(stage)
    return stages, notes


def _stage(settings: TrainingSettings, job: Job, model: Trainee, name: str, notes: list[str]) -> Stage:
    from isogloss.training.batching import TextBatches
    from isogloss.training.stage import Evaluation, Optimiser, Player, Stage

    own, data = job.settings, job.parts.train
    plain = data.targets is None and data.kind != "texts"
    columns = data.columns * 2 if data.kind == "texts" else data.columns
    batches = TextBatches(
        columns, model.tokenizer, batch_size=own.batch_size or model.batch_size, seed=settings.seed,
        labels=_labels(job), groups=_documents(data) if plain else None, no_duplicates=job.data.targets is None,
        prompts=model.prompts(len(columns)),
    )  # fmt: skip
    if batches.left_out:
        notes.append(f"{batches.left_out:,} rows sit out each pass: they share a text with one in every batch")
    steps = own.steps
    if steps is None and own.epochs is not None:
        steps = max(1, round(own.epochs * batches.per_epoch))
    _, objective = objective_of(own, job.data)
    look = None
    if settings.patience and job.parts.choose is not None:
        look = Evaluation(
            score=_score(exam(job.parts, "choose", settings.seed), model), patience=settings.patience,
            every=max(1, (steps or batches.per_epoch) // LOOKS),
        )  # fmt: skip
    player = Player(
        module=model.module, objective=objective, forward=model.forward, make_optimiser=model.make_optimiser,
        optimiser=Optimiser(learning_rate=own.learning_rate or model.learning_rate),
    )  # fmt: skip
    return Stage(
        batches=batches, players=[player], steps=steps, budget=own.budget if steps is None else None, chunk=own.chunk,
        evaluation=look, name=name,
    )  # fmt: skip


def _documents(data: TrainingData) -> list[int]:
    """Return for each pair the number of its positive, so that two questions of one document share no batch."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(text, len(numbers)) for text in data.columns[1]]


def _labels(job: Job) -> Any:
    targets = job.parts.train.targets
    if targets is None or job.objective != "cosine":
        return targets
    every = job.data.targets
    assert every is not None
    low, high = float(every.min()), float(every.max())
    return (targets - low) / ((high - low) or 1.0)  # scores of any range as cosines from 0 to 1


def _score(task: Exam, model: Trainee, progress: Progress | None = None) -> Any:
    return lambda: task.sample(model.encoder(), progress).value()


def _fingerprint(settings: TrainingSettings, jobs: Sequence[Job]) -> dict[str, Any]:
    """Return what must be the same where a broken run goes on: the settings and the texts."""
    from isogloss.evaluation.run_file import hash_rows

    rows = [hash_rows(job.data.name, zip(*job.parts.train.columns, strict=True)).sha256 for job in jobs]
    return {"settings": settings.to_dict(), "rows": rows}


# -- after the last step -----------------------------------------------------------------------------------------------


def _merge(model: Trainee, job: Job, settings: TrainingSettings, notes: list[str], progress: Progress) -> float:
    """Mix the trained weights with the base's where held-out rows say that a mixture is better."""
    from isogloss.training.merging import merge_weighted

    if not settings.merge or job.parts.choose is None:
        return 1.0
    before, after = dict(model.start), model.weights()
    score = _score(exam(job.parts, "choose", settings.seed), model, progress)
    found: dict[float, float] = {}
    for share in SHARES:
        model.module.load_state_dict(merge_weighted([before, after], [1 - share, share]))
        found[share] = score()
    best = max(found, key=lambda share: (found[share], share))
    model.module.load_state_dict(merge_weighted([before, after], [1 - best, best]))
    said = ", ".join(f"{share:g}: {value:.3f}" for share, value in found.items())
    notes.append(f"share of the trained weights {best:g}, chosen on {len(job.parts.choose):,} rows ({said})")
    return best


def _prove(
    model: Trainee, job: Job, settings: TrainingSettings, progress: Progress
) -> tuple[Measured | None, Measured]:
    """Measure base and model on the rows that were kept for it, and on the general probe set."""
    from isogloss.encoders.names import load_encoder

    both = {"base": load_encoder(settings.base), "trained": model.encoder()}
    own = None
    if job.parts.prove is not None:
        task, name = exam(job.parts, "prove", settings.seed), f"your data: {job.data.name}"
        own = measured(task, name, both, model="trained", progress=progress)
    return own, measured(general_exam(), NAME, both, model="trained", progress=progress)


def _write(
    model: Trainee, place: Path, settings: TrainingSettings, jobs: Sequence[Job], results: Sequence[Measured],
    facts: Mapping[str, Any],
) -> Written:  # fmt: skip
    told = "; then ".join(f"{job.objective} on {len(job.parts.train):,} rows of {job.data.name}" for job in jobs)
    how = f"Trained from {settings.base}: {told}. {facts['steps']:,} steps, {facts['seconds']:,} s."
    return write_model(
        place, model.save, title=f"{place.name}", base=settings.base, how=how, results=results,
        settings=settings.to_dict(), facts=facts,
    )  # fmt: skip
