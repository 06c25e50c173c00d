"""Noise in texts as recognisers of speech make it: words replaced by words that sound and are used alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.seeding import generator
from isogloss.text.pronunciation import sound_distances

_WORD = re.compile(r"[A-Za-z]+")


@dataclass(slots=True)
class SpokenSubstitution:
    """Replaces words by draws among those that sound like them and stand in like places.

    A word's candidates are the ``neighbours`` words of the vocabulary nearest to it by cosine (what a language model
    would let pass); of these the ``most`` that sound nearest, below ``farthest``, are drawn with probability
    proportional to ``exp(-d^2 / (2 s^2))``, ``d`` the distance of sounds and ``s`` the word's mean ``d``
    ("Investigating the Effects of Word Substitution Errors on Sentence Embeddings", 2018,
    https://arxiv.org/abs/1811.07021, section 2).

    Parameters
    ----------
    words
        The vocabulary, lower case and distinct.
    vectors
        ``(len(words), d)`` of the words.
    neighbours, most, farthest
        As above.
    by
        ``sound`` as published, or ``chance``: any other word of the vocabulary, equally likely.

    Examples
    --------
    >>> noise = SpokenSubstitution(["night", "knight", "table"], np.ones((3, 2)), farthest=0.4)
    >>> noise.corrupt(["A night."], rate=1.0)
    ['A knight.']
    """

    words: Sequence[str]
    vectors: NDArray[Any]
    neighbours: int = 1000
    most: int = 15
    farthest: float = 0.5
    by: str = "sound"
    _place: dict[str, int] = field(default_factory=dict)
    _unit: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    _known: dict[str, tuple[list[str], NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.words = list(self.words)
        if len(self.words) != len(self.vectors) or len(set(self.words)) != len(self.words) or len(self.words) < 2:
            raise UsageError(
                "the vocabulary does not fit",
                f"{len(self.words)} words ({len(set(self.words))} distinct), {len(self.vectors)} vectors",
                "give distinct words with a vector each, at least two",
            )
        if self.by not in ("sound", "chance"):
            raise UsageError(f"words are not replaced by {self.by!r}", "", "use sound or chance")
        self._place = {word: number for number, word in enumerate(self.words)}
        norms = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        self._unit = np.asarray(self.vectors / np.where(norms > 0, norms, 1), np.float32)

    def candidates(self, word: str) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
        """Return what may stand for a word, with probabilities and distances of sound; nothing for an unknown word."""
        word = word.lower()
        if word not in self._known:
            self._known[word] = self._found(word)
        return self._known[word]

    def _found(self, word: str) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
        place = self._place.get(word)
        if place is None:
            return [], np.zeros(0), np.zeros(0)
        if self.by == "chance":
            others = [other for other in self.words if other != word]
            return others, np.full(len(others), 1 / len(others)), sound_distances(word, others)
        cosines = self._unit @ self._unit[place]  # (words, d) @ (d,) -> (words,)
        cosines[place] = -np.inf
        near = np.argsort(-cosines, kind="stable")[: min(self.neighbours, len(self.words) - 1)]
        distances = sound_distances(word, [self.words[i] for i in near])
        chosen = np.argsort(distances, kind="stable")[: self.most]
        chosen = chosen[distances[chosen] < self.farthest]
        if not len(chosen):
            return [], np.zeros(0), np.zeros(0)
        found = distances[chosen]
        spread = float(found.mean()) or 1.0
        weights = np.exp(-(found**2) / (2 * spread**2))
        return [self.words[near[i]] for i in chosen], weights / weights.sum(), found

    def corrupt(self, texts: Sequence[str], rate: float, *, seed: int = 0) -> list[str]:
        """Replace each word that has candidates with probability ``rate``; capitals at the start are kept.

        Parameters
        ----------
        texts
            Texts in English.
        rate
            0 to 1; the share of replaced words is lower, because some words have no candidates (:meth:`reachable`).
        seed
            Of the draws; a text's draws depend on its place in the list, not on the other texts.
        """
        if not 0 <= rate <= 1:
            raise UsageError("a rate lies between 0 and 1", f"it is {rate}")
        return [self._corrupted(text, rate, generator(seed, "spoken", i)) for i, text in enumerate(texts)]

    def reachable(self, texts: Sequence[str]) -> float:
        """Return the share of the words of texts that have candidates."""
        words = [word for text in texts for word in _WORD.findall(text)]
        return float(sum(bool(self.candidates(word)[0]) for word in words) / max(1, len(words)))

    def _corrupted(self, text: str, rate: float, rng: np.random.Generator) -> str:
        def said(match: re.Match[str]) -> str:
            word, draw = match.group(), rng.random(2)
            if draw[0] >= rate:
                return word
            others, probabilities, _ = self.candidates(word)
            if not others:
                return word
            other = others[min(int(np.searchsorted(probabilities.cumsum(), draw[1], "right")), len(others) - 1)]
            return other.capitalize() if word[0].isupper() else other

        return _WORD.sub(said, text)


def word_error_rate(before: Sequence[str], after: Sequence[str]) -> float:
    """Return the share of words that were replaced, where texts keep their number of words.

    Examples
    --------
    >>> word_error_rate(["a night out"], ["a knight out"])
    0.3333333333333333
    """
    pairs = [(_WORD.findall(one), _WORD.findall(other)) for one, other in zip(before, after, strict=True)]
    if any(len(one) != len(other) for one, other in pairs):
        raise UsageError("texts have other numbers of words", "substitutions keep them", "count edits instead")
    words = [(a, b) for one, other in pairs for a, b in zip(one, other, strict=True)]
    return float(sum(a.lower() != b.lower() for a, b in words) / max(1, len(words)))
