"""Bottleneck adapters: small residual networks behind the two halves of every layer."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.nn.transformer import Layer
from isogloss.training.adapters.freezing import trainable
from isogloss.training.randomness import seeded


class Bottleneck(nn.Module):
    """``y + U gelu(D y + d) + u`` behind a layer's output ``y``; ``U`` and ``u`` begin at zero.

    Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP" (https://arxiv.org/abs/1902.00751).

    Parameters
    ----------
    inner
        The linear layer whose output is adapted; it is not trained.
    size
        Width of the bottleneck.

    Attributes
    ----------
    active
        Whether it is there; without it the layer is the one from before, see :func:`activate`.

    Examples
    --------
    >>> import torch
    >>> inner = nn.Linear(3, 4)
    >>> bool(torch.equal(Bottleneck(inner, 2)(torch.ones(1, 3)), inner(torch.ones(1, 3))))
    True
    """

    def __init__(self, inner: nn.Linear, size: int = 32) -> None:
        super().__init__()
        if size < 1:
            raise UsageError("a bottleneck needs a width", f"it is {size}", "give 1 or more")
        self.inner, self.active = inner.requires_grad_(False), True
        self.down, self.up = nn.Linear(inner.out_features, size), nn.Linear(size, inner.out_features)
        nn.init.normal_(self.down.weight, std=0.02)
        for parameter in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(T, outputs)`` for ``(T, inputs)``."""
        y: Tensor = self.inner(x)  # (T, outputs)
        if not self.active:
            return y
        return y + self.up(functional.gelu(self.down(y)))  # (T, size), (T, outputs)


def add_bottlenecks(module: nn.Module, *, size: int = 32, norms: bool = True, seed: int = 0) -> int:
    """Put a bottleneck behind attention and feed-forward part of every layer; freeze the rest; return what may move.

    Parameters
    ----------
    module
        With :class:`~isogloss.nn.transformer.Layer` modules; changed in place.
    size
        Width of each bottleneck.
    norms
        Let the layer norms of these layers move too, as in the paper.
    seed
        Of the first weights.

    Raises
    ------
    UsageError
        Where there is no such layer.
    """
    layers = [one for one in module.modules() if isinstance(one, Layer)]
    if not layers:
        raise UsageError("there is no layer to adapt", f"a {type(module).__name__} has none of ours")
    module.requires_grad_(False)
    with seeded(seed):
        for layer in layers:
            for name in ("attention_out", "down"):
                inner = getattr(layer, name, None)
                if isinstance(inner, nn.Linear):  # a mixture of experts has no single one
                    setattr(layer, name, Bottleneck(inner, size))
    if norms:
        for layer in layers:
            layer.attention_norm.requires_grad_(True)
            layer.out_norm.requires_grad_(True)
    return trainable(module)


def activate(module: nn.Module, on: bool = True) -> int:
    """Switch all bottlenecks of a model on or off, and return how many these are.

    Switched off, a model whose norms did not move is the one from before, to the bit.

    Raises
    ------
    UsageError
        Where there is none.

    Examples
    --------
    >>> activate(nn.Sequential(Bottleneck(nn.Linear(2, 2), 1)), on=False)
    1
    """
    found = [one for one in module.modules() if isinstance(one, Bottleneck)]
    if not found:
        raise UsageError("there is no bottleneck to switch", f"a {type(module).__name__} has none", "add them first")
    for one in found:
        one.active = on
    return len(found)
