"""Which weights may move: by patterns of their names, biases alone, the top layers."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from isogloss.errors import UsageError


def freeze(module: nn.Module, *, only: Sequence[str] | str) -> int:
    """Let only the weights whose names match one of the patterns move, and return how many numbers these are.

    Parameters
    ----------
    module
        Changed in place: ``requires_grad`` of each parameter.
    only
        Patterns with ``*``, ``?`` and ``[...]`` over whole names such as ``layers.3.query.weight``.

    Raises
    ------
    UsageError
        Where a pattern matches nothing: a typing error would otherwise freeze in silence.

    Examples
    --------
    >>> freeze(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)), only="1.*")
    3
    """
    patterns = [only] if isinstance(only, str) else list(only)
    names = [name for name, _ in module.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            shown = f"{len(names)} weights: {', '.join(names[:3])} ..."
            raise UsageError(f"no weight is called {pattern!r}", shown, "mend the pattern")
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(any(fnmatchcase(name, pattern) for pattern in patterns))
    return trainable(module)


def freeze_but_biases(module: nn.Module) -> int:
    """Let only biases move, those of norms among them, and return how many numbers these are.

    BitFit, Ben Zaken et al. 2022 (https://arxiv.org/abs/2106.10199).

    Examples
    --------
    >>> freeze_but_biases(nn.Linear(3, 2))
    2
    """
    return freeze(module, only=["*bias"])


def freeze_below(transformer: nn.Module, layer: int) -> int:
    """Let only the layers from number ``layer`` (0 the first) upwards move, and return how many numbers these are.

    Parameters
    ----------
    transformer
        With ``layers``.
    layer
        The lowest one that moves; negative numbers count from the top.

    Raises
    ------
    UsageError
        Where there is no such layer.
    """
    layers: nn.ModuleList = transformer.layers  # type: ignore[assignment]
    count = len(layers)
    if not -count <= layer < count:
        raise UsageError(f"there is no layer {layer}", f"the model has {count}", f"0 to {count - 1}")
    transformer.requires_grad_(False)
    for one in layers[layer % count :]:
        one.requires_grad_(True)
    return trainable(transformer)


def trainable(module: nn.Module) -> int:
    """Return how many numbers of a module may move.

    Examples
    --------
    >>> trainable(nn.Linear(3, 2))
    8
    """
    return sum(one.numel() for one in module.parameters() if one.requires_grad)
