"""Two-player games: a discriminator tells true from made-up, a generator makes up what passes for true.

Each side is one objective on raw scores (before any sigmoid), so that both are players of one stage. Outputs are
``(true scores, made-up scores)`` for the discriminator and ``(made-up scores,)`` for the generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.similarity import need_columns

Game = Literal["least_squares", "nonsaturating", "hinge"]


def judged(scores: Tensor, *, true: bool, game: Game) -> Tensor:
    """Return what a discriminator pays for its raw scores of true (or made-up) items, item by item.

    Examples
    --------
    >>> score = torch.tensor([1.0])
    >>> [round(float(judged(score, true=True, game=game)), 4) for game in ("least_squares", "nonsaturating", "hinge")]
    [0.0, 0.3133, 0.0]
    """
    sign = 1.0 if true else -1.0
    if game == "least_squares":
        return (scores - (1.0 if true else 0.0)).square()
    return functional.softplus(-sign * scores) if game == "nonsaturating" else (1 - sign * scores).clamp_min(0)


def passing(scores: Tensor, *, game: Game) -> Tensor:
    """Return what a generator pays for the discriminator's raw scores of what it made, item by item.

    Examples
    --------
    >>> [round(float(passing(torch.tensor([1.0]), game=g)), 4) for g in ("least_squares", "nonsaturating", "hinge")]
    [0.0, 0.3133, -1.0]
    """
    return -scores if game == "hinge" else judged(scores, true=True, game=game)


@dataclass(frozen=True, kw_only=True)
class DiscriminatorLoss:
    """True items are scored high, made-up ones low.

    Sources: Goodfellow et al. 2014, "Generative Adversarial Networks" (https://arxiv.org/abs/1406.2661); Mao et al.
    2017, "Least Squares Generative Adversarial Networks" (https://arxiv.org/abs/1611.04076); Lim and Ye 2017,
    "Geometric GAN" (https://arxiv.org/abs/1705.02894); penalty: Mescheder et al. 2018, "Which Training Methods for GANs
    do actually Converge?" (https://arxiv.org/abs/1801.04406).

    Attributes
    ----------
    game
        ``least_squares``, ``nonsaturating`` (logistic) or ``hinge``.
    penalty
        Half of this times the squared gradient of the true items' scores (R1), where the forward pass gives a third
        output: those squares ``(size,)``, see :func:`squared_gradient`.

    Examples
    --------
    >>> losses = DiscriminatorLoss()((torch.tensor([1.0]), torch.tensor([1.0])), Batch((torch.zeros(1),)))
    >>> float(losses.mean()), float(losses.parts["accuracy"])
    (1.0, 0.5)
    """

    game: Game = "least_squares"
    penalty: float = 0.0

    cacheable: ClassVar[bool] = False

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item for ``(true scores, made-up scores[, squared gradients])``, ``(size,)`` each."""
        outputs = need_columns(outputs, 2, "a discriminator's loss")
        true, made = outputs[:2]
        values = judged(true, true=True, game=self.game) + judged(made, true=False, game=self.game)
        if self.penalty and len(outputs) > 2:
            values = values + self.penalty / 2 * outputs[2]
        middle = 0.5 if self.game == "least_squares" else 0.0
        right = ((true > middle).float().mean() + (made < middle).float().mean()) / 2
        return Losses(values, batch.weights, "item", {"accuracy": right.detach()})


@dataclass(frozen=True, kw_only=True)
class GeneratorLoss:
    """What is made up is scored as if it were true.

    Attributes
    ----------
    game
        As in :class:`DiscriminatorLoss`.

    Examples
    --------
    >>> float(GeneratorLoss()((torch.tensor([0.0]),), Batch((torch.zeros(1),))).mean())
    1.0
    """

    game: Game = "least_squares"

    cacheable: ClassVar[bool] = False

    def __call__(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss an item, the sum over all discriminators' scores ``(size,)``."""
        outputs = need_columns(outputs, 1, "a generator's loss")
        values = torch.stack([passing(scores, game=self.game) for scores in outputs]).sum(0)  # (size,)
        return Losses(values, batch.weights, "item")


def squared_gradient(scores: Tensor, inputs: Tensor) -> Tensor:
    """Return the squared length of each score's gradient with respect to its input: ``(n,)``, ``(n, d)`` to ``(n,)``.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 2.0]], requires_grad=True)
    >>> squared_gradient((3 * x).sum(1), x).tolist()
    [18.0]
    """
    (slopes,) = torch.autograd.grad(scores.sum(), inputs, create_graph=True)  # (n, d)
    return slopes.square().sum(1)
