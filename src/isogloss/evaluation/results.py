"""Results as plain data: scores with intervals, paired differences, tie groups, and what a task gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from isogloss.evaluation.sample import Sample


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval at ``level``."""

    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Score:
    """One system's score.

    Attributes
    ----------
    system
        Name of the system.
    value
        The score on all items.
    interval
        Its interval.
    items, groups
        How many items, and how many groups were drawn.
    """

    system: str
    value: float
    interval: Interval
    items: int
    groups: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference of two systems on the same items: ``system - control``.

    Attributes
    ----------
    system, control
        Names of the two systems.
    value
        The difference of the scores.
    interval
        Its interval, from the same draws for both.
    p
        Two-sided p of the paired randomisation test, never 0.
    corrected
        ``p`` after Holm's correction over all differences of the comparison.
    visible
        Smallest difference that these items can show at 80 % power and 5 % (two-sided).
    """

    system: str
    control: str
    value: float
    interval: Interval
    p: float
    corrected: float
    visible: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several systems on the same items by one metric.

    Attributes
    ----------
    metric
        Name of the metric.
    scores
        One a system, best first.
    differences
        Every pair, the better system first.
    ties
        Groups of systems that cannot be told apart, best first; a system may stand in two groups.
    draws, seed
        Of the bootstrap.
    notes
        Warnings with counts, in words.
    """

    metric: str
    scores: list[Score]
    differences: list[Difference]
    ties: list[list[str]]
    draws: int
    seed: int
    notes: list[str] = field(default_factory=list)

    def score(self, system: str) -> Score:
        """Return the score of a system by name."""
        return next(score for score in self.scores if score.system == system)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What one system reached on one task.

    Attributes
    ----------
    task, kind
        Name of the data set, kind of the task.
    main
        Name of the metric that counts, a key of ``samples``.
    samples
        One sample a metric.
    details
        Everything else worth keeping, as plain data: texts cut, counts, parameters.
    seconds
        Time of the encoding.
    """

    task: str
    kind: str
    main: str
    samples: Mapping[str, Sample]
    details: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def scores(self) -> dict[str, float]:
        """Return the value of each metric."""
        return {name: sample.value() for name, sample in self.samples.items()}
