"""One player's move: forward, backward, clip, step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses
from isogloss.seeding import derive
from isogloss.training import caching, failures
from isogloss.training.averaging import Average
from isogloss.training.devices import Devices, add_gradients
from isogloss.training.precision import in_precision
from isogloss.training.randomness import seeded
from isogloss.training.stage import Player, Stage

_PATIENCE = 10
"""Steps without any gradient after which a player has plainly nothing to learn."""


@dataclass(slots=True)
class Seat:
    """A player at the table: its optimiser, its average, and what is frozen while it moves.

    Attributes
    ----------
    player
        Who.
    parameters
        Name to parameter that it moves.
    optimiser
        Of torch.
    average
        Of the weights, or None.
    others
        Trainable parameters of the other players that are not its own.
    still
        Moves so far without any gradient; None once there was one.
    """

    player: Player
    parameters: dict[str, nn.Parameter]
    optimiser: torch.optim.Optimizer
    average: Average | None
    others: list[nn.Parameter] = field(default_factory=list)
    still: int | None = 0


@dataclass(frozen=True, slots=True)
class Move:
    """What a move gave: the loss, the gradient's norm (None where it was not needed), items seen, the losses' parts."""

    loss: float
    norm: float | None
    items: int
    parts: Mapping[str, Tensor | float]


def learned_modules(player: Player) -> dict[str, nn.Module]:
    """Return a player's modules by name: its own, and those that its objective is or holds.

    Examples
    --------
    >>> sorted(learned_modules(Player(module=nn.Linear(1, 1), objective=nn.Identity())))
    ['module', 'objective']
    """
    found: dict[str, nn.Module] = {"module": player.module}

    def look(name: str, value: Any) -> None:
        if isinstance(value, nn.Module):
            found[name] = value
        elif is_dataclass(value) and not isinstance(value, type):
            for one in fields(value):
                look(f"{name}.{one.name}", getattr(value, one.name))
        elif isinstance(value, Mapping):
            for key, part in value.items():
                look(f"{name}.{key}", part)
        elif isinstance(value, list | tuple):
            for number, part in enumerate(value):
                look(f"{name}.{number}", part)

    look("objective", player.objective)
    return found


def seats(stage: Stage) -> list[Seat]:
    """Seat the players of a stage.

    Raises
    ------
    UsageError
        Where two have one name, or one has nothing to learn.
    """
    names = [player.name for player in stage.players]
    if len(set(names)) < len(names) or not names:
        raise UsageError(f"{stage.name} needs players with names of their own", f"it has {names}")
    table = []
    for player in stage.players:
        parameters = _trainable(player)
        if not parameters:
            raise UsageError(
                f"{player.name} has nothing to learn", "no parameter of its module is trainable",
                "set requires_grad on what should move",
            )  # fmt: skip
        average = Average(parameters, player.ema) if player.ema else None
        seated = replace(player, forward=in_precision(player.forward, stage.precision))
        table.append(Seat(seated, parameters, _optimiser(player, parameters), average))
    for seat in table:
        own = {id(parameter) for parameter in seat.parameters.values()}
        theirs = {id(p): p for other in table for p in other.parameters.values() if id(p) not in own}
        seat.others = list(theirs.values())
    return table


def move(
    seat: Seat, batches: Sequence[Batch], stage: Stage, devices: Devices, *, step: int, rate: float, seed: int
) -> Move:
    """Let a player move once.

    Parameters
    ----------
    seat, stage, devices
        Who, in which stage, where.
    batches
        Their gradients are added up.
    step
        For messages.
    rate
        Learning rate.
    seed
        Of whatever is random in the forward passes.

    Raises
    ------
    NonFiniteError
        Where the loss or its gradient is NaN or infinite; the weights are those before the move.
    UsageError
        Where there is no gradient, over and over.
    """
    player, mean = seat.player, len(batches) == 1 and devices.count == 1
    found: list[Losses] = []
    try:
        with _frozen(seat.others):
            for number, batch in enumerate(batches):
                failures.check_batch(batch, stage)
                placed = devices.place_batch(batch)
                found.append(_backward(player, placed, stage.chunk, derive(seed, "part", number), devices, mean=mean))
        loss, norm, scale = _measure(seat, found, devices, mean=mean)
        failures.check_finite(loss, norm, player.name, f"step {step} of {stage.name}")
        if _moves(seat, norm, batches[0].size):
            _step(seat, norm, scale, rate)
    finally:
        for parameter in seat.parameters.values():
            parameter.grad = None
    return Move(loss, norm, sum(batch.size for batch in batches), found[-1].parts)


def _backward(player: Player, batch: Batch, chunk: int, seed: int, devices: Devices, *, mean: bool) -> Losses:
    """Add the gradient of a batch's summed losses (their mean where ``mean``) to the parameters."""
    if chunk and batch.size > chunk:
        return caching.backward(player, batch, chunk, seed, devices=devices, mean=mean)
    mine = devices.share(batch)
    with seeded(seed):
        outputs = player.forward(player.module, mine)
        if devices.count > 1 and player.objective.cacheable:
            mine, outputs = batch, caching.mapped(outputs, lambda tensor: devices.gather(tensor, batch.size))
        losses = player.objective(outputs, mine)
    return caching.send_back(losses, mean=mean, share=devices.count if mine is batch else 1)


