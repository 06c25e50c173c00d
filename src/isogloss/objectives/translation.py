"""Losses of translating vectors between two spaces without one known pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from isogloss.objectives.adversarial import Game, passing
from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.similarity import unit


class Translations(NamedTuple):
    """What a translator makes of ``n`` vectors of each space, which have nothing to do with each other.

    Attributes
    ----------
    true
        The vectors of the first space and of the second.
    made
        Translations into the first space (of the second's vectors) and into the second (of the first's).
    rebuilt
        Each space's vectors through the shared space and back.
    returned
        Each space's vectors translated there and back again.
    scores
        Raw scores of critics, ``(n,)`` each, high where they take something for true.
    """

    true: tuple[Tensor, Tensor]
    made: tuple[Tensor, Tensor]
    rebuilt: tuple[Tensor, Tensor]
    returned: tuple[Tensor, Tensor]
    scores: tuple[Tensor, ...]


def preservation(vectors: Tensor, images: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return how much the cosines to all other items change under a map: ``(n, d)``, ``(n, e)`` to ``(n,)``.

    Parameters
    ----------
    vectors, images
        Before and after.
    counted
        ``(n,)`` which items count; None: all.

    Examples
    --------
    >>> preservation(torch.eye(2), torch.ones(2, 3)).round().tolist()
    [1.0, 1.0]
    """
    own, made = unit(vectors), unit(images)
    other = ~torch.eye(len(own), dtype=torch.bool, device=own.device)  # (n, n)
    if counted is not None:
        other = other & counted[None, :]
    change = (own @ own.T - made @ made.T).abs() * other
    return change.sum(1) / other.sum(1).clamp_min(1)


@dataclass(frozen=True, kw_only=True)
class UnpairedTranslation:
    """What a translator without pairs pays: it must fool critics, rebuild, come back, and keep similarities.

    One item with nobody beside it keeps all its similarities.

    Source: Jha et al. 2025, "Harnessing the Universal Geometry of Embeddings" (https://arxiv.org/abs/2505.12540).

    Attributes
    ----------
    adversarial, reconstruction, cycle, preservation
        Factors of the four parts.
    game
        As in :class:`~isogloss.objectives.adversarial.GeneratorLoss`.

    Examples
    --------
    >>> x, score = torch.eye(2), torch.zeros(2)
    >>> outputs = Translations((x, x), (x, x), (x, x), (x, x), (score,))
    >>> float(UnpairedTranslation()(outputs, Batch((x, x))).mean())
    1.0
    """

    adversarial: float = 1.0
    reconstruction: float = 1.0
    cycle: float = 1.0
    preservation: float = 1.0
    game: Game = "least_squares"

    cacheable: ClassVar[bool] = False

    def __call__(self, outputs: Translations, batch: Batch) -> Losses:
        """Return one loss an item (a vector of the first space and one of the second)."""
        counted = None if batch.weights is None else batch.weights > 0
        (first, second), (into_first, into_second) = outputs.true, outputs.made
        parts = {
            "adversarial": torch.stack([passing(one, game=self.game) for one in outputs.scores]).sum(0),  # (n,)
            "reconstruction": _off(outputs.rebuilt[0], first) + _off(outputs.rebuilt[1], second),
            "cycle": _off(outputs.returned[0], first) + _off(outputs.returned[1], second),
            "preservation": preservation(first, into_second, counted) + preservation(second, into_first, counted),
        }
        values = torch.stack([getattr(self, name) * part for name, part in parts.items()]).sum(0)
        noted = {name: Losses(part.detach(), batch.weights).mean() for name, part in parts.items()}
        return Losses(values, batch.weights, "item", noted)


def _off(made: Tensor, true: Tensor) -> Tensor:
    return (made - true).square().mean(1)  # (n,)
