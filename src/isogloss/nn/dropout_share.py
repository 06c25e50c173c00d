"""How much of a model's values is left out in training, set after it was made."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from torch import nn

from isogloss.errors import UsageError
from isogloss.nn.fused import FastDropout
from isogloss.nn.transformer import TransformerConfig

Module = TypeVar("Module", bound=nn.Module)


def set_dropout(module: Module, share: float) -> Module:
    """Drop this share of states and of attention weights in training, and return the module, which is changed.

    A model that was trained without dropout gives two equal vectors of a text; SimCSE
    (https://arxiv.org/abs/2104.08821), whose only difference between a text and itself is dropout, needs it back.

    Parameters
    ----------
    module
        With a :class:`~isogloss.nn.transformer.Transformer` somewhere inside.
    share
        0 up to, but not including, 1.

    Raises
    ------
    UsageError
        Where the share is none, or the module has no dropout of this kind.

    Examples
    --------
    >>> from isogloss.nn.transformer import Transformer
    >>> body = Transformer(TransformerConfig(vocabulary=9, width=8, layers=1, heads=2, inner=16, dropout=0.0))
    >>> set_dropout(body, 0.2).layers[0].dropout.share
    0.2
    """
    if not 0 <= share < 1:
        raise UsageError("a share of dropout is 0 or more, and less than 1", f"it is {share}")
    found = [part for part in module.modules() if isinstance(part, FastDropout)]
    if not found:
        raise UsageError("this module has no dropout to set", f"{type(module).__name__} has none of a transformer's")
    for drop in found:
        drop.share = share
    for part in module.modules():
        config = getattr(part, "config", None)
        if isinstance(config, TransformerConfig):
            part.config = replace(config, dropout=share, attention_dropout=share)  # type: ignore[assignment]
    return module
