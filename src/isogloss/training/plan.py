"""What a run would do, cost and need, without doing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from isogloss.training.budget import affordable, measure
from isogloss.training.devices import Alone, Devices
from isogloss.training.moving import seats
from isogloss.training.selection import tensors
from isogloss.training.stage import Stage


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage of a plan; memory in bytes.

    Attributes
    ----------
    name
        Of the stage.
    steps, items
        That it would take and see.
    seconds
        It would last, evaluations included.
    items_per_second
        Of the measured steps.
    parameters, trainable
        Numbers in all players' modules, and how many of them move.
    weights, gradients, optimiser, averages, activations
        Memory of each kind; activations are those of the largest measured step.
    """

    name: str
    steps: int
    items: int
    seconds: float
    items_per_second: float
    parameters: int
    trainable: int
    weights: int
    gradients: int
    optimiser: int
    averages: int
    activations: int

    @property
    def memory(self) -> int:
        """Bytes of all kinds together: what training adds to the program and the data."""
        return self.weights + self.gradients + self.optimiser + self.averages + self.activations

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return asdict(self) | {"memory": self.memory}

    def __str__(self) -> str:
        mega = 1 / 2**20
        return (
            f"{self.name}: {self.steps:,} steps over {self.items:,} items in about {self.seconds:,.0f} s "
            f"({self.items_per_second:,.1f} items/s); {self.trainable:,} of {self.parameters:,} parameters move; "
            f"about {self.memory * mega:,.0f} MB: weights {self.weights * mega:,.0f}, "
            f"gradients {self.gradients * mega:,.0f}, optimiser {self.optimiser * mega:,.0f}, "
            f"averages {self.averages * mega:,.0f}, activations {self.activations * mega:,.0f}"
        )


def plan(stages: Sequence[Stage] | Stage, *, seed: int = 0, devices: Devices | None = None) -> list[StagePlan]:
    """Measure a few steps of each stage and say what the whole would cost; no weight changes.

    Parameters
    ----------
    stages, seed, devices
        As for :func:`~isogloss.training.loop.train`.

    Notes
    -----
    A later stage is measured on the modules as they are now.
    """
    plans = []
    for stage in [stages] if isinstance(stages, Stage) else stages:
        speed = measure(stage, devices or Alone(), seed=seed)
        steps = stage.batches.per_epoch // stage.accumulate if stage.steps is None else stage.steps
        if stage.budget is not None:
            steps = affordable(stage, speed)
        looks = 0 if stage.evaluation is None else 2 + (steps - 1) // stage.evaluation.every
        table = seats(stage)
        moving = [parameter for seat in table for parameter in seat.parameters.values()]
        held = list(tensors(table).values())
        size = sum(parameter.numel() * parameter.element_size() for parameter in moving)
        averaged = [p for seat in table if seat.average is not None for p in seat.average.weights.values()]
        plans.append(
            StagePlan(
                name=stage.name, steps=steps, items=round(steps * speed.items),
                seconds=steps * speed.step + looks * speed.look, items_per_second=speed.items / speed.step,
                parameters=sum(t.numel() for t in held), trainable=sum(p.numel() for p in moving),
                weights=sum(t.numel() * t.element_size() for t in held), gradients=size, optimiser=speed.optimiser,
                averages=sum(p.numel() * p.element_size() for p in averaged), activations=speed.activations,
            )
        )  # fmt: skip
    return plans