def _measure(seat: Seat, found: list[Losses], devices: Devices, *, mean: bool) -> tuple[float, float | None, float]:
    """Return the mean loss, the gradient's norm (None: not needed), and what the gradients are still to be times."""
    parameters = list(seat.parameters.values())
    add_gradients(parameters, devices)
    totals = torch.stack([torch.stack([part.float() for part in losses.totals()]) for losses in found]).sum(0)  # (2,)
    needed = bool(seat.player.optimiser.clip) or seat.still is not None
    gradients = _gradients(parameters) if needed else []
    norm = nn.utils.get_total_norm(gradients).to(totals) if gradients else totals.new_zeros(())
    total, weight, length = torch.cat([devices.total(totals), norm[None]]).tolist()  # the only wait for the device
    scale = 1.0 if mean else 1 / (weight or 1.0)
    return total / (weight or 1.0), length * scale if needed else None, scale


def _gradients(parameters: list[nn.Parameter]) -> list[Tensor]:
    """Return the gradients that are there; of sparse ones the values, each row once."""
    found = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
            found.append(parameter.grad.values())
        else:
            found.append(parameter.grad)
    return found


def _moves(seat: Seat, norm: float | None, size: int) -> bool:
    """Return whether there is a gradient to follow; a player that never had one stays where it is."""
    if seat.still is None:
        return True
    if norm:
        seat.still = None
        return True
    seat.still += 1
    if size == 1 or seat.still >= _PATIENCE:
        raise failures.nothing_learnt(seat.player.name, size, seat.still)
    return False


def _step(seat: Seat, norm: float | None, scale: float, rate: float) -> None:
    clip = seat.player.optimiser.clip
    if clip and norm is not None and norm > clip:
        scale *= clip / norm
    if scale != 1.0:
        torch._foreach_mul_(_gradients(list(seat.parameters.values())), scale)
    for group in seat.optimiser.param_groups:
        group["lr"] = rate * group.get("lr_scale", 1.0)
    seat.optimiser.step()
    if seat.average is not None:
        seat.average.update(seat.parameters)


def _trainable(player: Player) -> dict[str, nn.Parameter]:
    found: dict[int, tuple[str, nn.Parameter]] = {}
    for place, module in learned_modules(player).items():
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                found.setdefault(id(parameter), (f"{place}.{name}", parameter))
    return dict(found.values())


def _optimiser(player: Player, parameters: Mapping[str, nn.Parameter]) -> torch.optim.Optimizer:
    chosen = player.optimiser
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters.values() if p.ndim > 1], "weight_decay": chosen.weight_decay},
        {"params": [p for p in parameters.values() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if player.make_optimiser is not None:
        return player.make_optimiser(groups)
    return torch.optim.AdamW(
        groups, lr=chosen.learning_rate, betas=chosen.betas, eps=chosen.epsilon, fused=_fusible(parameters)
    )


def _fusible(parameters: Mapping[str, nn.Parameter]) -> bool:
    """Return whether one kernel can move all parameters: on the CPU it is nine times as fast as the plain loop."""
    return all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters.values())


@contextmanager
def _frozen(parameters: list[nn.Parameter]) -> Iterator[None]:
    """Keep gradients out of the parameters inside."""
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
