"""From token states to one vector a text, over packed tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from isogloss.nn.packing import Packed

PoolingMode = Literal["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


def pool(states: Tensor, packed: Packed, modes: Sequence[PoolingMode], *, skip: int = 0) -> Tensor:
    """Pool the states of each text; several modes are joined side by side.

    The modes are those of Sentence-BERT (https://arxiv.org/abs/1908.10084) and SGPT's position-weighted mean
    (https://arxiv.org/abs/2202.08904); sums are taken in float32 whatever the states are in.

    Parameters
    ----------
    states
        ``(T, d)``.
    packed
        The tokens that the states belong to.
    modes
        ``cls`` (first token), ``max``, ``mean``, ``mean_sqrt_len_tokens`` (sum over the root of the count),
        ``weightedmean`` (weights 1, 2, 3 ...), ``lasttoken``.
    skip
        Tokens at the start of each text that take no part (those of a prompt).

    Returns
    -------
    Tensor
        ``(n, len(modes) * d)`` float32. A text without a token left pools to zeros (``cls`` and ``lasttoken``: the
        token at that end).

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> packed = pack([np.array([5, 6]), np.array([7])])
    >>> pool(torch.tensor([[1.0], [3.0], [9.0]]), packed, ["mean", "max"]).tolist()
    [[2.0, 3.0], [9.0, 9.0]]
    """
    return torch.cat([_pool_one(states, packed, mode, skip) for mode in modes], dim=1)  # (n, modes * d)


def _pool_one(states: Tensor, packed: Packed, mode: PoolingMode, skip: int) -> Tensor:
    lengths, device = packed.lengths, states.device
    if mode == "cls":
        first = torch.where(lengths > skip, skip, 0) + packed.offsets[:-1]
        return states.index_select(0, first.to(device)).float()  # (n, d)
    if mode == "lasttoken":
        return states.index_select(0, (packed.offsets[1:] - 1).to(device)).float()  # (n, d)
    inside = packed.positions() >= skip  # (T,)
    if mode == "max":
        shown = states.float().masked_fill(~inside[:, None], -torch.inf)
        largest = torch.segment_reduce(shown, "max", lengths=lengths.to(device), axis=0)  # (n, d)
        return largest.masked_fill((lengths <= skip).to(device)[:, None], 0.0)
    weights = inside.float() * (packed.positions() + 1 if mode == "weightedmean" else 1)  # (T,)
    texts = packed.texts()
    total = weights.new_zeros(len(packed)).index_add(0, texts, weights)[:, None]  # (n, 1)
    divisor = (total.sqrt() if mode == "mean_sqrt_len_tokens" else total).clamp_min(1e-9)
    summed = states.new_zeros(len(packed), states.shape[1], dtype=torch.float32)
    return summed.index_add(0, texts, states.float() * weights[:, None]) / divisor  # (n, d)
