"""Masked language modelling: the words that were hidden, from both sides."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.token_targets import targets_of, token_losses, token_weights


@dataclass(frozen=True, slots=True)
class MaskedLanguageModelling:
    """Log loss of the hidden tokens, one value a hidden token, in nats.

    Takes logits ``(m, V)`` at the judged positions (``predict_judged`` gives them) and batches of
    :class:`~isogloss.training.corpus_batches.MaskedBatches`. BERT (https://arxiv.org/abs/1810.04805), section 3.1.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from isogloss.nn.packing import pack
    >>> batch = Batch((pack([np.array([4, 0])]),), extra={"targets": pack([np.array([-100, 1])])})
    >>> round(float(MaskedLanguageModelling()(torch.zeros(1, 8), batch).mean()), 4)
    2.0794
    """

    cacheable: bool = False

    def __call__(self, outputs: Tensor, batch: Batch) -> Losses:
        """Return one loss a judged token."""
        return token_losses(outputs, targets_of(batch), token_weights(batch))
