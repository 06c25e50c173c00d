"""A sentence encoder as a torch module: transformer, pooling, dense layers, normalisation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.nn.packing import Packed
from isogloss.nn.pooling import PoolingMode, pool
from isogloss.nn.transformer import Transformer

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "Identity": nn.Identity,
    "Tanh": nn.Tanh,
    "ReLU": nn.ReLU,
    "GELU": nn.GELU,
    "SiLU": nn.SiLU,
    "Sigmoid": nn.Sigmoid,
    "LeakyReLU": nn.LeakyReLU,
    "ReLU6": nn.ReLU6,
    "ELU": nn.ELU,
    "Softplus": nn.Softplus,
    "Softsign": nn.Softsign,
    "Mish": nn.Mish,
}
"""Activation functions of dense layers by their names in ``torch.nn``; all act on each number alone."""


class Normalise(nn.Module):
    """Scales each vector ``(n, d)`` to length one; a vector of zeros stays as it is."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the scaled vectors."""
        return functional.normalize(x, dim=-1)


class LayerNorm(nn.Module):
    """Centres and scales each vector ``(n, d)`` to unit variance, with a gain and a shift.

    Layer Normalization (https://arxiv.org/abs/1607.06450), as a module behind the pooling.

    Parameters
    ----------
    size
        Components of a vector.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.norm = nn.LayerNorm(size)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scaled vectors."""
        out: Tensor = self.norm(x)
        return out


class DenseLayer(nn.Module):
    """``activation(x W^T + b)``, plus ``x`` (or its projection) where it is residual.

    Parameters
    ----------
    inputs, outputs
        Components before and after.
    bias
        Whether there is a ``b``.
    activation
        A name in :data:`ACTIVATIONS`, or ``"Softmax"`` over the components.
    residual
        Add the input, projected where the sizes differ.

    Examples
    --------
    >>> layer = DenseLayer(3, 2, activation="Identity")
    >>> tuple(layer(torch.ones(4, 3)).shape)
    (4, 2)
    """

    def __init__(
        self, inputs: int, outputs: int, *, bias: bool = True, activation: str = "Tanh", residual: bool = False
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=bias)
        self.activation_name = activation
        self.activation = nn.Softmax(dim=-1) if activation == "Softmax" else ACTIVATIONS[activation]()
        self.residual_input = residual
        self.residual = nn.Linear(inputs, outputs, bias=False) if residual and inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(n, outputs)`` for ``(n, inputs)``."""
        out: Tensor = self.activation(self.linear(x))  # (n, outputs)
        if self.residual_input:
            out = out + (x if self.residual is None else self.residual(x))
        return out


class SentenceModel(nn.Module):
    """One vector a text: a transformer's states, pooled, sent through dense layers, scaled to length one.

    The bi-encoder of Sentence-BERT (https://arxiv.org/abs/1908.10084).

    Parameters
    ----------
    transformer
        Gives ``(T, width)`` states of packed tokens.
    pooling
        Modes of :func:`~isogloss.nn.pooling.pool`, joined in this order.
    dense
        Modules on ``(n, d)`` vectors, applied in order.
    normalise
        Scale the result to length one.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> from isogloss.nn.transformer import TransformerConfig
    >>> model = SentenceModel(Transformer(TransformerConfig(vocabulary=9, width=8, layers=1, heads=2, inner=16)))
    >>> tuple(model(pack([np.array([1, 2, 3]), np.array([4])])).shape)
    (2, 8)
    """

    def __init__(
        self,
        transformer: Transformer,
        *,
        pooling: Sequence[PoolingMode] = ("mean",),
        dense: Sequence[nn.Module] = (),
        normalise: bool = True,
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.pooling: tuple[PoolingMode, ...] = tuple(pooling)
        self.dense = nn.ModuleList(dense)
        self.normalise = normalise

    @property
    def dimensions(self) -> int:
        """Components of a vector."""
        width = self.transformer.config.width * len(self.pooling)
        for step in self.dense:
            width = step.linear.out_features if isinstance(step, DenseLayer) else width
        return width

    def forward(self, packed: Packed, *, skip: int = 0) -> Tensor:
        """Return ``(n, d)`` float32; the first ``skip`` tokens of each text take no part in the pooling."""
        return self.finish(self.transformer(packed), packed, skip=skip)

    def finish(self, states: Tensor, packed: Packed, *, skip: int = 0) -> Tensor:
        """Return the vectors ``(n, d)`` of states ``(T, width)`` that are there already."""
        with torch.autocast(states.device.type, enabled=False):  # few rows: float32 costs nothing here
            x = pool(states, packed, self.pooling, skip=skip)  # (n, modes * width)
            for step in self.dense:
                x = step(x)
            return functional.normalize(x, dim=-1) if self.normalise else x
