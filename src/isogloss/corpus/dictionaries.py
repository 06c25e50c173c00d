"""Words and what a dictionary says of them, as pairs to learn from."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isogloss.errors import UsageError


@dataclass(frozen=True, slots=True)
class Definitions:
    """Words with one definition each; a word with several senses stands several times.

    Attributes
    ----------
    words, texts
        The words and their definitions, equally many.
    """

    words: list[str]
    texts: list[str]

    def apart(self, share: float, draw: np.random.Generator) -> tuple[Definitions, Definitions]:
        """Part them by word: all senses of about this share of the words stand in the second part alone.

        Examples
        --------
        >>> whole = Definitions(["a", "b", "a"], ["1", "2", "3"])
        >>> sorted(len(part.words) for part in whole.apart(0.5, np.random.default_rng(0)))
        [1, 2]
        """
        words = sorted(set(self.words))
        out = {words[i] for i in draw.permutation(len(words))[: round(share * len(words))]}
        return self._of([i for i, word in enumerate(self.words) if word not in out]), self._of(
            [i for i, word in enumerate(self.words) if word in out]
        )

    def some(self, count: int, draw: np.random.Generator) -> Definitions:
        """Return ``count`` of them, drawn without replacement; all where there are fewer."""
        return self._of(draw.permutation(len(self.words))[:count].tolist())

    def under_own_words(self, known: Container[str]) -> Definitions:
        """Return each definition under the longest known word that stands in it; where none does, under its own word.

        What is learned from these is to say a text again, not to say it in one word.

        Examples
        --------
        >>> Definitions(["dog", "cat"], ["a tame animal", "purrs"]).under_own_words({"tame", "animal"}).words
        ['animal', 'cat']
        """
        rows = zip(self.words, self.texts, strict=True)
        found = [max((one for one in text.split() if one in known), key=len, default=word) for word, text in rows]
        return Definitions(found, self.texts)

    def _of(self, rows: Iterable[int]) -> Definitions:
        chosen = list(rows)
        return Definitions([self.words[i] for i in chosen], [self.texts[i] for i in chosen])


def definitions_of(synsets: Iterable[Mapping[str, Any]], known: Container[str]) -> Definitions:
    """Return every known word of a dictionary with every definition of it, in the dictionary's order.

    Parameters
    ----------
    synsets
        Rows with ``members`` (words of one meaning) and ``definition``, as WordNet's; without a definition a row is
        passed over.
    known
        Which words are wanted, such as the whole words of a tokenizer's vocabulary.

    Raises
    ------
    UsageError
        Where no wanted word has a definition.

    Examples
    --------
    >>> rows = [{"members": ["dog", "domestic dog"], "definition": "a tame animal"}, {"members": ["dog"]}]
    >>> definitions_of(rows, {"dog"})
    Definitions(words=['dog'], texts=['a tame animal'])
    """
    pairs = [
        (word, row["definition"])
        for row in synsets
        if row.get("definition")
        for word in row["members"]
        if word in known
    ]
    if not pairs:
        raise UsageError("no wanted word has a definition", "the rows need members and a definition", "check the words")
    return Definitions([word for word, _ in pairs], [text for _, text in pairs])
