"""Fit a translator between two vector spaces of which not one pair is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from isogloss.errors import UsageError
from isogloss.nn.translator import Critics, Side, Translator
from isogloss.objectives.adversarial import DiscriminatorLoss
from isogloss.objectives.contract import Batch
from isogloss.objectives.translation import Translations, UnpairedTranslation
from isogloss.protocols import Progress
from isogloss.seeding import derive, generator
from isogloss.training.loop import train
from isogloss.training.randomness import seeded
from isogloss.training.stage import Optimiser, Player, Stage

Matrix = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Network:
    """Sizes, start and pace of the networks.

    Attributes
    ----------
    latent, inner, start
        As of :class:`~isogloss.nn.translator.Translator`; the critics are as wide inside.
    learning_rate
        Of both players.
    """

    latent: int = 64
    inner: int = 128
    start: Literal["orthogonal", "identity"] = "orthogonal"
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class VectorTranslator:
    """A fitted translator.

    Attributes
    ----------
    module
        Its network.
    losses
        Unsupervised loss of each restart on all vectors, the chosen one's first.
    """

    module: Translator
    losses: tuple[float, ...]

    def translate(self, vectors: Matrix, *, back: bool = False) -> NDArray[np.float32]:
        """Return ``(n, d)`` vectors of the first space in the second, ``(n, e)`` float32; ``back``: the other way."""
        side: Side = 1 if back else 0
        given = torch.from_numpy(np.ascontiguousarray(vectors, np.float32))
        with torch.no_grad():
            made: NDArray[np.float32] = self.module.translate(given, side).numpy()
        return made


@dataclass
class UnpairedBatches:
    """Vectors of two spaces, drawn for each step each for itself; they are put in an order of their own first.

    Attributes
    ----------
    first, second
        ``(n, d)`` and ``(m, e)``.
    size
        Items a batch: a vector of each.
    seed
        Of the draws.
    per_epoch
        Always 1: each batch is a fresh draw.
    """

    first: torch.Tensor
    second: torch.Tensor
    size: int
    seed: int
    per_epoch: int = 1

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step."""
        drawn = generator(self.seed, "unpaired", step)
        return Batch(tuple(one[drawn.integers(0, len(one), self.size)] for one in (self.first, self.second)))


def translations(module: Translator, critics: Critics, batch: Batch) -> Translations:
    """Return all that the translator's objective looks at."""
    first, second = batch.columns
    into_second, into_first = module.translate(first, 0), module.translate(second, 1)
    return Translations(
        (first, second),
        (into_first, into_second),
        (module.rebuild(first, 0), module.rebuild(second, 1)),
        (module.translate(into_second, 1), module.translate(into_first, 0)),
        critics.fooled(module, first, second),
    )


def fit_translator(
    first: Matrix, second: Matrix, *, objective: UnpairedTranslation | None = None, network: Network | None = None,
    steps: int = 2000, batch_size: int = 128, restarts: int = 3, seed: int = 0, progress: Progress | None = None,
) -> VectorTranslator:  # fmt: skip
    """Learn to carry vectors of one space into another from two samples that share no item.

    Translator and critics are two players of one game. Each restart begins elsewhere; the one whose unsupervised loss
    on all vectors is lowest after training is kept (the critics of each are its own, so their verdict is left out: what
    counts is the distance of the moments of true and made vectors, and the other three parts of the loss). Rows are put
    in an order of their own first: the order in which they come changes no bit.

    Parameters
    ----------
    first, second
        ``(n, d)`` and ``(m, e)``, each centred and scaled so that a number's square is about 1.
    objective
        Factors of the loss; None: 1 each.
    network
        Sizes and start of the networks; None: the defaults of :class:`Network`.
    steps, batch_size, restarts, seed
        Of the training.
    progress
        Where to report.

    Raises
    ------
    UsageError
        Where a side has too few vectors, or ones that are not finite.

    References
    ----------
    Harnessing the Universal Geometry of Embeddings: https://arxiv.org/abs/2505.12540

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> fitted = fit_translator(rng.normal(size=(40, 3)), rng.normal(size=(50, 5)), steps=2, batch_size=8, restarts=1)
    >>> fitted.translate(rng.normal(size=(7, 3))).shape
    (7, 5)
    """
    sides = [_ordered(one, batch_size, name) for one, name in ((first, "first"), (second, "second"))]
    wanted = objective or UnpairedTranslation()
    found = [
        _restart(sides, wanted, network or Network(), (steps, batch_size), derive(seed, "restart", number), progress)
        for number in range(restarts)
    ]
    found.sort(key=lambda pair: pair[0])  # stable: the first of equal ones
    return VectorTranslator(found[0][1], tuple(loss for loss, _ in found))


