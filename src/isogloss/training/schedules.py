"""The learning rate of each step: a warm-up, then a schedule."""

from __future__ import annotations

import math

from isogloss.errors import UsageError
from isogloss.training.stage import Optimiser

_SCHEDULES = ("linear", "cosine", "constant", "root")


def rate(optimiser: Optimiser, step: int, steps: int) -> float:
    """Return the learning rate of a step.

    Parameters
    ----------
    optimiser
        Peak rate, share of warm-up steps and schedule.
    step, steps
        Number of the step (from 0) and how many there are.

    Raises
    ------
    UsageError
        For a schedule that nobody knows.

    Examples
    --------
    >>> [rate(Optimiser(learning_rate=1.0, warmup=0.5), step, 4) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    if optimiser.schedule not in _SCHEDULES:
        known = ", ".join(_SCHEDULES)
        raise UsageError("the schedule is unknown", f"{optimiser.schedule!r}", f"choose one of {known}")
    warm = max(1, int(steps * optimiser.warmup)) if optimiser.warmup else 0
    if step < warm:
        return optimiser.learning_rate * (step + 1) / warm
    gone = (step - warm) / max(1, steps - warm)
    shapes = {
        "constant": 1.0,
        "linear": 1 - gone,
        "cosine": 0.5 * (1 + math.cos(math.pi * gone)),
        "root": math.sqrt(max(1, warm) / (step + 1)),
    }
    return optimiser.learning_rate * shapes[optimiser.schedule]
