"""Merging of tuned models where a few examples cost least: a weight for each and one scale, by gradient descent."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.nn.packing import Packed
from isogloss.training.fine_tuning import encode_together
from isogloss.training.loop import train
from isogloss.training.merging import State, task_vector
from isogloss.training.mixing import BySource
from isogloss.training.several_tasks import Task, task_batches
from isogloss.training.stage import Optimiser, Player, Stage
from isogloss.training.trained_encoder import TrainedEncoder


@dataclass(frozen=True, slots=True)
class Position:
    """Where a merged model lies: weights of the task vectors, which sum to 1, and how far along their mean."""

    weights: tuple[float, ...]
    scale: float


class MergedModule(nn.Module):
    """A module at ``theta_0 + s * sum_i w_i (theta_i - theta_0)``; ``w`` (a soft-max) and ``s`` are all that learns.

    Source: Li et al. 2024, "Improving General Text Embedding Model: Tackling Task Conflict and Data Imbalance through
    Model Merging" (https://arxiv.org/abs/2410.15035). It begins at the plain mean: equal weights, scale 1.

    Parameters
    ----------
    base
        The module that all were tuned from; it is copied.
    tuned
        Weights of the tuned ones, at least one.

    Raises
    ------
    UsageError
        Where there is no tuned module, or all are equal to the base.
    IncompatibleError
        Where names or shapes differ.

    Examples
    --------
    >>> base, tuned = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    >>> merged = MergedModule(base, [{"weight": base.weight + 2}, {"weight": base.weight + 4}])
    >>> round((merged.state()["weight"] - base.weight).item(), 4)
    3.0
    """

    def __init__(self, base: nn.Module, tuned: Sequence[State]) -> None:
        super().__init__()
        origin = base.state_dict()
        vectors = [task_vector(origin, state) for state in tuned]
        moved = [name for name in origin if any(bool(one.get(name, torch.zeros(1)).any()) for one in vectors)]
        if not moved:
            raise UsageError("there is nothing to merge", f"{len(vectors)} tuned models, none of them has moved")
        self._base = (copy.deepcopy(base).requires_grad_(False),)  # in a tuple: no part of this module, it never learns
        self._vectors = {name: torch.stack([one[name] for one in vectors]) for name in moved}  # (models, ...) each
        self.logits, self.scale = nn.Parameter(torch.zeros(len(vectors))), nn.Parameter(torch.ones(()))

    @property
    def position(self) -> Position:
        """Where it lies."""
        return Position(tuple(self.logits.detach().softmax(0).tolist()), float(self.scale.detach()))

    def state(self) -> dict[str, Tensor]:
        """Return the merged tensors by name, with gradients to the position."""
        known, shares = self._base[0].state_dict(), self.scale * self.logits.softmax(0)  # (models,)
        merged = {name: torch.tensordot(shares, vectors, 1) for name, vectors in self._vectors.items()}
        return {name: tensor + merged[name] if name in merged else tensor for name, tensor in known.items()}

    def forward(self, packed: Packed) -> Tensor:
        """Return what the merged module gives."""
        out: Tensor = torch.func.functional_call(self._base[0], self.state(), (packed,))
        return out


def self_positioned(
    base: TrainedEncoder, tuned: Sequence[TrainedEncoder], probe: Mapping[str, Task], *, steps: int = 40,
    batch_size: int = 32, learning_rate: float = 0.1, seed: int = 0,
) -> tuple[TrainedEncoder, Position]:  # fmt: skip
    """Merge tuned copies of one encoder at the place where a small probe set of all tasks costs least.

    Parameters
    ----------
    base, tuned
        The encoder that all were tuned from, and the tuned ones; none is changed.
    probe
        A few examples of each task, with its objective; every task has as many batches.
    steps
        Of the search; 0: the plain mean.
    batch_size, learning_rate
        Of the search; the rate is that of the soft-max's logits and of the scale.
    seed
        Of the order.

    Returns
    -------
    TrainedEncoder, Position
        The merged encoder, and where it lies.

    Raises
    ------
    UsageError
        Where there is nothing to merge, or the probe cannot be learned from.

    Examples
    --------
    With a base and two copies, tuned on two tasks::

        merged, position = self_positioned(base, [searcher, comparer], probe)
        position.weights  # 0.7, 0.3
    """
    merged = MergedModule(base.model, [one.model.state_dict() for one in tuned])
    if steps:
        player = Player(
            module=merged, objective=BySource({name: task.objective for name, task in probe.items()}),
            forward=encode_together, optimiser=Optimiser(learning_rate=learning_rate),
        )  # fmt: skip
        even = dict.fromkeys(probe, 1.0)
        batches = task_batches(probe, base, batch_size=batch_size, seed=seed, weights=even)
        train(Stage(batches=batches, players=[player], steps=steps, precision="bf16", name="position"), seed=seed)
    model = copy.deepcopy(base.model)
    model.load_state_dict({name: tensor.detach() for name, tensor in merged.state().items()})
    return TrainedEncoder.of(replace(base.trainable, model=model)), merged.position
