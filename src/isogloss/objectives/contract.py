"""What an objective is given and what it gives back: a batch, and losses that nobody has reduced yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

Unit = Literal["item", "pair", "token", "batch"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of one training step.

    Attributes
    ----------
    columns
        What the model takes, one entry a column: ``(anchor, positive, negative_1, ...)``. For text each is a
        :class:`~isogloss.nn.packing.Packed` of ``size`` texts; for vectors or sound a tensor with ``size`` rows.
    labels
        ``(size, ...)`` targets or scores, or None.
    weights
        ``(size,)`` weight of each item, or None: all 1.
    keys
        ``(size, len(columns))`` int64: equal numbers stand for the same text or document wherever they appear in the
        batch, so that an objective never uses a right answer as a negative; None where nothing is known.
    source
        Name of the task or source that the batch was drawn from.
    extra
        Whatever a particular objective needs beside: masks, teacher vectors, targets by name.
    """

    columns: tuple[Any, ...]
    labels: Tensor | None = None
    weights: Tensor | None = None
    keys: Tensor | None = None
    source: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of items."""
        return len(self.columns[0])

    def take(self, start: int, stop: int) -> Batch:
        """Return the items ``start`` to ``stop``; what is in ``extra`` is cut where it is a tensor of ``size`` rows."""

        def rows(value: Any) -> Any:
            if value is None:
                return None
            if hasattr(value, "take") and not isinstance(value, Tensor):
                return value.take(start, stop)
            return value[start:stop]

        def beside(value: Any) -> Any:
            return rows(value) if hasattr(value, "__len__") and len(value) == self.size else value

        return Batch(
            tuple(rows(column) for column in self.columns), rows(self.labels), rows(self.weights), rows(self.keys),
            self.source, {name: beside(value) for name, value in self.extra.items()},
        )  # fmt: skip

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch on another device."""

        def move(value: Any) -> Any:
            return value.to(device) if hasattr(value, "to") else value

        return replace(
            self, columns=tuple(move(column) for column in self.columns), labels=move(self.labels),
            weights=move(self.weights), keys=move(self.keys),
            extra={name: move(value) for name, value in self.extra.items()},
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses of the single items (pairs, tokens) of a batch, before any reduction.

    The loop reduces ``sum(weights * values) / sum(weights)`` over accumulation steps and devices, so that a batch in
    pieces gives the gradient of the whole.

    Attributes
    ----------
    values
        ``(m,)`` differentiable.
    weights
        ``(m,)`` without gradient, or None: all 1. A weight of 0 takes an item out (padding, a masked false negative).
    unit
        What one value stands for: ``item``, ``pair``, ``token`` or ``batch`` (one value of the whole batch).
    parts
        Detached numbers for the log, by name: components, accuracies, how many false negatives were masked.

    Examples
    --------
    >>> losses = Losses(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 0.0]))
    >>> [float(x) for x in losses.totals()], float(losses.mean())
    ([1.0, 1.0], 1.0)
    """

    values: Tensor
    weights: Tensor | None = None
    unit: Unit = "item"
    parts: Mapping[str, Tensor | float] = field(default_factory=dict)

    def totals(self) -> tuple[Tensor, Tensor]:
        """Return ``sum(weights * values)`` and ``sum(weights)``."""
        if self.weights is None:
            return self.values.sum(), torch.tensor(float(self.values.numel()), device=self.values.device)
        weights = self.weights.to(self.values.dtype)
        kept = torch.where(weights > 0, self.values, torch.zeros_like(self.values))  # inf * 0 would be NaN
        return (kept * weights).sum(), weights.sum()

    def mean(self) -> Tensor:
        """Return the weighted mean, 0 where all weights are 0."""
        total, weight = self.totals()
        return total / weight.clamp_min(torch.finfo(total.dtype).tiny)


class Objective(Protocol):
    """A formula from a model's outputs and the batch to unreduced losses.

    ``outputs`` is a tuple of ``(size, d)`` vectors, one a column, for objectives on vectors; other objectives say in
    their docstring what they take. ``cacheable`` says that the losses depend on the batch through such vectors alone,
    so that gradient caching (GradCache, https://arxiv.org/abs/2101.06983) is exact.
    """

    @property
    def cacheable(self) -> bool:
        """Whether the losses depend on the batch through one vector an item and column alone."""
        ...

    def __call__(self, outputs: Any, batch: Batch) -> Losses:
        """Return the losses of one batch."""
        ...


def weighted_sum(parts: Mapping[str, tuple[float, Losses]]) -> Losses:
    """Join several losses of one batch into one: each part's weighted mean, times its factor, as a single value.

    Parameters
    ----------
    parts
        Name to ``(factor, losses)``. Parts of unlike units cannot be joined item by item, so the whole is one value of
        unit ``batch``; each part's mean stands in ``parts``.

    Examples
    --------
    >>> one = weighted_sum({"a": (1.0, Losses(torch.ones(2))), "b": (0.5, Losses(torch.full((3,), 4.0)))})
    >>> float(one.mean()), float(one.parts["b"])
    (3.0, 4.0)
    """
    means = {name: losses.mean() for name, (_, losses) in parts.items()}
    whole = torch.stack([factor * means[name] for name, (factor, _) in parts.items()]).sum()
    noted: dict[str, Tensor | float] = {name: mean.detach() for name, mean in means.items()}
    for name, (_, losses) in parts.items():
        noted |= {f"{name}.{part}": value for part, value in losses.parts.items()}
    return Losses(whole[None], unit="batch", parts=noted)  # (1,)
