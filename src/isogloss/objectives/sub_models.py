"""An objective at sub-models: some layer's vectors, cut to some width, beside the whole model's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses, Objective, weighted_sum
from isogloss.objectives.similarity import matrix

Rung: TypeAlias = tuple[int, int]
"""A layer, and how many first numbers of its vectors."""


@dataclass(frozen=True, slots=True)
class DrawnCross:
    """At every step one layer and one width: whole, cut, shallow, and both.

    Source: Li et al. 2024, "2D Matryoshka Sentence Embeddings" (https://arxiv.org/abs/2402.14776).

    Attributes
    ----------
    layers, widths
        What is drawn from, with torch's random numbers, which a training step seeds.
    whole
        The last layer and its width.

    Examples
    --------
    >>> DrawnCross((1,), (4,), (3, 8))()
    ((3, 8), (1, 8), (3, 4), (1, 4))
    """

    layers: tuple[int, ...]
    widths: tuple[int, ...]
    whole: Rung

    def __call__(self) -> tuple[Rung, ...]:
        """Return the rungs of a step."""
        layer, width = _drawn(self.layers), _drawn(self.widths)
        return self.whole, (layer, self.whole[1]), (self.whole[0], width), (layer, width)


@dataclass(frozen=True, slots=True)
class DrawnRungs:
    """At every step the whole model and ``count`` rungs, each of a drawn layer and a drawn width.

    Attributes
    ----------
    layers, widths, count, whole
        As in :class:`DrawnCross`; how many.

    Examples
    --------
    >>> DrawnRungs((1,), (4,), 2, (3, 8))()
    ((3, 8), (1, 4), (1, 4))
    """

    layers: tuple[int, ...]
    widths: tuple[int, ...]
    count: int
    whole: Rung

    def __call__(self) -> tuple[Rung, ...]:
        """Return the rungs of a step."""
        return (self.whole, *((_drawn(self.layers), _drawn(self.widths)) for _ in range(self.count)))


@dataclass(frozen=True, slots=True)
class FixedLadder:
    """The same rungs at every step.

    Source: Zhuang et al. 2024, "Starbucks: Improved Training for 2D Matryoshka Embeddings"
    (https://arxiv.org/abs/2410.13230). With the last layer alone these are the widths of Matryoshka representations.

    Attributes
    ----------
    rungs
        Layers and widths.
    """

    rungs: tuple[Rung, ...]

    def __call__(self) -> tuple[Rung, ...]:
        """Return the rungs of a step."""
        return self.rungs


class SubModels(nn.Module):
    """An objective at several sub-models, each drawn towards the whole model's similarities.

    The loss is the sum over rungs of ``L(v_n^d) + alignment * KL(softmax(s_N^D / t) || softmax(s_n^d / t))``, where
    ``v_n^d`` are the first ``d`` numbers of the vectors of layer ``n``, and ``s`` the cosines between the first
    column's texts and all texts of the other columns of the batch. The whole model is the deepest and widest rung of
    the step; it gets no gradient from the divergence. One value a batch. An item of weight 0 is neither a row nor a
    candidate. Not cacheable: it needs more than one vector a text.

    Sources: Li et al. 2024, "2D Matryoshka Sentence Embeddings" (https://arxiv.org/abs/2402.14776), with
    :class:`DrawnCross`; Zhuang et al. 2024, "Starbucks" (https://arxiv.org/abs/2410.13230), with :class:`FixedLadder`.

    Parameters
    ----------
    inner
        Any objective on vectors that takes vectors of every width; its labels are not cut.
    rungs
        Gives the layers and widths of a step.
    alignment
        Weight of the divergence; 0: none.
    temperature
        Of its soft-maxes.

    Raises
    ------
    UsageError
        Where a step has no rung, or one that the outputs do not have.

    Examples
    --------
    >>> from isogloss.objectives.in_batch import InBatchSoftmax
    >>> x = torch.eye(4)
    >>> objective = SubModels(InBatchSoftmax(), FixedLadder(((1, 2), (2, 4))))
    >>> losses = objective({1: (x, x), 2: (x, x)}, Batch((x, x)))
    >>> sorted(name for name in losses.parts if "." not in name)
    ['1/2', '2/4', 'alignment 1/2']
    """

    cacheable = False

    def __init__(
        self, inner: Objective, rungs: Callable[[], tuple[Rung, ...]], *, alignment: float = 1.0,
        temperature: float = 0.05,
    ) -> None:  # fmt: skip
        super().__init__()
        self.inner, self.rungs, self.alignment, self.temperature = inner, rungs, alignment, temperature

    def forward(self, outputs: Mapping[int, tuple[Tensor, ...]], batch: Batch) -> Losses:
        """Return one value of the batch for ``{layer: (column vectors ...)}``, each ``(size, d)``."""
        rungs = list(dict.fromkeys(self.rungs()))
        if not rungs:
            raise UsageError("there are no sub-models", "a step needs at least one layer and width")
        whole = max(rungs)
        target = self._likeness(_cut(outputs, whole), batch.weights).detach()
        parts: dict[str, tuple[float, Losses]] = {}
        for rung in rungs:
            cut, name = _cut(outputs, rung), f"{rung[0]}/{rung[1]}"
            parts[name] = (1.0, self.inner(cut, batch))
            if self.alignment and rung != whole:
                parts[f"alignment {name}"] = (self.alignment, self._towards(target, cut, batch.weights))
        return weighted_sum(parts)

    def _towards(self, target: Tensor, cut: tuple[Tensor, ...], weights: Tensor | None) -> Losses:
        own = self._likeness(cut, weights)
        values = functional.kl_div(own, target, reduction="none", log_target=True).sum(1)  # (kept,)
        return Losses(values, None if weights is None else weights[weights > 0])

    def _likeness(self, columns: tuple[Tensor, ...], weights: Tensor | None) -> Tensor:
        """Return the logs of the soft-maxes over the batch, ``(kept, kept * (columns - 1))``."""
        first, *others = columns if weights is None else (column[weights > 0] for column in columns)
        return (matrix(first, torch.cat(others)) / self.temperature).log_softmax(1)


def _cut(outputs: Mapping[int, tuple[Tensor, ...]], rung: Rung) -> tuple[Tensor, ...]:
    layer, width = rung
    if layer not in outputs or not 1 <= width <= outputs[layer][0].shape[1]:
        known = {name: columns[0].shape[1] for name, columns in outputs.items()}
        raise UsageError(f"layer {layer} has no {width} numbers", f"layers and their widths are {known}")
    return tuple(column[:, :width] for column in outputs[layer])  # (size, width) each


def _drawn(choices: tuple[int, ...]) -> int:
    return choices[int(torch.randint(len(choices), ()))]
