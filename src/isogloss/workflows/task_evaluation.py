"""Models judged on data sets by name: ``sts-b``, ``banking77``, ``banking77:clustering``, ``tatoeba/deu``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

import numpy as np

from isogloss.errors import UsageError
from isogloss.evaluation.datasets.card import DataCard, View, card
from isogloss.evaluation.report.content import Report, SystemTask
from isogloss.evaluation.results import Comparison, TaskResult
from isogloss.evaluation.run_file import DataHash, describe
from isogloss.evaluation.sample import Sample
from isogloss.protocols import Encoder, EncodeReport, Progress
from isogloss.workflows.bench import Models
from isogloss.workflows.requests import Evaluated, Request
from isogloss.workflows.scoring import baseline_of, check_draws, run_file
from isogloss.workflows.systems import EncoderPlan, parse_systems
from isogloss.workflows.vector_cache import KeptVectors

DEFAULT_MODEL = "static"
TRAINED = ("classification", "regression", "probing", "tagging")
"""Kinds of tasks that learn from the training part of a data set."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A data set as a task: its name as typed, its card, the view and the part."""

    name: str
    known: DataCard
    view: View
    part: str


def run(request: Request, threads: int | None, progress: Progress) -> Evaluated:
    """Run every model on every task."""
    check_draws(request)
    chosen = [choose(name) for name in dict.fromkeys(request.tasks)]
    if not chosen:
        raise UsageError("no task was named", "", "isogloss eval static --tasks sts-b,banking77")
    plans = [plan for plan in parse_systems(request.systems or (DEFAULT_MODEL,)) if isinstance(plan, EncoderPlan)]
    if len(plans) < len(request.systems):
        raise UsageError("tasks judge one model at a time", "a fusion gives no vectors", "name models")
    models = Models(threads)
    encoders = {plan.label: _kept(models.load(plan)) for plan in plans}
    results: dict[str, dict[str, TaskResult]] = {}
    seed = {"seed": request.seed} if request.seed else {}  # tasks have the seeds of their protocols by default
    data: list[DataHash] = []
    for task in chosen:
        given = _data(task)
        data.append(_hash(task))
        results[task.name] = {
            label: _work(task)(encoder, given, name=task.name, progress=progress, **seed)
            for label, encoder in encoders.items()
        }
    comparisons = [_compare(name, found, request) for name, found in results.items()]
    notes = [note for task in chosen for note in _seen(task, list(encoders))]
    notes += [*_other_metric(comparisons, results), *_cuts(results), *_odd(comparisons), *_taken(encoders)]
    settings = [describe(label, encoder) for label, encoder in encoders.items()]
    metrics = {one.metric: one.metric.partition(" ")[2].replace("_", " ") for one in comparisons}
    report = Report(
        f"{', '.join(encoders)} on {len(chosen)} task{'s' if len(chosen) > 1 else ''}",
        comparisons if len(encoders) > 1 else [],
        baseline_of(request, list(encoders)),
        tasks=[_system_task(label, found[label], one) for found, one in zip(results.values(), comparisons, strict=True)
               for label in encoders],
        notes=notes,
        run=run_file(request, comparisons, data, settings, metrics),
    )  # fmt: skip
    samples = {one.metric: _main(found) for one, found in zip(comparisons, results.values(), strict=True)}
    return Evaluated(report, samples, comparisons=comparisons)


def _kept(encoder: Encoder) -> Encoder:
    """Return the encoder, a slow one with its vectors kept, so that a stopped run goes on."""
    slow = getattr(encoder, "speed", "slow") == "slow" and getattr(encoder, "kind", "") == "dense"
    return cast(Encoder, KeptVectors(encoder)) if slow else encoder


def _taken(encoders: Mapping[str, Encoder]) -> list[str]:
    return [
        f"{label}: {taken:,} vectors were there from an earlier run; its seconds do not say how fast it is"
        for label, encoder in encoders.items()
        if (taken := int(getattr(encoder, "taken", 0)))
    ]


def choose(name: str) -> Chosen:
    """Read a task: ``DATASET``, ``DATASET:KIND``, ``DATASET/PART``, ``DATASET:KIND/PART``.

    Raises
    ------
    UsageError
        Where there is no such data set, kind or part, or no task of this kind.

    Examples
    --------
    >>> choose("sts-b").view.kind
    'sts'
    """
    head, _, part = name.partition("/")
    dataset, _, kind = head.partition(":")
    known = card(dataset)
    fitting = [one for one in known.kinds if find_spec(_module(one)) is not None]
    if (kind and kind not in fitting) or not fitting:
        raise UsageError(
            f"{name} is no task", f"{dataset} serves {', '.join(known.kinds)}; tasks among these: "
            f"{', '.join(fitting) or 'none'}", "name another data set",
        )  # fmt: skip
    view = known.view(kind or fitting[0], part or None)
    return Chosen(name, known, view, part)


