"""Reconstruction through a bottleneck: the text from one vector of its damaged copy."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.token_targets import IGNORED, targets_of, token_losses, token_weights


def reconstruct(module: nn.Module, batch: Batch) -> Tensor:
    """Return logits ``(m, V)`` of the tokens to restore.

    The forward pass of :class:`~isogloss.nn.bottleneck_decoder.BottleneckAutoencoder`: the batch's first column is
    what the decoder is given, the second what the encoder reads.
    """
    logits: Tensor = module(batch.columns[1], batch.columns[0], targets_of(batch) != IGNORED)
    return logits


@dataclass(frozen=True, slots=True)
class BottleneckReconstruction:
    """Log loss of each token that the decoder restores, in nats.

    Takes what ``reconstruct`` gives and batches of :class:`~isogloss.training.denoising_batches.DenoisingBatches`.
    TSDAE (https://arxiv.org/abs/2104.06979) where the encoder reads a text with words left out and the decoder writes
    it; RetroMAE (https://arxiv.org/abs/2205.12035) where both read masks, the decoder far more.
    """

    cacheable: bool = False

    def __call__(self, outputs: Tensor, batch: Batch) -> Losses:
        """Return one loss a token to restore."""
        return token_losses(outputs, targets_of(batch), token_weights(batch))
