"""What a step costs, measured on a few that leave no trace, and how many of them fit into a time."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch
from isogloss.seeding import derive
from isogloss.training.devices import Devices
from isogloss.training.moving import Seat, move, seats
from isogloss.training.selection import Choice, tensors
from isogloss.training.stage import Player, Stage

_TRIALS = 4
"""Steps that are measured after one that warms up, spread over the epoch, whose batches may be of unlike length."""
_SHARE = 0.1
"""Share of a time budget after which measuring ends."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured.

    Attributes
    ----------
    step
        Seconds a step, all players together.
    look
        Seconds an evaluation; 0 without one.
    items
        Items a step, on average.
    activations
        Bytes that the largest measured step kept for its backward pass.
    optimiser
        Bytes of the optimisers' state.
    spent
        Seconds that measuring took.
    """

    step: float
    look: float
    items: float
    activations: int
    optimiser: int
    spent: float


def measure(stage: Stage, devices: Devices, *, seed: int, seconds: float | None = None) -> Speed:
    """Take a few steps that leave no trace, and say what they cost.

    The learning rate is zero, and all tensors of the players are put back.

    Parameters
    ----------
    stage, devices
        What to measure, and where.
    seed
        As of the run.
    seconds
        Time to measure in, after the first two steps; None: as long as it takes.
    """
    began = time.perf_counter()
    table = seats(stage)
    before = {name: tensor.clone() for name, tensor in tensors(table).items()}
    took, items, kept = [], [], []
    for player in stage.players:
        player.module.train()
    for trial, step in enumerate(_spread(stage)):
        counter = _Counter()
        with counter:
            took.append(sum(_timed(seat, stage, devices, step, seed) / seat.player.every for seat in table))
        kept.append(counter.most)
        items.append(sum(batch.size for batch in step_batches(stage, stage.players[0], step)))
        if seconds is not None and trial and time.perf_counter() - began > seconds:
            break
    state = [value for seat in table for one in seat.optimiser.state.values() for value in one.values()]
    look = time.perf_counter()
    if stage.evaluation is not None:
        Choice().look(stage.evaluation, table, 0)
    look = time.perf_counter() - look if stage.evaluation is not None else 0.0
    with torch.no_grad():
        for name, tensor in tensors(table).items():
            tensor.copy_(before[name])
    steps = took[1:] or took
    agreed = devices.total(torch.tensor([sum(steps) / len(steps), look, time.perf_counter() - began])) / devices.count
    step_cost, look, spent = agreed.tolist()
    size = sum(value.numel() * value.element_size() for value in state if isinstance(value, Tensor))
    return Speed(step_cost, look, sum(items) / len(items), max(kept), size, spent)


def affordable(stage: Stage, speed: Speed) -> int:
    """Return the steps that fit into a stage's time budget after what measuring took; one at least.

    Examples
    --------
    >>> class Few:
    ...     per_epoch = 8
    >>> affordable(Stage(batches=Few(), players=(), budget=10.0), Speed(0.5, 0.0, 1.0, 0, 0, 1.0))
    18
    """
    if stage.budget is None or not stage.budget > 0:
        raise UsageError("a time budget is more than nothing", f"{stage.budget} seconds", "give seconds above 0")
    left = stage.budget - speed.spent
    each = speed.step
    if stage.evaluation is not None:
        left -= 2 * speed.look  # before the first step and after the last
        each += speed.look / stage.evaluation.every
    fitting = max(1, int(left / each))
    return fitting if stage.steps is None else min(fitting, stage.steps)


def step_batches(stage: Stage, player: Player, step: int) -> list[Batch]:
    """Return the batches of one step, for a player."""
    source = player.batches or stage.batches
    return [source(step * stage.accumulate + part) for part in range(stage.accumulate)]


def _timed(seat: Seat, stage: Stage, devices: Devices, step: int, seed: int) -> float:
    began = time.perf_counter()
    batches = step_batches(stage, seat.player, step)
    move(seat, batches, stage, devices, step=step, rate=0.0, seed=derive(seed, "step", step, seat.player.name))
    return time.perf_counter() - began


def _spread(stage: Stage) -> list[int]:
    """Return the numbers of the measured steps: the first, which warms up, and some from all parts of the epoch."""
    whole = max(1, stage.batches.per_epoch // stage.accumulate)
    return [0, *sorted({trial * whole // _TRIALS for trial in range(_TRIALS)})]


class _Counter(torch.autograd.graph.saved_tensors_hooks):
    """Counts the most bytes that lie saved for a backward pass at one time, each memory once, parameters apart."""

    def __init__(self) -> None:
        self.most, self.now, self.holders = 0, 0, dict[int, int]()
        super().__init__(lambda tensor: _Held(tensor, self), lambda held: held.tensor)


class _Held:
    """A saved tensor that says when it is let go."""

    def __init__(self, tensor: Tensor, counter: _Counter) -> None:
        self.tensor, self.counter, self.size = tensor, counter, 0
        if isinstance(tensor, nn.Parameter) or tensor.layout != torch.strided:
            return
        storage = tensor.untyped_storage()
        self.place, self.size = storage.data_ptr(), storage.nbytes()
        counter.holders[self.place] = counter.holders.get(self.place, 0) + 1
        if counter.holders[self.place] == 1:
            counter.now += self.size
            counter.most = max(counter.most, counter.now)

    def __del__(self) -> None:
        if not self.size:
            return
        self.counter.holders[self.place] -= 1
        if not self.counter.holders[self.place]:
            self.counter.now -= self.size