def _module(kind: str) -> str:
    return f"isogloss.evaluation.tasks.{kind.replace('-', '_')}"


def _work(task: Chosen) -> Callable[..., TaskResult]:
    work: Callable[..., TaskResult] = import_module(_module(task.view.kind)).run
    return work


def _data(task: Chosen) -> Any:
    from isogloss.evaluation.datasets.load import task_data

    return task_data(task.known.name, task.view.kind, task.part or None)


def _hash(task: Chosen) -> DataHash:
    """Hash a data set by the sums of its files as they are on the disk."""
    from isogloss.evaluation.datasets.load import compare_sums, find_folder, part_files
    from isogloss.evaluation.run_file import hash_rows

    part = task.part if task.part in task.view.parts else task.view.main
    parts = list(task.view.parts) if task.view.kind in TRAINED else [part]
    names = list(dict.fromkeys(name for one in parts for name in part_files(task.known, task.view, one)))
    differing = {name: theirs for name, _, theirs in compare_sums(task.known, find_folder(task.known.name), names)}
    listed = {file.path: file.sha256 for file in task.known.files}
    rows = [(name, differing.get(name, listed.get(name, ""))) for name in names]
    return hash_rows(task.name, rows, task.known.name)


def _main(found: dict[str, TaskResult]) -> dict[str, Sample]:
    """Return the samples that all models are compared by: the main metric's, where they measured the same items.

    Some metrics take the best of several similarities, of which a sparse model knows fewer; then the first metric that
    all of them measured alike is taken.

    Raises
    ------
    UsageError
        Where there is none.
    """
    first = next(iter(found.values()))
    for name in (first.main, *first.samples):
        samples = {label: result.samples[name] for label, result in found.items() if name in result.samples}
        if len(samples) == len(found) and len({np.shape(one.items) for one in samples.values()}) == 1:
            return samples
    raise UsageError(
        f"{', '.join(found)} cannot be compared on {first.task}", "no metric was measured on the same items for all",
        "judge them one by one",
    )  # fmt: skip


def _other_metric(comparisons: Sequence[Comparison], results: Mapping[str, dict[str, TaskResult]]) -> list[str]:
    """Say where models are compared by another metric than the task's own."""
    notes = []
    for one, found in zip(comparisons, results.values(), strict=True):
        metric, main = one.metric.partition(" ")[2], next(iter(found.values())).main
        if metric != main:
            notes.append(f"{one.metric.partition(' ')[0]}: compared by {metric}; {main} was not measured alike for all")
    return notes


def _compare(name: str, found: dict[str, TaskResult], request: Request) -> Comparison:
    from dataclasses import replace

    from isogloss.evaluation.statistics.comparison import compare

    samples = _main(found)
    made = compare(samples, draws=request.draws, seed=request.seed)
    return replace(made, metric=f"{name} {next(iter(samples.values())).name}")


def _system_task(label: str, result: TaskResult, comparison: Comparison) -> SystemTask:
    return SystemTask(label, result, {comparison.metric.partition(" ")[2]: comparison.score(label).interval})


def _seen(task: Chosen, models: Sequence[str]) -> list[str]:
    """Say where a model has met the data in training."""
    return [
        f"{model} has seen {task.known.name} in training: {how}"
        for model in models
        for name, how in task.known.seen_by.items()
        if name.lower() == model.partition("@")[0].lower()
    ]


def _cuts(results: dict[str, dict[str, TaskResult]]) -> list[str]:
    """Say what the windows cut."""
    notes = []
    for name, found in results.items():
        for label, result in found.items():
            told = result.details.get("encoding", result.details)
            known = {key: value for key, value in told.items() if key in EncodeReport().to_dict()}
            if known.get("cut"):
                notes.append(f"{name}, {label}: {EncodeReport(**known).sentence()}")
    return notes


def _odd(comparisons: Sequence[Comparison]) -> list[str]:
    """Warn of intervals that do not hold their own score: a biased bootstrap of too few groups to draw otherwise."""
    return [
        f"{one.metric}, {score.system}: the interval [{score.interval.low:.3f}, {score.interval.high:.3f}] does not "
        f"hold the score {score.value:.3f}; items that are drawn twice bias this metric, and too few are there "
        f"to draw otherwise: do not rely on the interval"
        for one in comparisons
        for score in one.scores
        if score.value < score.interval.low or score.value > score.interval.high
    ]
