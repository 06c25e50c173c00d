"""What a run of training did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class TrainingSummary:
    """What a run did, all its parts together where it was interrupted and went on.

    Attributes
    ----------
    steps, items
        Steps taken and items seen.
    seconds
        Wall-clock time of the steps.
    losses
        ``stage/player -> [loss of each move]``.
    planned
        ``stage -> steps`` that it was to take; a time budget is turned into steps once.
    scores
        ``stage -> [(steps taken, score)]`` of each look of its evaluation.
    best
        ``stage -> (score, steps taken)`` of the best look.
    notes
        What was chosen on the way and why, in words.

    Examples
    --------
    >>> summary = TrainingSummary(steps=2, losses={"train/model": [1.0, 0.5]})
    >>> TrainingSummary.read(summary.to_dict()) == summary
    True
    """

    steps: int = 0
    items: int = 0
    seconds: float = 0.0
    losses: dict[str, list[float]] = field(default_factory=dict)
    planned: dict[str, int] = field(default_factory=dict)
    scores: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    best: dict[str, tuple[float, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain data."""
        return asdict(self)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> TrainingSummary:
        """Return the summary that ``to_dict`` gave, also after a way through JSON."""
        summary = cls(**dict(data))
        summary.scores = {name: [(int(s), float(v)) for s, v in looks] for name, looks in summary.scores.items()}
        summary.best = {name: (float(score), int(step)) for name, (score, step) in summary.best.items()}
        return summary
