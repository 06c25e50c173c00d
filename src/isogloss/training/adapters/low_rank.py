"""Low-rank updates of linear layers: two thin matrices learn beside a weight at rest, and can be added to it."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.nn.fused import linears
from isogloss.training.adapters.freezing import trainable
from isogloss.training.randomness import seeded

ATTENTION = ("*.query", "*.value")
"""Layers that the paper adapts."""


class LowRankLinear(nn.Module):
    """``W x + b + (alpha / rank) B A x`` with ``W`` and ``b`` at rest; ``B`` begins at zero: nothing changes.

    LoRA, Hu et al. 2022 (https://arxiv.org/abs/2106.09685).

    Parameters
    ----------
    base
        The layer.
    rank, alpha
        Rows of ``A (rank, inputs)``; strength of the update.
    dropout
        Share of the inputs of ``A`` that are dropped in training.

    Examples
    --------
    >>> base = nn.Linear(3, 2)
    >>> adapted = LowRankLinear(base, rank=1)
    >>> bool(torch.equal(adapted(torch.ones(1, 3)), base(torch.ones(1, 3))))
    True
    """

    def __init__(self, base: nn.Linear, *, rank: int = 8, alpha: float = 16.0, dropout: float = 0.0) -> None:
        super().__init__()
        if rank < 1 or rank > min(base.in_features, base.out_features):
            why = f"the layer is {base.out_features} x {base.in_features}"
            raise UsageError(f"the rank of an update cannot be {rank}", why, "give 1 to the smaller side")
        self.base, self.scale = base.requires_grad_(False), alpha / rank
        self.down = nn.Parameter(torch.empty(rank, base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(T, outputs)`` for ``(T, inputs)``."""
        out = linears(x, (self.base,))  # (T, outputs)
        return out + (self.dropout(x) @ self.down.T @ self.up.T) * self.scale  # (T, rank), (T, outputs)

    def merged(self) -> nn.Linear:
        """Return a plain layer with the update added to its weight."""
        with torch.no_grad():
            self.base.weight.add_(self.scale * (self.up @ self.down))  # (outputs, inputs)
        return self.base


def add_low_rank(
    module: nn.Module, *, rank: int = 8, alpha: float = 16.0, dropout: float = 0.0, layers: Sequence[str] = ATTENTION,
    seed: int = 0,
) -> int:  # fmt: skip
    """Give the linear layers whose names match a low-rank update, freeze everything else; return what may move.

    Parameters
    ----------
    module
        Changed in place.
    rank, alpha, dropout
        See :class:`LowRankLinear`.
    layers
        Patterns of names; queries and values by default. ``"*"`` takes every linear layer.
    seed
        Of the first weights.

    Raises
    ------
    UsageError
        Where no linear layer has such a name.

    Examples
    --------
    >>> add_low_rank(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), rank=1, layers=["1"])
    8
    """
    places = [
        (parent, name)
        for path, parent in module.named_modules()
        for name, child in parent.named_children()
        if type(child) is nn.Linear and any(fnmatchcase(f"{path}.{name}".lstrip("."), one) for one in layers)
    ]
    if not places:
        raise UsageError(f"no linear layer is called {' or '.join(layers)}", f"in a {type(module).__name__}")
    module.requires_grad_(False)
    with seeded(seed):
        for parent, name in places:
            setattr(parent, name, LowRankLinear(getattr(parent, name), rank=rank, alpha=alpha, dropout=dropout))
    return trainable(module)


def merge_low_rank(module: nn.Module) -> int:
    """Put plain layers with the updates added in place of all adapted ones, and return how many these were.

    All weights may move again afterwards. The layers' names are those from before, so that the model can be saved.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(4, 4))
    >>> add_low_rank(model, layers=["*"], rank=2), merge_low_rank(model), type(model[0]).__name__
    (16, 1, 'Linear')
    """
    found = [
        (parent, name, child)
        for parent in module.modules()
        for name, child in parent.named_children()
        if isinstance(child, LowRankLinear)
    ]
    for parent, name, child in found:
        setattr(parent, name, child.merged())
    module.requires_grad_(True)
    return len(found)
