"""Replaced-token detection: which words of a text are not the author's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.nn.packing import Packed
from isogloss.nn.replaced_tokens import Replacements
from isogloss.objectives.contract import Batch, Losses, weighted_sum
from isogloss.objectives.token_targets import IGNORED, targets_of, token_losses, token_weights


def play(module: nn.Module, batch: Batch) -> Replacements:
    """Return one round of the game: the forward pass of :class:`~isogloss.nn.replaced_tokens.ReplacedTokenGame`.

    Raises
    ------
    UsageError
        Where the batch does not hold the ``true`` tokens.
    """
    true = batch.extra.get("true")
    if not isinstance(true, Packed):
        raise UsageError("the true tokens are missing", f"extra holds {', '.join(batch.extra) or 'nothing'}",
                         "take batches from training.corpus_batches.MaskedBatches")  # fmt: skip
    found: Replacements = module(batch.columns[0], true.ids, targets_of(batch) != IGNORED)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacedTokenDetection:
    """The generator's masked-word loss, plus the discriminator's binary loss over all tokens times a weight.

    A token that the generator happened to guess right counts as original. The two are learned side by side, not against
    each other: no gradient goes through the drawn tokens. Takes what ``play`` gives. ELECTRA
    (https://arxiv.org/abs/2003.10555), section 2.

    Attributes
    ----------
    weight
        Of the discriminator (the paper's lambda).
    everywhere
        Whether all tokens are judged, or only those that were hidden (the paper's "ELECTRA 15 %").
    """

    weight: float = 50.0
    everywhere: bool = True
    cacheable: bool = False

    def __call__(self, outputs: Replacements, batch: Batch) -> Losses:
        """Return one value, the sum; ``generator``, ``discriminator`` and how many were replaced in its parts."""
        weights = token_weights(batch)
        told = detection_losses(outputs, everywhere=self.everywhere, weights=weights)
        guessed = token_losses(outputs.generator, targets_of(batch), weights)
        return weighted_sum({"generator": (1.0, guessed), "discriminator": (self.weight, told)})


def detection_losses(outputs: Replacements, *, everywhere: bool = True, weights: Tensor | None = None) -> Losses:
    """Return the binary log loss of each token, in nats.

    Parameters
    ----------
    outputs
        Of the game.
    everywhere
        Whether tokens that were not hidden count.
    weights
        ``(T,)`` weight of each token, or None: all 1.

    Examples
    --------
    >>> original = torch.tensor([True, False])
    >>> round_ = Replacements(torch.zeros(1, 3), torch.tensor([0.0, -9.0]), original, torch.tensor([False, True]))
    >>> [round(value, 3) for value in detection_losses(round_).values.tolist()]
    [0.693, 0.0]
    """
    logits, right = outputs.discriminator.float(), outputs.original.float()  # (T,), (T,)
    values = functional.binary_cross_entropy_with_logits(logits, right, reduction="none")  # (T,)
    told = ((logits.detach() > 0) == outputs.original).float()  # (T,)
    replaced, share = (1 - right.mean(), told.mean()) if weights is None else (
        Losses(1 - right, weights).mean(), Losses(told, weights).mean()
    )  # fmt: skip
    if not everywhere:
        hidden = outputs.hidden.float()  # (T,)
        weights = hidden if weights is None else hidden * weights
    parts = {"accuracy": share, "replaced": replaced.detach() if len(right) else torch.zeros(())}
    return Losses(values, weights, "token", parts)
