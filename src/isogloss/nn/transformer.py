"""One transformer over packed tokens: encoder or decoder, post- or pre-norm, whole or factorised embeddings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.nn.fused import Bucket, FastDropout, attend, buckets, halving, linears
from isogloss.nn.packing import Packed


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerConfig:
    """Sizes and choices of a transformer; the defaults are BERT's (https://arxiv.org/abs/1810.04805).

    Attributes
    ----------
    vocabulary, width, layers, heads, inner, positions, types
        Rows of the token table, size of a state, layers, attention heads, size inside the feed-forward part, longest
        text in tokens, token types (0: none).
    first_position
        Row of the position table that the first token takes.
    activation
        Of the feed-forward part.
    norm_first
        Layer norm before attention and feed-forward (GPT-2) instead of after (BERT).
    causal
        A token sees itself and those before it.
    embedding_width
        Width of the token table where it is smaller than ``width`` (ALBERT, ELECTRA), else None.
    dropout
        Share of values dropped in training, of states and of attention.
    attention_dropout
        Share of attention weights dropped, where it is not ``dropout``.
    buckets
        Relative position buckets with one learned bias a head, shared by all layers (MPNet,
        https://arxiv.org/abs/2004.09297); 0: none.
    epsilon
        Of the layer norms.
    """

    vocabulary: int
    width: int = 384
    layers: int = 6
    heads: int = 12
    inner: int = 1536
    positions: int = 512
    types: int = 2
    first_position: int = 0
    activation: Literal["gelu", "gelu_tanh", "relu", "silu"] = "gelu"
    norm_first: bool = False
    causal: bool = False
    embedding_width: int | None = None
    dropout: float = 0.1
    epsilon: float = 1e-12
    attention_dropout: float | None = None
    buckets: int = 0


_ACTIVATIONS = {
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
}


class Embeddings(nn.Module):
    """Token, position and type vectors, summed and normalised."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        size = config.embedding_width or config.width
        self.config = config
        self.word = nn.Embedding(config.vocabulary, size)
        self.position = nn.Embedding(config.positions + config.first_position, size)
        self.token_type = nn.Embedding(config.types, size) if config.types else None
        self.norm = nn.LayerNorm(size, eps=config.epsilon)
        self.dropout = FastDropout(config.dropout)
        self.project = nn.Linear(size, config.width) if size != config.width else None

    def forward(self, packed: Packed, vectors: Tensor | None = None) -> Tensor:
        """Return ``(T, width)``; ``vectors (T, embedding_width)`` take the place of the token table's rows."""
        x = self.word(packed.ids) if vectors is None else vectors  # (T, e)
        x = x + self.position(packed.positions() + self.config.first_position)
        if self.token_type is not None:
            types = torch.zeros_like(packed.ids) if packed.types is None else packed.types
            x = x + self.token_type(types)
        x = self.dropout(self.norm(x))
        return x if self.project is None else self.project(x)  # (T, width)


class Layer(nn.Module):
    """Attention and feed-forward part of one layer."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, self.config = config.width, config
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.attention_out, self.attention_norm = nn.Linear(width, width), nn.LayerNorm(width, eps=config.epsilon)
        self.up, self.down = nn.Linear(width, config.inner), nn.Linear(config.inner, width)
        self.out_norm = nn.LayerNorm(width, eps=config.epsilon)
        self.dropout = FastDropout(config.dropout)

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        """Return the states ``(T, width)`` after this layer."""
        if self.config.norm_first:
            x = x + self.dropout(self._attend(self.attention_norm(x), layout))
            return x + self.dropout(self._feed(self.out_norm(x)))
        x = self.attention_norm(x + self.dropout(self._attend(x, layout)))
        return self.out_norm(x + self.dropout(self._feed(x)))

    def _feed(self, x: Tensor) -> Tensor:
        return linears(_ACTIVATIONS[self.config.activation](linears(x, (self.up,))), (self.down,))

    def _attend(self, x: Tensor, layout: Layout) -> Tensor:
        heads = self.config.heads
        share = attention_dropout(self.config) if self.training else 0.0
        if layout.relative is None:
            seen = attend(linears(x, (self.query, self.key, self.value)), layout.buckets, heads, share)  # (T, w)
            return linears(seen, (self.attention_out,))
        q, k, v = (layout.pad(part(x), heads) for part in (self.query, self.key, self.value))  # (n, h, L, w/h)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=layout.mask, dropout_p=share)
        return self.attention_out(layout.unpad(seen))  # (T, w)


class Layout:
    """Where packed tokens stand in the padded matrix that attention works on, and which pairs of them see each other.

    Parameters
    ----------
    packed
        The tokens.
    causal
        A token sees itself and those before it.
    relative
        ``(buckets, heads)`` biases by relative position bucket, or None.
    """

    def __init__(self, packed: Packed, *, causal: bool, relative: Tensor | None = None) -> None:
        self.packed, self.causal, self.relative = packed, causal, relative
        self.texts, self.longest = len(packed), int(packed.lengths.max()) if len(packed) else 0

    @cached_property
    def buckets(self) -> list[Bucket]:
        """The texts by like length."""
        return buckets(self.packed.offsets, causal=self.causal, device=self.packed.ids.device)

    @cached_property
    def place(self) -> Tensor:
        """The place of each token in the flat padded matrix ``(n * L)``, ``(T,)``."""
        return self.packed.texts() * self.longest + self.packed.positions()

    @cached_property
    def mask(self) -> Tensor | None:
        """What each token sees, ``(n or 1, heads or 1, L or 1, L)``: true where it does, or a bias; None: all."""
        device = self.packed.ids.device
        real = (torch.arange(self.longest)[None, :] < self.packed.lengths[:, None]).to(device)  # (n, L)
        mask = None if bool(real.all()) else real[:, None, None, :]  # (n, 1, 1, L)
        if self.causal:
            before = torch.ones(self.longest, self.longest, dtype=torch.bool, device=device).tril()  # (L, L)
            mask = before[None, None] if mask is None else before[None, None] & mask  # (n or 1, 1, L, L)
        if self.relative is None:
            return mask
        bucket = relative_buckets(self.longest, len(self.relative)).to(device)  # (L, L)
        bias = self.relative[bucket].permute(2, 0, 1)[None]  # (1, heads, L, L)
        return bias if mask is None else bias.masked_fill(~mask, -torch.inf)  # (n, heads, L, L)

    def pad(self, x: Tensor, heads: int) -> Tensor:
        """Return ``(T, w)`` as ``(n, heads, L, w / heads)``, zeros where there is no token."""
        flat = x.new_zeros(self.texts * self.longest, x.shape[1]).index_copy(0, self.place, x)  # (n * L, w)
        return flat.view(self.texts, self.longest, heads, -1).transpose(1, 2)  # (n, heads, L, w / heads)

    def unpad(self, x: Tensor) -> Tensor:
        """Return ``(n, heads, L, w / heads)`` as ``(T, w)``."""
        return x.transpose(1, 2).flatten(2).flatten(0, 1).index_select(0, self.place)  # (T, w)


def attention_dropout(config: TransformerConfig) -> float:
    """Return the share of attention weights that are dropped in training."""
    return config.dropout if config.attention_dropout is None else config.attention_dropout


def relative_buckets(length: int, buckets: int, longest: int = 128) -> Tensor:
    """Return the bucket of each pair (query position, key position), ``(length, length)`` int64.

    As T5 (https://arxiv.org/abs/1910.10683) and MPNet: half of the buckets for keys before the query, half for keys
    after it; in each half the first half holds one distance a bucket, the rest logarithmic steps up to ``longest``.

    Examples
    --------
    >>> relative_buckets(3, 32).tolist()
    [[0, 17, 18], [1, 0, 17], [2, 1, 0]]
    """
    position = torch.arange(length)
    distance = position[None, :] - position[:, None]  # (length, length)
    half, exact, size = buckets // 2, buckets // 4, distance.abs()
    ratio = torch.log(size.clamp_min(1).float() / exact) / math.log(longest / exact)
    large = (exact + (ratio * (half - exact)).long()).clamp_max(half - 1)
    return torch.where(size < exact, size, large) + (distance > 0) * half


class Transformer(nn.Module):
    """A stack of layers over packed tokens.

    Parameters
    ----------
    config
        Its sizes.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> model = Transformer(TransformerConfig(vocabulary=9, width=8, layers=1, heads=2, inner=16))
    >>> tuple(model(pack([np.array([1, 2, 3]), np.array([4])])).shape)
    (4, 8)
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, eps=config.epsilon) if config.norm_first else None
        self.relative = nn.Embedding(config.buckets, config.heads) if config.buckets else None
        self.apply(_initialise)

    def forward(self, packed: Packed, *, vectors: Tensor | None = None) -> Tensor:
        """Return the last states, ``(T, width)``; ``vectors`` take the place of the token table's rows."""
        return self.states(packed, (-1,), vectors=vectors)[0]

    def states(self, packed: Packed, layers: Sequence[int], *, vectors: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the states ``(T, width)`` of chosen layers: 0 the embeddings, N layer N, -1 the last one."""
        relative = None if self.relative is None else self.relative.weight
        layout = Layout(packed, causal=self.config.causal, relative=relative)
        all_states = [self.embeddings(packed, vectors)]
        if halving() and not self.config.norm_first:  # each norm brings the states back to size, so halves will do
            all_states[0] = all_states[0].to(torch.bfloat16)
        for layer in self.layers:
            all_states.append(layer(all_states[-1], layout))
        if self.norm is not None:
            all_states[-1] = self.norm(all_states[-1])
        return tuple(all_states[layer] for layer in layers)


def _initialise(module: nn.Module) -> None:
    """Draw weights as BERT does: normal with a deviation of .02, biases zero."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
