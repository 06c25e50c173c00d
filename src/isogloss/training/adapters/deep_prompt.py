"""Deep prompts: in every layer, learned keys and values that all tokens see, before a model at rest."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.nn.fused import attend, buckets, linears
from isogloss.nn.transformer import Layer, Layout, attention_dropout
from isogloss.training.adapters.freezing import trainable
from isogloss.training.randomness import seeded


class PromptedLayer(Layer):
    """A layer whose tokens also see learned keys ``P`` and values ``S``: ``softmax(q [P; K]^T / sqrt(d)) [S; V]``.

    Keys and values are the parameters themselves, no states of tokens, so nothing of them goes on to the next layer,
    takes a position, or takes part in the pooling. Li and Liang 2021, "Prefix-Tuning" (https://arxiv.org/abs/2101.00190);
    in encoders Liu et al. 2022, "P-Tuning v2" (https://arxiv.org/abs/2110.07602).

    Parameters
    ----------
    layer
        Its weights are taken over and not trained.
    length
        Number of learned keys; with 0 it is the layer.

    Examples
    --------
    >>> from isogloss.nn.transformer import TransformerConfig
    >>> layer = PromptedLayer(Layer(TransformerConfig(vocabulary=9, width=8, heads=2, inner=16)), 3)
    >>> tuple(layer.prompt_keys.shape)
    (3, 8)
    """

    def __init__(self, layer: Layer, length: int) -> None:
        nn.Module.__init__(self)  # the parts are those of the layer: none is made anew
        if length < 0:
            raise UsageError(f"a prompt cannot have {length} keys", "", "give 0 or more")
        self.config = layer.config
        for name, part in layer.named_children():
            self.add_module(name, part.requires_grad_(False))
        width = layer.config.width
        self.prompt_keys, self.prompt_values = (nn.Parameter(torch.randn(length, width) * 0.02) for _ in range(2))

    def _attend(self, x: Tensor, layout: Layout) -> Tensor:
        length = len(self.prompt_keys)
        if not length:
            return super()._attend(x, layout)
        heads, share = self.config.heads, attention_dropout(self.config) if self.training else 0.0
        joined = linears(x, (self.query, self.key, self.value))  # (T, 3w)
        if layout.relative is None:
            return linears(self._in_front(joined, layout, share), (self.attention_out,))  # (T, w)
        q, k, v = (layout.pad(part, heads) for part in joined.chunk(3, dim=1))  # (n, h, L, w/h)
        k, v = self._before(self.prompt_keys, k), self._before(self.prompt_values, v)  # (n, h, p + L, w/h)
        mask = layout.mask
        if mask is not None:  # every token sees every learned key, without a bias
            mask = functional.pad(mask, (length, 0), value=bool(mask.dtype == torch.bool))  # (.., .., .., p + L)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=share)
        return linears(layout.unpad(seen), (self.attention_out,))  # (T, w)

    def _in_front(self, joined: Tensor, layout: Layout, share: float) -> Tensor:
        """Return what tokens see ``(T, w)``, with the prompt as tokens in front of each text that ask for nothing."""
        packed, count, length = layout.packed, layout.texts, len(self.prompt_keys)
        places = torch.arange(len(joined), device=joined.device) + (packed.texts() + 1) * length  # (T,)
        whole = joined.new_zeros(len(joined) + count * length, joined.shape[1]).index_copy(0, places, joined)
        free = torch.ones(len(whole), dtype=torch.bool, device=joined.device)
        free[places] = False
        front = torch.cat([torch.zeros_like(self.prompt_keys), self.prompt_keys, self.prompt_values], dim=1)  # (p, 3w)
        whole = whole.index_copy(0, free.nonzero()[:, 0], front.to(joined.dtype).repeat(count, 1))  # (T + n p, 3w)
        offsets = packed.offsets + torch.arange(count + 1) * length
        apart = buckets(offsets, causal=layout.causal, device=joined.device)
        return attend(whole, apart, self.config.heads, share).index_select(0, places)  # (T, w)

    def _before(self, prompt: Tensor, x: Tensor) -> Tensor:
        """Return ``(n, h, p + L, w/h)``: the prompt ``(p, w)`` in front of ``x (n, h, L, w/h)``."""
        apart = prompt.to(x.dtype).view(len(prompt), self.config.heads, -1).transpose(0, 1)  # (h, p, w/h)
        return torch.cat([apart.expand(len(x), -1, -1, -1), x], dim=2)


def add_deep_prompts(module: nn.Module, *, length: int = 16, seed: int = 0) -> int:
    """Give every layer of a model learned keys and values, freeze everything else; return what may move.

    Parameters
    ----------
    module
        With a ``ModuleList`` of :class:`~isogloss.nn.transformer.Layer` modules; changed in place.
    length
        Keys (and values) of each layer.
    seed
        Of the first ones.

    Raises
    ------
    UsageError
        Where there is no such layer, or the length is below 0.
    """
    stacks = [one for one in module.modules() if isinstance(one, nn.ModuleList) and any(type(a) is Layer for a in one)]
    if not stacks:
        raise UsageError("there is no layer to prompt", f"a {type(module).__name__} has none of ours")
    module.requires_grad_(False)
    with seeded(seed):
        for stack in stacks:
            for number, layer in enumerate(stack):
                if type(layer) is Layer:
                    stack[number] = PromptedLayer(layer, length)
    return trainable(module)
