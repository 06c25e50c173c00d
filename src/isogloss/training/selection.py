"""Which weights of a stage were the best, and whether it is time to stop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from isogloss.errors import NonFiniteError
from isogloss.training.moving import Seat, learned_modules
from isogloss.training.stage import Evaluation


@dataclass(slots=True)
class Choice:
    """What the looks at a stage have shown so far.

    Attributes
    ----------
    scores
        ``(steps taken, score)`` of each look.
    best
        The highest score and the steps after which it was reached.
    reference
        The score that the next gain is measured against.
    bad
        Looks in a row without a gain.
    weights
        The players' tensors at the best look, by name.
    """

    scores: list[tuple[int, float]] = field(default_factory=list)
    best: tuple[float, int] = (-math.inf, 0)
    reference: float = -math.inf
    bad: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)

    def look(self, evaluation: Evaluation, table: Sequence[Seat], step: int) -> bool:
        """Measure the players as they are after ``step`` steps; return whether the stage should end.

        Raises
        ------
        NonFiniteError
            Where the score is not a number.
        """
        with shown(table):
            measured = evaluation.score()
            score = float(measured) if isinstance(measured, int | float) else float(measured.value())
            if not math.isfinite(score):
                raise NonFiniteError("the score of an evaluation is not a number", f"{score} after {step} steps")
            self.scores.append((step, score))
            if score > self.best[0]:
                self.best = (score, step)
                if evaluation.keep_best:
                    self.weights = {name: tensor.detach().clone() for name, tensor in tensors(table).items()}
        gained = score > self.reference + evaluation.minimum_gain
        self.reference, self.bad = (score, 0) if gained else (self.reference, self.bad + 1)
        return bool(evaluation.patience) and self.bad >= evaluation.patience

    def to_dict(self) -> dict[str, Any]:
        """Return all but the weights as plain data."""
        best = self.best if self.scores else None
        reference = self.reference if self.scores else None
        return {"scores": self.scores, "best": best, "reference": reference, "bad": self.bad}

    @classmethod
    def read(cls, data: Mapping[str, Any], weights: dict[str, Tensor]) -> Choice:
        """Return the choice that ``to_dict`` gave, also after a way through JSON."""
        if not data["scores"]:
            return cls()
        scores = [(int(step), float(score)) for step, score in data["scores"]]
        score, step = data["best"]
        return cls(scores, (float(score), int(step)), float(data["reference"]), int(data["bad"]), weights)

    @torch.no_grad()
    def restore(self, table: Sequence[Seat]) -> None:
        """Give the players the weights of the best look."""
        for name, tensor in tensors(table).items():
            tensor.copy_(self.weights[name])


def tensors(table: Sequence[Seat]) -> dict[str, Tensor]:
    """Return the tensors of all players by name, each once."""
    found: dict[int, tuple[str, Tensor]] = {}
    for seat in table:
        for place, module in learned_modules(seat.player).items():
            for name, tensor in module.state_dict(keep_vars=True).items():
                if isinstance(tensor, Tensor):
                    found.setdefault(id(tensor), (f"{seat.player.name}/{place}.{name}", tensor.detach()))
    return dict(found.values())


@contextmanager
def shown(table: Sequence[Seat]) -> Iterator[None]:
    """Show the players inside as they would be used: averages in place, dropout off."""
    with ExitStack() as stack, torch.no_grad():
        for seat in table:
            modules = [module for player in learned_modules(seat.player).values() for module in player.modules()]
            training = [module for module in modules if module.training]
            for module in training:
                module.training = False
            stack.callback(_train_again, training)
            if seat.average is not None:
                stack.enter_context(seat.average.shown(seat.parameters))
        yield


def _train_again(modules: Sequence[torch.nn.Module]) -> None:
    for module in modules:
        module.training = True
