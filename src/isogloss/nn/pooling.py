"""From token states to one vector a text, over packed tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

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


def weighted_mean(states: Tensor, packed: Packed, *, weights: Tensor) -> Tensor:
    """Return ``sum w_i h_i / sum w_i`` over each text's tokens, ``(n, d)`` float32; zeros where all weights are zero.

    Parameters
    ----------
    states
        ``(T, d)``.
    packed
        The tokens that the states belong to.
    weights
        ``(T,)``, at least 0: of words (IDF, SIF), or the diagonal of an attention map.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> packed = pack([np.array([5, 6]), np.array([7])])
    >>> weighted_mean(torch.tensor([[1.0], [4.0], [9.0]]), packed, weights=torch.tensor([1.0, 2.0, 5.0])).tolist()
    [[3.0], [9.0]]
    """
    texts, own = packed.texts(), weights.float()
    total = own.new_zeros(len(packed)).index_add(0, texts, own)[:, None]  # (n, 1)
    summed = states.new_zeros(len(packed), states.shape[1], dtype=torch.float32)
    return summed.index_add(0, texts, states.float() * own[:, None]) / torch.where(total > 0, total, 1.0)  # (n, d)


def span_mean(states: Tensor, packed: Packed, *, spans: Tensor) -> Tensor:
    """Return the mean of one stretch of each text, ``(n, d)`` float32.

    Parameters
    ----------
    states
        ``(T, d)``.
    packed
        The tokens that the states belong to.
    spans
        ``(n, 2)``: in each text the first token and the one behind the last; not empty, and inside the text.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> packed = pack([np.array([5, 6, 7])])
    >>> span_mean(torch.tensor([[1.0], [4.0], [8.0]]), packed, spans=torch.tensor([[1, 3]])).tolist()
    [[6.0]]
    """
    texts, places = packed.texts(), packed.positions()
    own = spans.to(states.device)[texts]  # (T, 2)
    return weighted_mean(states, packed, weights=(places >= own[:, 0]) & (places < own[:, 1]))


def layers_mean(states: Sequence[Tensor], packed: Packed, *, weights: Tensor | None = None) -> Tensor:
    """Return the mean over the tokens of a mean over layers, ``(n, d)`` float32.

    Parameters
    ----------
    states
        The chosen layers, each ``(T, d)``.
    packed
        The tokens that the states belong to.
    weights
        ``(len(states),)``, one a layer, learned or given; None for equal ones.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> layers_mean([torch.ones(2, 1), torch.full((2, 1), 3.0)], pack([np.array([5, 6])])).tolist()
    [[2.0]]
    """
    stacked = torch.stack([layer.float() for layer in states])  # (layers, T, d)
    own = stacked.new_ones(len(states)) if weights is None else weights.float()
    mixed = torch.einsum("l,ltd->td", own, stacked) / own.sum()  # (T, d)
    return pool(mixed, packed, ["mean"])


class LatentAttention(nn.Module):
    """Token vectors look into a dictionary of learned ones; what they see, behind two layers, is averaged.

    ``mean(W2 gelu(W1 o + b1) + b2)`` with ``o = softmax(h K^T) K`` for each token ``h`` and the dictionary ``K``, all
    of it split into heads. Lee et al. 2024, "NV-Embed" (https://arxiv.org/abs/2405.17428), section 3.1; 512 latents
    and 8 heads are theirs.

    Parameters
    ----------
    width
        Components of a token's vector.
    latents
        Rows of the dictionary.
    heads
        Parts of the width, each with a soft-max of its own.
    inner
        Components between the two layers; None for four times the width.
    """

    def __init__(self, width: int, *, latents: int = 512, heads: int = 8, inner: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.latents = nn.Parameter(torch.randn(latents, width))
        self.up = nn.Linear(width, inner or 4 * width)
        self.down = nn.Linear(inner or 4 * width, width)

    def forward(self, states: Tensor, packed: Packed) -> Tensor:
        """Return ``(n, d)`` float32 for states ``(T, d)``."""
        tokens = states.unflatten(1, (self.heads, -1))  # (T, heads, size)
        keys = self.latents.unflatten(1, (self.heads, -1))  # (r, heads, size)
        scores = torch.einsum("ths,rhs->thr", tokens, keys).softmax(2)  # (T, heads, r)
        seen = torch.einsum("thr,rhs->ths", scores, keys).flatten(1)  # (T, d)
        return pool(self.down(functional.gelu(self.up(seen))), packed, ["mean"])  # (n, d)


def _latent(states: Tensor, packed: Packed, *, latent: LatentAttention) -> Tensor:
    out: Tensor = latent(states, packed)
    return out


_MODES: Mapping[str, PoolingMode] = {
    "first": "cls", "mean": "mean", "max": "max", "last": "lasttoken", "root-mean": "mean_sqrt_len_tokens",
    "position": "weightedmean",
}  # fmt: skip
POOLINGS: Mapping[str, Callable[..., Any]] = {
    **{name: partial(pool, modes=[mode]) for name, mode in _MODES.items()},
    **dict.fromkeys(("diagonal", "idf", "sif"), weighted_mean),
    "layers": layers_mean, "span": span_mean, "latent": _latent,
}  # fmt: skip
"""Name to ``pooling(states, packed, ...)``: the twins of those in ``isogloss.encoders.token_pooling``."""
