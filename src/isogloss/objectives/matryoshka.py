"""Vectors whose first numbers, and models whose first layers, serve alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses, Objective, weighted_sum


class Matryoshka(nn.Module):
    """An objective on vectors, at several widths at once: the first 32 numbers, the first 64, all.

    One value a batch: the sum over the widths. Where the labels, or ``extra["teacher"]``, are vectors as wide as the
    outputs they are cut with them.

    Source: Kusupati et al. 2022, "Matryoshka Representation Learning" (https://arxiv.org/abs/2205.13147).

    Parameters
    ----------
    inner
        Any objective on vectors that takes vectors of every width.
    widths
        How many first numbers, each time.
    factors
        Of each width's loss; None: 1 each.

    Examples
    --------
    >>> from isogloss.objectives.in_batch import InBatchSoftmax
    >>> x = torch.eye(4)
    >>> losses = Matryoshka(InBatchSoftmax(), widths=(2, 4))((x, x), Batch((x, x)))
    >>> sorted(name for name in losses.parts if "." not in name), losses.unit
    (['2', '4'], 'batch')
    """

    def __init__(self, inner: Objective, *, widths: tuple[int, ...], factors: tuple[float, ...] | None = None) -> None:
        super().__init__()
        if not widths or min(widths) < 1:
            raise UsageError(f"the widths are {widths}", "at least one is needed, and each is at least 1")
        if factors is not None and len(factors) != len(widths):
            raise UsageError(f"{len(widths)} widths, {len(factors)} factors", "each width has one factor")
        self.inner, self.widths, self.factors = inner, widths, factors  # a module is found as a part

    @property
    def cacheable(self) -> bool:
        """Whether the inner objective is."""
        return self.inner.cacheable

    def forward(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one value of the batch for columns of ``(size, d)`` vectors."""
        whole = outputs[0].shape[1]
        if max(self.widths) > whole:
            raise UsageError(f"a width of {max(self.widths)} was asked for", f"the vectors have {whole} numbers")
        factors = self.factors or (1.0,) * len(self.widths)
        parts = {}
        for width, factor in zip(self.widths, factors, strict=True):
            cut = tuple(column[:, :width] for column in outputs)  # (size, width) each
            parts[str(width)] = (factor, self.inner(cut, _cut_targets(batch, whole, width)))
        return weighted_sum(parts)


def _cut_targets(batch: Batch, whole: int, width: int) -> Batch:
    """Return the batch with labels and teacher vectors of ``whole`` numbers cut to ``width``."""

    def cut(value: Any) -> Any:
        fits = isinstance(value, Tensor) and value.ndim >= 2 and value.shape[-1] == whole
        return value[..., :width] if fits else value

    extra = {name: cut(value) if name == "teacher" else value for name, value in batch.extra.items()}
    return Batch(batch.columns, cut(batch.labels), batch.weights, batch.keys, batch.source, extra)


class LayerMatryoshka(nn.Module):
    """An objective on vectors, at several layers of the model: outputs are ``{layer: (column vectors ...)}``.

    The last entry is the whole model; earlier ones share ``earlier`` equally, and are drawn towards the whole model's
    vectors by the Kullback-Leibler divergence of the soft-maxes over the vectors' numbers. Over layers and widths
    (2D Matryoshka) take a :class:`Matryoshka` as the inner objective. Not cacheable: it needs more than one vector a
    text.

    Source: Li et al. 2024, "2D Matryoshka Sentence Embeddings" (https://arxiv.org/abs/2402.14776).

    Parameters
    ----------
    inner
        Any objective on vectors.
    earlier
        Weight of the earlier layers' losses, all together.
    alignment
        Weight of the divergence; 0: none.
    temperature
        Of its soft-maxes.

    Examples
    --------
    >>> from isogloss.objectives.in_batch import InBatchSoftmax
    >>> x = torch.eye(4)
    >>> losses = LayerMatryoshka(InBatchSoftmax())({3: (x, x), 6: (x, x)}, Batch((x, x)))
    >>> sorted(name for name in losses.parts if "." not in name)
    ['alignment 3', 'layer 3', 'layer 6']
    """

    cacheable = False

    def __init__(
        self, inner: Objective, *, earlier: float = 1.0, alignment: float = 1.0, temperature: float = 0.3
    ) -> None:
        super().__init__()
        self.inner = inner
        self.earlier, self.alignment, self.temperature = earlier, alignment, temperature

    def forward(self, outputs: dict[int, tuple[Tensor, ...]], batch: Batch) -> Losses:
        """Return one value of the batch."""
        if not outputs:
            raise UsageError("there are no layers", "the forward pass must give {layer: vectors of each column}")
        *before, last = sorted(outputs)
        parts = {f"layer {last}": (1.0, self.inner(outputs[last], batch))}
        share = self.earlier / max(1, len(before))
        for layer in before:
            parts[f"layer {layer}"] = (share, self.inner(outputs[layer], batch))
            if self.alignment:
                parts[f"alignment {layer}"] = (share * self.alignment, self._towards(outputs, layer, last, batch))
        return weighted_sum(parts)

    def _towards(self, outputs: dict[int, tuple[Tensor, ...]], layer: int, last: int, batch: Batch) -> Losses:
        pairs = list(zip(outputs[layer], outputs[last], strict=True))
        values = torch.stack([spread_divergence(own, whole.detach(), self.temperature) for own, whole in pairs])
        return Losses(values.mean(0), batch.weights)  # (n,)


def spread_divergence(own: Tensor, target: Tensor, temperature: float) -> Tensor:
    """Return the divergence of soft-maxes over the numbers of a vector, times the temperature: ``(n, d)`` to ``(n,)``.

    Examples
    --------
    >>> spread_divergence(torch.eye(2), torch.eye(2), 0.3).tolist()
    [0.0, 0.0]
    """
    logs, wanted = (own / temperature).log_softmax(1), (target / temperature).log_softmax(1)  # (n, d)
    return functional.kl_div(logs, wanted, reduction="none", log_target=True).sum(1) * temperature  # (n,)
