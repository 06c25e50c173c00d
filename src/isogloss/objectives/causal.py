"""Causal language modelling: the next word from those before it, or both neighbours from two directions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.nn.packing import Packed
from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.token_targets import IGNORED, targets_of, token_losses, token_weights


@dataclass(frozen=True, slots=True)
class CausalLanguageModelling:
    """Log loss of each next token, one value a token, in nats.

    Takes logits ``(m, V)`` at the judged positions (``predict_judged`` gives them) and batches of
    :class:`~isogloss.training.corpus_batches.CausalBatches`, whose targets are the tokens one place on.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> batch = Batch((pack([np.array([4, 1])]),), extra={"targets": pack([np.array([1, -100])])})
    >>> round(float(CausalLanguageModelling()(torch.zeros(1, 8), batch).mean()), 4)
    2.0794
    """

    cacheable: bool = False

    def __call__(self, outputs: Tensor, batch: Batch) -> Losses:
        """Return one loss a judged token."""
        return token_losses(outputs, targets_of(batch), token_weights(batch))


def previous(packed: Packed) -> Tensor:
    """Return the token before each one in its own text, ``(T,)``, ``IGNORED`` at the first.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> previous(pack([np.array([7, 8]), np.array([9])])).tolist()
    [-100, 7, -100]
    """
    before = torch.roll(packed.ids, 1)  # (T,)
    before[packed.positions() == 0] = IGNORED
    return before


def predict_both(module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return logits ``(m, V)`` of the next token and ``(k, V)`` of the token before: the forward pass of a BiLM.

    ``module(packed, ahead, back)`` gives both at the positions where the masks ``(T,)`` are true, as
    :class:`~isogloss.nn.recurrent.TwoWayPredictor` does.
    """
    packed = batch.columns[0]
    logits: tuple[Tensor, Tensor] = module(packed, targets_of(batch) != IGNORED, previous(packed) != IGNORED)
    return logits


@dataclass(frozen=True, slots=True)
class TwoWayLanguageModelling:
    """Log losses of the next token from the left and of the token before from the right, each a value of its own.

    Takes what ``predict_both`` gives. The model's directions must not see each other. ELMo
    (https://arxiv.org/abs/1802.05365), section 3.1.
    """

    cacheable: bool = False

    def __call__(self, outputs: tuple[Tensor, Tensor], batch: Batch) -> Losses:
        """Return one loss a judged token and direction."""
        if len(outputs) != 2:
            raise UsageError("a two-way model gives two tensors of logits", f"it gave {len(outputs)}")
        weights = token_weights(batch)
        ahead = token_losses(outputs[0], targets_of(batch), weights)
        back = token_losses(outputs[1], previous(batch.columns[0]), weights)
        parts = {"ahead": ahead.mean().detach(), "back": back.mean().detach()}
        kept = [one.weights for one in (ahead, back) if one.weights is not None]
        values = torch.cat([ahead.values, back.values])
        return Losses(values, torch.cat(kept) if kept else None, "token", parts)
