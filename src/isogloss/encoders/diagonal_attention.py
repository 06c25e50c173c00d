"""Sentence vectors whose tokens weigh as much as they attend to themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from isogloss.arrays import Dense
from isogloss.encoders.inner import InnerEncoder, content_rows
from isogloss.encoders.text_memory import BUDGET, Arrays, TextMemory
from isogloss.errors import UsageError
from isogloss.seeding import generator

_SLICE = 512  # texts whose states lie in memory at once
Weights = Literal["diagonal", "permuted", "uniform"]


class TokenWeights:
    """Token vectors and attention diagonals of all heads, remembered: one pass serves a search over every head.

    Parameters
    ----------
    base
        An encoder with ``states`` and ``attention_diagonals``.
    states
        Layers whose token vectors are averaged; 0 for the embeddings' output, -1 for the last.
    layers
        Layers whose heads give weights; 0 for the first layer.
    special_tokens
        Whether tokens that the tokenizer adds take part; a text of no other token keeps them anyway.
    budget
        Most bytes remembered.
    """

    def __init__(
        self, base: Any, *, states: Sequence[int] = (1, -1), layers: Sequence[int], special_tokens: bool = True,
        budget: int = BUDGET,
    ) -> None:  # fmt: skip
        self.base = base
        self.states, self.layers, self.special_tokens = tuple(states), tuple(layers), special_tokens
        if not self.states or not self.layers:
            raise UsageError("there is nothing to weigh", "no layer is given", "name layers of states and of heads")
        self._memory = TextMemory(self._computed, budget=budget)
        self.lengths: dict[str, int] = {}

    def of(self, texts: Sequence[str]) -> list[Arrays]:
        """Return for each text its token vectors ``(L, d)`` and diagonals ``(L, layers, heads)``."""
        return self._memory.of(texts)

    def column(self, layer: int) -> int:
        """Return where a layer stands among those whose heads are kept; an unknown one is a ``UsageError``."""
        if layer not in self.layers:
            raise UsageError(
                f"heads of layer {layer} are not kept here", f"kept are {', '.join(map(str, self.layers))}"
            )
        return self.layers.index(layer)

    def _computed(self, texts: list[str]) -> list[Arrays]:
        out: list[Arrays] = []
        for start in range(0, len(texts), _SLICE):
            part = texts[start : start + _SLICE]
            states, spans = self.base.states(part, list(self.states))
            diagonals = self.base.attention_diagonals(part, list(self.layers))
            masks = content_rows(spans, self.special_tokens)
            for rows, own, mask in zip(states, diagonals, masks, strict=True):
                out.append((rows[mask].mean(1), own[mask]))  # (L, states, d) -> (L, d)
        return out


class DiagonalAttentionEncoder(InnerEncoder):
    """Mean of the token vectors, weighted by the diagonal of one head's attention map.

    With ``a_i`` the attention that token i pays to itself in that head, the vector is ``sum a_i h_i / sum a_i``:
    informative words look at themselves more. Nothing is trained; the head is chosen on scored pairs.

    Source: Chen et al. 2023, "Ditto" (https://arxiv.org/abs/2305.10786).

    Parameters
    ----------
    base
        An encoder with ``states`` and ``attention_diagonals``, or :class:`TokenWeights`, which encoders can share.
    layer, head
        Of the attention map, both counted from 0.
    states
        Layers whose token vectors are averaged; not used where :class:`TokenWeights` are given.
    weights
        ``"diagonal"``; ``"permuted"``, the same weights on other tokens of the same text (the placebo); ``"uniform"``,
        the plain mean.
    seed
        Of the permutation.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        DiagonalAttentionEncoder(load_encoder("minilm"), layer=0, head=9).encode(["a small dog"])  # (1, 384)
    """

    def __init__(
        self,
        base: Any,
        *,
        layer: int,
        head: int,
        states: Sequence[int] = (1, -1),
        weights: Weights = "diagonal",
        seed: int = 0,
    ) -> None:
        kept = base if isinstance(base, TokenWeights) else TokenWeights(base, states=states, layers=(layer,))
        if weights not in ("diagonal", "permuted", "uniform"):
            raise UsageError(f"there are no weights {weights!r}", "", "use diagonal, permuted or uniform")
        self.kept, self.layer, self.head, self.weights, self.seed = kept, layer, head, weights, seed
        self._column = kept.column(layer)
        super().__init__(kept.base, f"head {layer}-{head}", kept.lengths)

    def _settings(self) -> list[Any]:
        settings: list[Any] = [self.kept.states, self.kept.special_tokens, self.weights]
        if self.weights != "uniform":
            settings += [self.layer, self.head]
        return [*settings, self.seed] if self.weights == "permuted" else settings

    def _vectors(self, texts: list[str]) -> Dense:
        found = self.kept.of(texts)
        heads = found[0][1].shape[2]
        if not 0 <= self.head < heads:
            raise UsageError(f"head {self.head} does not exist", f"there are 0 to {heads - 1}")
        own = [self._weighted(text, diagonals) for text, (_, diagonals) in zip(texts, found, strict=True)]
        starts = np.cumsum([0, *map(len, own[:-1])])
        weighted = np.concatenate([rows for rows, _ in found])
        weighted *= np.concatenate(own)[:, None]
        return np.asarray(np.add.reduceat(weighted, starts, axis=0), np.float32)  # (T, d) -> (n, d)

    def _weighted(self, text: str, diagonals: Dense) -> Dense:
        """Return the weights ``(L,)`` of one text's tokens, of sum one."""
        own = diagonals[:, self._column, self.head]
        total = float(own.sum(dtype=np.float64))
        if self.weights == "uniform" or total <= 0:
            return np.full(len(own), 1 / len(own), np.float32)
        if self.weights == "permuted":
            own = own[generator(self.seed, "permuted weights", text).permutation(len(own))]
        return np.asarray(own / total, np.float32)
