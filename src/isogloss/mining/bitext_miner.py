"""A miner of translations: an encoder, a score, and a threshold that was chosen where the translations are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.errors import UsageError
from isogloss.mining.bitext import Bitext, Margin, Retrieval, best_threshold, mine_bitext

Pile: TypeAlias = Sequence[str] | Dense
"""Sentences, or a vector of each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BitextMiner:
    """Finds translations among two piles of sentences.

    Artetxe and Schwenk, "Margin-based Parallel Corpus Mining with Multilingual Sentence Embeddings" (2018,
    https://arxiv.org/abs/1811.01136).

    Attributes
    ----------
    encoder
        Of both languages, with dense vectors; None where vectors are given in the place of texts.
    k, margin, retrieval, strangers
        As of :func:`~isogloss.mining.bitext.mine_bitext`.
    threshold
        Least score of a pair.

    Examples
    --------
    >>> class Letters:
    ...     def encode(self, texts):
    ...         return np.array([[text.lower().count(letter) for letter in "aot"] for text in texts], np.float32)
    >>> miner = BitextMiner(encoder=Letters(), k=1)
    >>> found = miner.tuned(["Tor", "Tal"], ["tall", "door"], np.array([-1, 0])).mine(["Saat"], ["at", "so"])
    >>> found.source.tolist(), found.target.tolist()
    ([0], [0])
    """

    encoder: Any = None
    k: int = 4
    margin: Margin = "ratio"
    retrieval: Retrieval = "max"
    strangers: int | None = None
    threshold: float = -math.inf

    def mine(self, source: Pile, target: Pile) -> Bitext:
        """Return the pairs that reach the threshold, by falling score."""
        settings: Any = {"k": self.k, "margin": self.margin, "retrieval": self.retrieval, "strangers": self.strangers}
        return mine_bitext(self._vectors(source), self._vectors(target), **settings).above(self.threshold)

    def tuned(self, source: Pile, target: Pile, gold: NDArray[np.int64]) -> Self:
        """Return the miner with the threshold that finds known translations with the best F1.

        ``gold (n,)`` is the row of each source sentence's translation in ``target``, -1 where it has none.
        """
        every = replace(self, threshold=-math.inf).mine(source, target)
        right = gold[every.source] == every.target
        return replace(self, threshold=best_threshold(every, right, int((gold >= 0).sum())).value)

    def _vectors(self, pile: Pile) -> Dense:
        if isinstance(pile, np.ndarray):
            return pile
        if self.encoder is None:
            raise UsageError("sentences cannot be compared", "the miner has no encoder", "give one, or vectors")
        return np.asarray(self.encoder.encode(list(pile)), np.float32)
