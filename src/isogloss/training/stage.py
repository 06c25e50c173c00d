"""A stage of training as data: where batches come from, who learns from them, and what is renewed on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from torch import nn

from isogloss.objectives.contract import Batch, Objective


class Batches(Protocol):
    """Batches by number: a pure function of the step, so that a run can go on from any step.

    ``batches(step)`` gives the batch of that step (0, 1, 2 ...) for ever; after ``per_epoch`` batches every item was
    seen once, and the next epoch has another order. Every random draw inside comes from a seed and the step.
    """

    per_epoch: int

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimiser:
    """How one player's parameters move: AdamW with warm-up and a schedule.

    Attributes
    ----------
    learning_rate, weight_decay, betas, epsilon
        Of AdamW (https://arxiv.org/abs/1711.05101); biases and norms are not decayed.
    schedule
        After the warm-up: ``linear`` to 0, ``cosine`` to 0, or ``constant``.
    warmup
        Share of the steps over which the rate rises from 0.
    clip
        Longest gradient (its norm over all parameters); 0 for none.
    """

    learning_rate: float = 2e-5
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: float = 0.1
    clip: float = 1.0


Forward = Callable[[nn.Module, Batch], Any]


def encode_columns(module: nn.Module, batch: Batch) -> Any:
    """Return the module's vectors ``(size, d)`` of each column: the forward pass of a bi-encoder."""
    return tuple(module(column) for column in batch.columns)


@dataclass(slots=True, kw_only=True)
class Player:
    """Someone who learns in a stage: one in ordinary training, two in a game (generator and discriminator).

    Attributes
    ----------
    name
        For logs and checkpoints.
    module
        Whose parameters with ``requires_grad`` this player moves.
    objective
        From outputs and batch to losses.
    forward
        From module and batch to outputs; by default the vectors of each column.
    optimiser
        How the parameters move.
    every
        Moves at every n-th step.
    """

    name: str = "model"
    module: nn.Module
    objective: Objective
    forward: Forward = encode_columns
    optimiser: Optimiser = field(default_factory=Optimiser)
    every: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """Something that is renewed every n steps: a momentum teacher, mined negatives, an index.

    ``what(step)`` changes state that batches or objectives read. What it changes must be a function of the players'
    weights and the step, or be held in ``state`` (a module whose tensors are saved with the checkpoint), so that a
    resumed run goes the same way.
    """

    what: Callable[[int], None]
    every: int
    name: str = "refresh"
    state: nn.Module | None = None


@dataclass(slots=True, kw_only=True)
class Stage:
    """One stage of training.

    Attributes
    ----------
    batches
        By number.
    players
        Who learns; in the order in which they move within a step.
    steps
        How many steps; None: one epoch, or what fits ``budget``.
    budget
        Seconds; turned into a number of steps after a few measured ones. None: no limit.
    refresh
        What is renewed on the way.
    accumulate
        Batches whose gradients are added up before a move.
    chunk
        Items a piece of gradient caching; 0: no caching. Needs cacheable objectives.
    precision
        ``bf16`` computes in bfloat16 with float32 master weights, ``fp32`` in float32.
    name
        For logs.
    """

    batches: Batches
    players: Sequence[Player]
    steps: int | None = None
    budget: float | None = None
    refresh: Iterable[Refresh] = ()
    accumulate: int = 1
    chunk: int = 0
    precision: Literal["fp32", "bf16"] = "fp32"
    name: str = "train"
