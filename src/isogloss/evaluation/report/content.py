"""What a report says, as plain data: every renderer reads this and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from isogloss.evaluation.results import Comparison, Difference, Interval, TaskResult
from isogloss.evaluation.run_file import RunFile
from isogloss.evaluation.sample import Sample


@dataclass(frozen=True, slots=True)
class Cost:
    """What a system costs; None where it was not measured.

    Attributes
    ----------
    system
        Name of the system.
    documents_per_second
        Speed of encoding documents.
    bytes_per_document
        Size of its index by documents.
    milliseconds_per_query
        Time of one question, from text to ranking.
    """

    system: str
    documents_per_second: float | None = None
    bytes_per_document: float | None = None
    milliseconds_per_query: float | None = None


@dataclass(frozen=True, slots=True)
class Bin:
    """One row of a reliability table: pairs whose predicted P lies in ``[low, high)``.

    Attributes
    ----------
    low, high
        Bounds of the predicted P.
    predicted
        Mean predicted P of the pairs in the bin.
    observed
        Share of them that is relevant.
    count
        Pairs in the bin.
    interval
        Of ``observed``.
    """

    low: float
    high: float
    predicted: float
    observed: float
    count: int
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well one system's P(relevant) agrees with what is relevant.

    Attributes
    ----------
    system
        Name of the system or fusion.
    bins
        The reliability table, by rising P.
    error, brier
        Expected calibration error and Brier score, on pairs that the fit has not seen.
    error_interval, brier_interval
        Their intervals.
    synthetic
        Whether the pairs were made from the documents: P then holds for questions like those.
    remarks
        What else is worth knowing, such as how often random pairs reach a P of one half.
    """

    system: str
    bins: list[Bin]
    error: float
    brier: float
    error_interval: Interval | None = None
    brier_interval: Interval | None = None
    synthetic: bool = False
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Questions:
    """Where the questions came from.

    Attributes
    ----------
    count, documents
        Questions, and the documents that they were made from or are asked of.
    synthetic
        Whether they were made from the documents.
    how
        How they were made or read, in a sentence or two.
    verdict
        What they can decide and what they cannot, in words; empty for human questions.
    by_kind
        Questions by how they were made, such as ``{"title": 120, "sentence": 180}``.
    examples
        A few questions, to be looked at.
    """

    count: int
    documents: int = 0
    synthetic: bool = False
    how: str = ""
    verdict: str = ""
    by_kind: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Duel:
    """Two systems question by question.

    Attributes
    ----------
    system, control
        Names.
    metric
        What was compared.
    wins, ties, losses
        Questions on which ``system`` is better, equal (to 1e-9), worse.
    best, worst
        The questions with the largest gain and loss: ``(question, difference)``.
    """

    system: str
    control: str
    metric: str
    wins: int
    ties: int
    losses: int
    best: list[tuple[str, float]] = field(default_factory=list)
    worst: list[tuple[str, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SystemTask:
    """One system's results over tasks.

    Attributes
    ----------
    system
        Name of the system, the model's name for ``model_meta.json`` and the card.
    result
        What it reached.
    intervals
        Of the metrics, by name, where they were drawn.
    """

    system: str
    result: TaskResult
    intervals: dict[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report shows.

    Attributes
    ----------
    title
        Title of the page.
    comparisons
        One a metric, the main one first.
    baseline
        The system that the others are compared with; the worst of the first comparison where it is empty.
    tasks
        Results of systems on tasks (``eval MODEL --tasks``).
    costs, calibration, duels
        One a system or pair, where measured.
    questions
        Where the questions came from.
    notes
        Warnings with counts, in words.
    command
        The command that made the report, portable (``run_file.portable``).
    run
        The run file, whose settings are shown.
    """

    title: str
    comparisons: list[Comparison] = field(default_factory=list)
    baseline: str = ""
    tasks: list[SystemTask] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    calibration: list[Reliability] = field(default_factory=list)
    duels: list[Duel] = field(default_factory=list)
    questions: Questions | None = None
    notes: list[str] = field(default_factory=list)
    command: str = ""
    run: RunFile | None = None

    def cost(self, system: str) -> Cost:
        """Return the cost of a system; nothing measured where it is not listed."""
        return next((cost for cost in self.costs if cost.system == system), Cost(system))

    def control(self, comparison: Comparison) -> str:
        """Return the baseline: the named one, else the last system; empty where there are fewer than two."""
        names = [score.system for score in comparison.scores]
        if len(names) < 2:
            return ""
        return self.baseline if self.baseline in names else names[-1]

    def all_notes(self) -> list[str]:
        """Return the notes of the report and of its comparisons, each once."""
        every = [*self.notes, *(note for one in self.comparisons for note in one.notes)]
        return [note for note in dict.fromkeys(every) if note.strip()]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; samples become their scores."""
        content = {
            name: [asdict(one) for one in getattr(self, name)]
            for name in ("comparisons", "costs", "calibration", "duels")
        }
        return {
            "title": self.title,
            "baseline": self.baseline,
            **content,
            "tasks": [task_dict(task) for task in self.tasks],
            "questions": asdict(self.questions) if self.questions else None,
            "notes": self.all_notes(),
            "command": self.command,
            "run": self.run.to_dict() if self.run else None,
        }


def task_dict(task: SystemTask) -> dict[str, Any]:
    """Return a system's result on a task as plain data."""
    result = task.result
    return {
        "system": task.system,
        "task": result.task,
        "kind": result.kind,
        "main": result.main,
        "scores": result.scores(),
        "intervals": {name: asdict(interval) for name, interval in task.intervals.items()},
        "details": result.details,
        "seconds": result.seconds,
    }


def difference_to(comparison: Comparison, system: str, control: str) -> Difference | None:
    """Return ``system - control`` of a comparison, turned round where it holds the other direction.

    Examples
    --------
    >>> one = Difference("a", "b", 0.2, Interval(0.1, 0.3), 0.01, 0.02, 0.05)
    >>> both = Comparison("ndcg@10", [], [one], [], 100, 0)
    >>> turned = difference_to(both, "b", "a")
    >>> turned.value, turned.interval.low, difference_to(both, "a", "c")
    (-0.2, -0.3, None)
    """
    for one in comparison.differences:
        if (one.system, one.control) == (system, control):
            return one
        if (one.system, one.control) == (control, system):
            turned = Interval(-one.interval.high, -one.interval.low, one.interval.level)
            return Difference(system, control, -one.value, turned, one.p, one.corrected, one.visible)
    return None


def smallest_visible(comparison: Comparison) -> tuple[Difference, Difference] | None:
    """Return the differences with the smallest and the largest visible difference; None where there are none."""
    known = [one for one in comparison.differences if np.isfinite(one.visible)]
    if not known:
        return None
    return min(known, key=lambda one: one.visible), max(known, key=lambda one: one.visible)


def duel(
    system: str, control: str, samples: tuple[Sample, Sample], questions: Sequence[str] | None = None,
    texts: Mapping[str, str] | None = None, most: int = 5,
) -> Duel:  # fmt: skip
    """Count the questions on which a system is better, equal and worse, and keep the extremes.

    Parameters
    ----------
    system, control
        Names.
    samples
        Their samples, one number an item, in the same order.
    questions
        Ids of the items; numbers from 1 where none are given.
    texts
        Text by id, shown instead of the id.
    most
        How many extremes to keep on each side.

    Examples
    --------
    >>> one = duel("a", "b", (Sample.of([1.0, 0.5, 0.0]), Sample.of([0.0, 0.5, 0.5])), ["q1", "q2", "q3"])
    >>> one.wins, one.ties, one.losses, one.best
    (1, 1, 1, [('q1', 1.0)])
    """
    first, second = samples
    gaps = np.asarray(first.items, np.float64) - np.asarray(second.items, np.float64)  # (n,)
    ids = list(questions) if questions is not None else [str(number) for number in range(1, len(gaps) + 1)]
    order = np.argsort(-gaps, kind="stable")
    shown = [((texts or {}).get(ids[i], ids[i]), float(gaps[i])) for i in order]
    return Duel(
        system, control, first.name,
        wins=int((gaps > 1e-9).sum()), ties=int((np.abs(gaps) <= 1e-9).sum()), losses=int((gaps < -1e-9).sum()),
        best=[one for one in shown[:most] if one[1] > 1e-9],
        worst=[one for one in reversed(shown[-most:]) if one[1] < -1e-9],
    )  # fmt: skip


Outcome = Literal["better", "worse", "tied"]


def outcome(difference: Difference, level: float = 0.05) -> Outcome:
    """Say what a difference shows: better or worse where the corrected p is below ``level``, else tied.

    Examples
    --------
    >>> outcome(Difference("a", "b", 0.2, Interval(0.1, 0.3), 0.01, 0.02, 0.05))
    'better'
    """
    if not difference.corrected < level:
        return "tied"
    return "better" if difference.value > 0 else "worse"