def _restart(
    sides: list[torch.Tensor], objective: UnpairedTranslation, network: Network, sizes: tuple[int, int], seed: int,
    progress: Progress | None,
) -> tuple[float, Translator]:  # fmt: skip
    steps, batch_size = sizes
    widths = sides[0].shape[1], sides[1].shape[1]
    with seeded(derive(seed, "weights")):
        translator = Translator(widths, latent=network.latent, inner=network.inner, start=network.start)
        critics = Critics(widths, latent=network.latent, inner=network.inner)

    def told(module: nn.Module, batch: Batch) -> Any:
        return critics.told(translator, *batch.columns)

    moves = Optimiser(learning_rate=network.learning_rate, betas=(0.5, 0.9), weight_decay=0.0)
    players = [
        Player(name="critics", module=critics, objective=DiscriminatorLoss(game=objective.game), forward=told,
               optimiser=moves),
        Player(name="translator", module=translator, objective=objective, optimiser=moves,
               forward=lambda module, batch: translations(translator, critics, batch)),
    ]  # fmt: skip
    batches = UnpairedBatches(sides[0], sides[1], batch_size, derive(seed, "batches"))
    train(Stage(batches=batches, players=players, steps=steps, name="translate"), seed=seed, progress=progress)
    return _unsupervised(translator, critics, sides, objective), translator


def _unsupervised(
    translator: Translator, critics: Critics, sides: list[torch.Tensor], objective: UnpairedTranslation
) -> float:
    """Return the loss on all vectors with the distance of moments in place of the critics' verdict."""
    most = min(len(one) for one in sides)
    batch = Batch(tuple(one[:most] for one in sides))
    with torch.no_grad():
        outputs = translations(translator, critics, batch)
        parts = objective(outputs, batch).parts
        apart = sum(moment_distance(true, made) for true, made in zip(outputs.true, outputs.made, strict=True))
        rest = sum(
            getattr(objective, name) * float(parts[name]) for name in ("reconstruction", "cycle", "preservation")
        )
    return apart + rest


def moment_distance(true: torch.Tensor, made: torch.Tensor) -> float:
    """Return how far means and covariances of two samples ``(n, d)`` lie apart, as a share of the true ones.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    >>> moment_distance(x, x), moment_distance(x, 0 * x) > 0.9
    (0.0, True)
    """
    gap = (true.mean(0) - made.mean(0)).square().sum() + (torch.cov(true.T) - torch.cov(made.T)).square().sum()
    return float(gap / (true.mean(0).square().sum() + torch.cov(true.T).square().sum()).clamp_min(1e-12))


def _ordered(vectors: Matrix, batch_size: int, name: str) -> torch.Tensor:
    """Return the rows in lexicographic order, so that the order in which they came cannot matter."""
    rows = np.asarray(vectors, np.float32)
    if rows.ndim != 2 or len(rows) < max(4, batch_size):
        raise UsageError(
            f"the {name} space has too few vectors", f"{rows.shape}; a batch takes {batch_size}",
            "give at least as many vectors as a batch takes",
        )  # fmt: skip
    if not np.isfinite(rows).all():
        raise UsageError(f"the {name} space has numbers that are not finite", f"{(~np.isfinite(rows)).sum()} of them")
    return torch.from_numpy(rows[np.lexsort(rows.T[::-1])])
