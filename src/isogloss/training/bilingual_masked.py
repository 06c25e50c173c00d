"""A masked model of several languages and what it learns from: texts, one tokenizer, each language's frequent words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.encoders.words_in_context import mean_in_context
from isogloss.learners.vocabulary_counts import count_words
from isogloss.nn.heads import TokenPredictor
from isogloss.text.words import words as words_of
from isogloss.training.body_encoder import BodyEncoder
from isogloss.training.masked_model import hiding
from isogloss.training.tokenizer_learning import word_pieces
from isogloss.training.word_alignment import (
    aligned_task,
    foretold_states,
    hidden_nats,
    masked_from_nothing,
    spelled,
    trained,
)

SHARE = 0.3
"""Of the hidden tokens in training; 15 % in tests."""


@dataclass(frozen=True, slots=True)
class Languages:
    """Plain texts of several languages, the word pieces of all of them, and the frequent words of each.

    Attributes
    ----------
    texts
        Of each language; no text needs a translation.
    pieces
        A ``tokenizers.Tokenizer``.
    known
        The most frequent words of each language, as :func:`isogloss.text.words.words` folds them.
    longest
        Tokens of a text, marks included.

    Examples
    --------
    >>> english, german = ["A hen and a den.", "The hen."] * 30, ["Eine Henne.", "Das Huhn."] * 30
    >>> two = Languages.of([english, german], pieces=60, known=2)
    >>> two.known[1]
    ('eine', 'henne')
    """

    texts: tuple[list[str], ...]
    pieces: Any
    known: tuple[tuple[str, ...], ...]
    longest: int

    @classmethod
    def of(
        cls, texts: Sequence[Sequence[str]], *, pieces: int = 4096, known: int = 700, longest: int = 48
    ) -> Languages:
        """Make word pieces of all texts, and find the ``known`` most frequent words of each language."""
        plain = tuple(list(some) for some in texts)
        counted = [count_words([_folded(one) for one in some], min_count=1, largest=known) for some in plain]
        whole = word_pieces([one for some in plain for one in some], pieces)
        return cls(plain, whole, tuple(tuple(one.words) for one in counted), longest)

    def pretrained(self, *, steps: int, learning_rate: float = 5e-3, batch_size: int = 64, seed: int) -> TokenPredictor:
        """Return a masked model that was trained on all texts from nothing."""
        tokens, _ = spelled([one for some in self.texts for one in some], self.pieces, self.longest)
        return masked_from_nothing(
            tokens, hiding(self.pieces, share=SHARE), steps=steps, learning_rate=learning_rate, batch_size=batch_size,
            seed=seed,
        )  # fmt: skip

    def static(self, predictor: TokenPredictor) -> list[Dense]:
        """Return a vector of each known word out of a model, ``(V, d)`` a language: what it foretells for the word."""
        mask, found = self.pieces.token_to_id("[MASK]"), []
        for texts, words in zip(self.texts, self.known, strict=True):
            states = foretold_states(predictor.body, self.pieces, words, mask=mask, longest=self.longest)
            found.append(mean_in_context(states, texts, words)[0])
        return found

    def continued(
        self, predictor: TokenPredictor, targets: Sequence[Dense], *, weight: float, steps: int,
        learning_rate: float = 2e-3, batch_size: int = 64, seed: int,
    ) -> TokenPredictor:  # fmt: skip
        """Return a copy of a model that learned on, its words drawn to ``targets (V, d)`` of each language.

        With ``weight=0`` it is as many steps of masked language modelling alone, on the same batches.
        """
        task = aligned_task(
            predictor, self.texts, list(zip(self.known, targets, strict=True)), self.pieces,
            hiding(self.pieces, share=SHARE), weight=weight, longest=self.longest, batch_size=batch_size, seed=seed,
        )  # fmt: skip
        return trained(task, steps, learning_rate=learning_rate, seed=seed)

    def encoder(self, predictor: TokenPredictor, *, name: str = "languages") -> BodyEncoder:
        """Return the model as an encoder: the mean of a text's states."""
        first, last = (self.pieces.token_to_id(mark) for mark in ("[CLS]", "[SEP]"))
        return BodyEncoder(
            predictor.body, self.pieces, before=[first], after=[last], window=self.longest, name=name
        )  # fmt: skip

    def nats(self, predictor: TokenPredictor, texts: Sequence[str], *, seed: int = 0) -> NDArray[np.float64]:
        """Return ``(m, 2)``: nats of each hidden token of held-out texts, and the number of its text."""
        tokens, _ = spelled(texts, self.pieces, self.longest)
        return np.column_stack(hidden_nats(predictor, tokens, hiding(self.pieces, only_masks=True), seed=seed))


def _folded(text: str) -> list[str]:
    return [word for word, _, _ in words_of(text)]


def in_rows(pairs: Any, odd: int) -> list[int]:
    """Return which distinct texts of some pairs stand in rows of one parity only, numbered as they first appear.

    Where pairs are translated row by row, the even rows of one language and the odd ones of the other hold no
    translation of each other, even where texts come again.

    Parameters
    ----------
    pairs
        With ``left`` and ``right``.
    odd
        0 for the even rows, 1 for the odd ones.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> in_rows(SimpleNamespace(left=["a", "c"], right=["b", "a"]), 0)
    [1]
    """
    rows: dict[str, set[int]] = {}
    for row, pair in enumerate(zip(pairs.left, pairs.right, strict=True)):
        for text in filter(str.strip, pair):
            rows.setdefault(text, set()).add(row % 2)
    return [number for number, at in enumerate(rows.values()) if at == {odd}]
