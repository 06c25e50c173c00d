"""Convolutions over packed tokens, plain or gated, over both sides or over the past only."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.nn.packing import Packed
from isogloss.nn.transformer import Layout


class ConvolutionLayers(nn.Module):
    """A stack of convolutions along each text, each with a norm before it and the input added after it.

    Gated: half of a convolution's output, squashed to 0 to 1, scales the other half (Dauphin et al. 2017,
    https://arxiv.org/abs/1612.08083). Plain: a rectifier. Beyond a text's ends stand zeros.

    Parameters
    ----------
    width, layers
        Size of input and states, number of layers.
    kernel
        Tokens that one output reads; odd where it looks to both sides.
    gated
        Gated or plain.
    causal
        Read the token and those before it only.
    dropout
        Of each layer's output, in training.

    Raises
    ------
    UsageError
        Where an even kernel is to look to both sides.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> tuple(ConvolutionLayers(4, layers=2)(torch.zeros(3, 4), pack([np.array([1, 2, 3])])).shape)
    (3, 4)
    """

    def __init__(
        self, width: int, *, layers: int = 1, kernel: int = 3, gated: bool = True, causal: bool = False,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        if not causal and kernel % 2 == 0:
            raise UsageError(f"a kernel of {kernel} cannot look to both sides alike", "", "choose an odd one")
        self.gated = gated
        self.sides = (kernel - 1, 0) if causal else (kernel // 2, kernel // 2)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width * (1 + gated), kernel) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, packed: Packed) -> Tensor:
        """Return states ``(T, width)`` for inputs ``(T, width)``."""
        layout = Layout(packed, causal=False)
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            padded = layout.pad(norm(x), 1)[:, 0].transpose(1, 2)  # (n, w, L)
            seen = convolution(functional.pad(padded, self.sides)).transpose(1, 2)  # (n, L, w or 2w)
            made = layout.unpad(seen[:, None])  # (T, w or 2w)
            x = x + self.dropout(functional.glu(made, dim=1) if self.gated else torch.relu(made))  # (T, w)
        return x
