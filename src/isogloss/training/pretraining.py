"""A pre-training task as data, what one step of it costs, and the steps that some other task's compute buys."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from isogloss.errors import UsageError
from isogloss.nn.costs import multiply_adds
from isogloss.objectives.contract import Objective
from isogloss.training.loop import TrainingSummary, train
from isogloss.training.randomness import seeded
from isogloss.training.stage import Batches, Forward, Optimiser, Player, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """A module and what it learns from.

    Attributes
    ----------
    module
        Body with heads.
    objective, forward
        Losses, and the pass that gives what they read.
    batches
        By number.
    """

    module: nn.Module
    objective: Objective
    forward: Forward
    batches: Batches

    def cost(self) -> int:
        """Return the multiply-adds of one step, forward and backward; the weights and their gradients stay."""

        def step() -> None:
            batch = self.batches(0)
            self.objective(self.forward(self.module, batch), batch).mean().backward()

        before = {name: weights.grad for name, weights in self.module.named_parameters()}
        with seeded(0):
            counted = multiply_adds(step)
        for name, weights in self.module.named_parameters():
            weights.grad = before[name]
        return counted

    def run(self, steps: int, *, learning_rate: float, seed: int) -> TrainingSummary:
        """Take so many steps of AdamW, the rate rising over a tenth of them and then falling to 0.

        Parameters
        ----------
        steps
            How many.
        learning_rate
            The greatest.
        seed
            Of whatever is random in the passes.
        """
        optimiser = Optimiser(learning_rate=learning_rate)
        player = Player(module=self.module, objective=self.objective, forward=self.forward, optimiser=optimiser)
        return train(Stage(batches=self.batches, players=[player], steps=steps), seed=seed)


def equal_steps(steps: int, of: Pretraining, other: Pretraining) -> int:
    """Return the steps of ``other`` that cost as much as ``steps`` of ``of``, to the nearest.

    Raises
    ------
    UsageError
        Where nothing is counted in a step.
    """
    ours, theirs = of.cost(), other.cost()
    if not ours or not theirs:
        raise UsageError("compute cannot be made equal", f"a step costs {ours} and {theirs} multiply-adds")
    return max(1, round(steps * ours / theirs))
