"""Phrases: pairs of words that stand together far more often than apart become one word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from isogloss.errors import UsageError


@dataclass(frozen=True, slots=True)
class PhraseTable:
    """Pairs of words that were found to be phrases.

    Attributes
    ----------
    passes
        For each pass over the texts the pairs and their scores.
    joiner
        What stands between the words of a phrase.
    """

    passes: tuple[dict[tuple[str, str], float], ...]
    joiner: str = "_"

    def join(self, words: Sequence[str]) -> list[str]:
        """Return a text with its phrases joined, from the left on; a word is part of one phrase a pass.

        Examples
        --------
        >>> PhraseTable(({("new", "york"): 9.0},)).join(["in", "new", "york"])
        ['in', 'new_york']
        """
        found = list(words)
        for pairs in self.passes:
            found = _joined(found, pairs, self.joiner)
        return found


def _joined(words: list[str], pairs: dict[tuple[str, str], float], joiner: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(words):
        pair = at + 1 < len(words) and (words[at], words[at + 1]) in pairs
        found.append(joiner.join(words[at : at + 2]) if pair else words[at])
        at += 2 if pair else 1
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    r"""Finds phrases by the score of pairs.

    .. math:: s(a, b) = N \cdot \frac{n(a b) - \delta}{n(a) \cdot n(b)}

    Source: Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality"
    (https://arxiv.org/abs/1310.4546), equation 6, times the number of words ``N`` as in the authors' program, so that
    a threshold means the same for texts of any length.

    Attributes
    ----------
    delta
        Discount; also the count that a pair must exceed.
    thresholds
        A pass for each: pairs with a higher score become phrases, which the next pass may join again.

    Examples
    --------
    >>> texts = [["new", "york", "is", place] for place in "abcdefgh"] + [["is", "it", "so"]] * 4
    >>> sorted(Phrases(delta=1, thresholds=(3.5,)).fit(texts).passes[0])
    [('it', 'so'), ('new', 'york')]
    """

    delta: float = 5.0
    thresholds: tuple[float, ...] = field(default=(100.0,))

    def fit(self, data: Iterable[Sequence[str]], budget: float | None = None, seed: int = 0) -> PhraseTable:
        """Learn from texts as lists of words; nothing is random, and it takes one look at every word a pass.

        Raises
        ------
        UsageError
            Where there is no word.
        """
        texts = [list(words) for words in data]
        if not any(texts):
            raise UsageError("there is nothing to learn from", f"{len(texts)} texts hold no word", "give texts")
        passes: list[dict[tuple[str, str], float]] = []
        for threshold in self.thresholds:
            passes.append(self._found(texts, threshold))
            texts = [_joined(words, passes[-1], "_") for words in texts]
        return PhraseTable(tuple(passes))

    def _found(self, texts: list[list[str]], threshold: float) -> dict[tuple[str, str], float]:
        words = Counter(word for text in texts for word in text)
        pairs = Counter(pair for text in texts for pair in pairwise(text))
        total = words.total()
        scores = {
            pair: total * (count - self.delta) / (words[pair[0]] * words[pair[1]])
            for pair, count in pairs.items()
            if count > self.delta
        }
        return {pair: score for pair, score in scores.items() if score > threshold}
