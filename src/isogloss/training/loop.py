"""The one training loop: small and plain; everything special is an argument of a stage."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn

from isogloss.errors import NonFiniteError, UsageError
from isogloss.protocols import Progress, Silent
from isogloss.seeding import derive
from isogloss.training.stage import Optimiser, Player, Stage


@dataclass(slots=True)
class TrainingSummary:
    """What a run did.

    Attributes
    ----------
    steps, items
        Steps taken and items seen.
    seconds
        Wall-clock time of the steps.
    losses
        ``name/player -> [loss of each step]``.
    """

    steps: int = 0
    items: int = 0
    seconds: float = 0.0
    losses: dict[str, list[float]] = field(default_factory=dict)


def train(stages: Sequence[Stage] | Stage, *, seed: int, progress: Progress | None = None) -> TrainingSummary:
    """Run stages one after another; the players' modules are changed in place.

    Parameters
    ----------
    stages
        One or several.
    seed
        Of dropout and everything else that is random in a forward pass; the caller's random state is left as it was.
    progress
        Where to report.

    Raises
    ------
    NonFiniteError
        Where a loss is NaN or infinite; the weights are those before that step.
    UsageError
        Where a stage has no steps or no trainable parameter.
    """
    summary, shown = TrainingSummary(), progress or Silent()
    for number, stage in enumerate([stages] if isinstance(stages, Stage) else stages):
        _run(stage, derive(seed, "stage", number), summary, shown)
    return summary


def _run(stage: Stage, seed: int, summary: TrainingSummary, progress: Progress) -> None:
    steps = stage.steps if stage.steps is not None else stage.batches.per_epoch
    movers = {player.name: _adamw(player) for player in stage.players}
    progress.start(stage.name, steps, "steps")
    started = time.perf_counter()
    for player in stage.players:
        player.module.train()
    for step in range(steps):
        for refresh in stage.refresh:
            if step and step % refresh.every == 0:
                refresh.what(step)
        for player in stage.players:
            if step % player.every == 0:
                _move(stage, player, movers[player.name], step, steps, seed, summary)
        summary.steps += 1
        progress.advance(1)
    summary.seconds += time.perf_counter() - started
    for player in stage.players:
        player.module.eval()
    progress.finish()


def _move(
    stage: Stage, player: Player, mover: torch.optim.Optimizer, step: int, steps: int, seed: int,
    summary: TrainingSummary,
) -> None:  # fmt: skip
    batches = [stage.batches(step * stage.accumulate + part) for part in range(stage.accumulate)]
    totals = []
    with seeded(derive(seed, "step", step, player.name)):
        for batch in batches:
            total, weight = player.objective(player.forward(player.module, batch), batch).totals()
            total.backward()
            totals.append((float(total.detach()), float(weight)))
    whole = sum(weight for _, weight in totals) or 1.0
    loss = sum(total for total, _ in totals) / whole
    if not math.isfinite(loss):
        raise NonFiniteError(
            f"the loss of {player.name} is {loss}", f"at step {step} of {stage.name}",
            "lower the learning rate, or look at the batch's texts and labels",
        )  # fmt: skip
    trained = [p for p in player.module.parameters() if p.grad is not None]
    for parameter in trained:
        if parameter.grad is not None:
            parameter.grad.div_(whole)
    if player.optimiser.clip:
        nn.utils.clip_grad_norm_(trained, player.optimiser.clip)
    for group in mover.param_groups:
        group["lr"] = rate(player.optimiser, step, steps)
    mover.step()
    mover.zero_grad(set_to_none=True)
    summary.losses.setdefault(f"{stage.name}/{player.name}", []).append(loss)
    if player is stage.players[0]:
        summary.items += sum(batch.size for batch in batches)


def rate(optimiser: Optimiser, step: int, steps: int) -> float:
    """Return the learning rate of a step.

    Examples
    --------
    >>> [rate(Optimiser(learning_rate=1.0, warmup=0.5), step, 4) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    warm = max(1, int(steps * optimiser.warmup)) if optimiser.warmup else 0
    if step < warm:
        return optimiser.learning_rate * (step + 1) / warm
    gone = (step - warm) / max(1, steps - warm)
    shape = {"constant": 1.0, "linear": 1 - gone, "cosine": 0.5 * (1 + math.cos(math.pi * gone))}
    return optimiser.learning_rate * shape[optimiser.schedule]


def _adamw(player: Player) -> torch.optim.Optimizer:
    parameters = [p for p in player.module.parameters() if p.requires_grad]
    if not parameters:
        raise UsageError(f"{player.name} has nothing to learn", "no parameter of its module is trainable")
    chosen = player.optimiser
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": chosen.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=chosen.learning_rate, betas=chosen.betas, eps=chosen.epsilon)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw torch's random numbers from ``seed`` inside, and give the caller's random state back."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
