"""Sentence vectors from the inner layers of a model: any layers, pooled and combined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, normalise
from isogloss.encoders.inner import InnerEncoder, content_rows
from isogloss.encoders.text_memory import BUDGET, Arrays, TextMemory
from isogloss.errors import UsageError
from isogloss.seeding import generator

Pooling = Literal["mean", "first", "max", "any"]
POOLINGS: tuple[Pooling, ...] = ("mean", "first", "max", "any")
_SLICE = 512  # texts whose token states lie in memory at once


class LayerPools:
    """Pooled states of several layers and poolings, remembered: one pass through the model serves a whole sweep.

    Parameters
    ----------
    base
        An encoder with ``states`` (see :class:`~isogloss.protocols.TokenStates`).
    layers
        0 for the embeddings' output, N for that of layer N, -1 for the last.
    poolings
        ``mean`` over the tokens, the ``first`` token ([CLS]), the ``max`` of each component, or ``any`` one token,
        drawn by the text itself.
    special_tokens
        Whether the tokens that the tokenizer adds take part in ``mean`` and ``max``; a text of no other token keeps
        them anyway.
    budget
        Most bytes remembered.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        pools = LayerPools(load_encoder("minilm"), layers=range(7))
        encoders = [LayerEncoder(pools, layers=(layer,), pooling="mean") for layer in range(7)]
    """

    def __init__(
        self,
        base: Any,
        *,
        layers: Sequence[int],
        poolings: Sequence[Pooling] = ("mean", "first", "max"),
        special_tokens: bool = True,
        budget: int = BUDGET,
    ) -> None:
        self.base = base
        self.layers, self.poolings = tuple(layers), tuple(poolings)
        self.special_tokens = special_tokens
        self._memory = TextMemory(self._pooled, budget=budget)
        self.lengths: dict[str, int] = {}
        unknown = sorted(set(self.poolings) - set(POOLINGS))
        if unknown or not self.layers or not self.poolings:
            why = f"{', '.join(unknown)} is unknown" if unknown else "no layer or no pooling is given"
            raise UsageError("these layers cannot be pooled", why, f"poolings are {', '.join(POOLINGS)}")

    def of(self, texts: Sequence[str]) -> Dense:
        """Return ``(n, layers, poolings, d)`` float32 of one text or more."""
        found = self._memory.of(texts)
        return np.stack([arrays[0] for arrays in found])

    def column(self, layer: int, pooling: Pooling) -> tuple[int, int]:
        """Return where a layer and a pooling stand in the result of :meth:`of`.

        Raises
        ------
        UsageError
            Where the one or the other is not kept here.
        """
        if layer not in self.layers or pooling not in self.poolings:
            why = f"layers {', '.join(map(str, self.layers))} by {', '.join(self.poolings)}"
            raise UsageError(f"layer {layer} by {pooling} is not kept here", f"kept are {why}")
        return self.layers.index(layer), self.poolings.index(pooling)

    def _pooled(self, texts: list[str]) -> list[Arrays]:
        out: list[Arrays] = []
        for start in range(0, len(texts), _SLICE):
            part = texts[start : start + _SLICE]
            states, spans = self.base.states(part, list(self.layers))
            masks = content_rows(spans, self.special_tokens)
            out.extend((self._one(*one),) for one in zip(part, states, masks, strict=True))
        return out

    def _one(self, text: str, rows: NDArray[Any], mask: NDArray[np.bool_]) -> Dense:
        """Pool the states ``(L, layers, d)`` of one text to ``(layers, poolings, d)``."""
        inside = rows[mask]
        by = {
            "mean": lambda: inside.mean(0),
            "first": lambda: rows[0],
            "max": lambda: inside.max(0),
            "any": lambda: inside[generator(0, "any token", text).integers(len(inside))],
        }
        return np.stack([by[pooling]() for pooling in self.poolings], axis=1).astype(np.float32)


class LayerEncoder(InnerEncoder):
    """A sentence vector from chosen layers: each is pooled over the tokens, then they are averaged or joined.

    Inner layers of a model that was trained for sentences behave like those of a plain language model, and a low and
    a high layer together are better than either ("WhiteningBERT", Huang et al. 2021,
    https://arxiv.org/abs/2104.01767; Ma et al. 2019, https://arxiv.org/abs/1910.07973).

    Parameters
    ----------
    base
        An encoder with ``states``, or :class:`LayerPools`, which several encoders can share.
    layers
        The layers, as in :class:`LayerPools`; from ``LayerPools`` by the numbers they were kept under.
    pooling
        ``"mean"``, ``"first"``, ``"max"`` or ``"any"``.
    combine
        ``"mean"`` of the layers' vectors, or ``"concat"``: side by side, each scaled to length one first, so that no
        layer outweighs the others.
    special_tokens
        As in :class:`LayerPools`; not used where one is given.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        LayerEncoder(load_encoder("minilm"), layers=(1, -1)).encode(["a small dog"])  # (1, 384)
    """

    def __init__(
        self,
        base: Any,
        *,
        layers: Sequence[int] = (1, -1),
        pooling: Pooling = "mean",
        combine: Literal["mean", "concat"] = "mean",
        special_tokens: bool = True,
    ) -> None:
        pools = base if isinstance(base, LayerPools) else LayerPools(
            base, layers=layers, poolings=(pooling,), special_tokens=special_tokens
        )  # fmt: skip
        if combine not in ("mean", "concat"):
            raise UsageError(f"layers are not combined by {combine!r}", "", "use mean or concat")
        self.pools, self.layers, self.pooling, self.combine = pools, tuple(layers), pooling, combine
        self._columns = [pools.column(layer, pooling) for layer in self.layers]
        super().__init__(pools.base, f"{'+'.join(map(str, self.layers))}:{pooling}", pools.lengths)

    def _settings(self) -> list[Any]:
        return [self.layers, self.pooling, self.combine, self.pools.special_tokens]

    def _vectors(self, texts: list[str]) -> Dense:
        pooled = self.pools.of(texts)
        parts = [pooled[:, layer, pooling] for layer, pooling in self._columns]
        if self.combine == "concat":
            return np.concatenate([normalise(part) for part in parts], axis=1)
        return np.asarray(np.mean(parts, axis=0), np.float32)
