"""A stage of training as data: where batches come from, who learns from them, and what is renewed on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
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
        After the warm-up: ``linear`` to 0, ``cosine`` to 0, ``constant``, or ``root`` (one over the root of the step).
    warmup
        Share of the steps over which the rate rises from 0.
    clip
        Longest gradient (its norm over all parameters); 0 for none.
    """

    learning_rate: float = 2e-5
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    schedule: Literal["linear", "cosine", "constant", "root"] = "linear"
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
    batches
        Its own batches, by number; None: the stage's.
    ema
        Decay of an exponential average of the weights, which is what evaluations see and what remains at the end; 0 for
        none.
    make_optimiser
        From parameter groups to a torch optimiser, where AdamW will not do (sparse gradients, another rule); its
        learning rate follows ``optimiser``'s schedule, times a group's own ``lr_scale``. None: AdamW.

    Notes
    -----
    An objective that is itself a module learns with the player: its trainable parameters (a temperature, a critic) move
    with the module's, and its buffers (a queue) are saved with them. While a player moves, the parameters of the other
    players are frozen, so that no gradient leaks into them.
    """

    name: str = "model"
    module: nn.Module
    objective: Objective
    forward: Forward = encode_columns
    optimiser: Optimiser = field(default_factory=Optimiser)
    every: int = 1
    batches: Batches | None = None
    ema: float = 0.0
    make_optimiser: Callable[[list[dict[str, Any]]], torch.optim.Optimizer] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """Something that is renewed every n steps: a momentum teacher, mined negatives, an index.

    ``what(step)`` changes state that batches or objectives read. What it changes must be a function of the players'
    weights and the step, or be held in ``state`` (a module whose tensors are saved with the checkpoint; their shapes
    may change), so that a resumed run goes the same way. It runs before the step, at every n-th one but the first;
    where there is no ``state``, checkpoints are only written where it runs next, so that a resumed run repeats it.
    """

    what: Callable[[int], None]
    every: int
    name: str = "refresh"
    state: nn.Module | None = None


class Valued(Protocol):
    """Something measured that has a value, as a :class:`~isogloss.evaluation.sample.Sample` has."""

    def value(self) -> float:
        """Return the number."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A score that is looked at on the way, to stop early and to keep the best model.

    Attributes
    ----------
    score
        Measures the players' modules as they are (or their averages, where a player has ``ema``): a number or something
        with ``value()``; the higher the better. Nothing is learnt from it but when to stop. Where several processes
        train, each looks, and must see the same.
    every
        Steps between two looks; there is one before the first step and one after the last.
    patience
        Looks without a gain of more than ``minimum_gain`` after which the stage ends; 0: never early.
    minimum_gain
        Smallest gain that counts for patience. The best model is the one of the highest score, however small the lead.
    keep_best
        The modules end with the weights of the best look (those from before the stage where nothing was better), not
        with those of the last step.
    """

    score: Callable[[], float | Valued]
    every: int = 100
    patience: int = 0
    minimum_gain: float = 0.0
    keep_best: bool = True


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
    evaluation
        A score to stop early and to keep the best model by.
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
    evaluation: Evaluation | None = None
    name: str = "train"
