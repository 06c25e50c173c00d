"""What the words of a corpus tell: how rare each is, which documents share it, which say nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.language import detect
from isogloss.text.counting import count_terms
from isogloss.text.hashing import hash_term
from isogloss.text.stopwords import STOP_WORD_LANGUAGES, stop_words
from isogloss.text.words import WordRules

_FREQUENT, _FEW = 0.2, 10.0
_HEADS = 200


class Vocabulary:
    """Document frequencies and postings of the words of a corpus.

    Parameters
    ----------
    texts
        The documents, title and text in one.

    Attributes
    ----------
    language
        The commonest language among the first 200 documents, ``"und"`` where none is found.

    Examples
    --------
    >>> vocabulary = Vocabulary(["heat flows in slabs", "wind flows", "heat in heat"])
    >>> vocabulary.coverage("wind flows").round(2).tolist()[1], vocabulary.rarity("wind") > vocabulary.rarity("flows")
    (1.0, True)
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.rules = WordRules()
        self.documents = len(texts)
        offsets, hashes, _ = count_terms(texts, self.rules)
        self.language = _language(texts)
        owners = np.repeat(np.arange(self.documents, dtype=np.int64), np.diff(offsets))
        order = np.argsort(hashes, kind="stable")
        self._owners = owners[order]
        self._known, starts = np.unique(hashes[order], return_index=True)
        self._starts = np.append(starts, len(hashes)).astype(np.int64)
        self._found: dict[str, int | None] = {}
        self._lengths: NDArray[np.float64] | None = None
        frequency = np.diff(self._starts)
        self._rarity = np.log1p((self.documents - frequency + 0.5) / (frequency + 0.5))
        self._highest = float(np.log1p((self.documents + 0.5) / 0.5))
        known = stop_words(self.language) if self.language in STOP_WORD_LANGUAGES else frozenset()
        self._functional = {term for word in known for term in self.rules.terms(word)}

    def frequency(self, word: str) -> int:
        """Return in how many documents a normalised word occurs."""
        at = self._find(word)
        return 0 if at is None else int(self._starts[at + 1] - self._starts[at])

    def rarity(self, word: str) -> float:
        """Return the inverse document frequency of a normalised word as BM25 has it; the highest for an unknown one."""
        at = self._find(word)
        return self._highest if at is None else float(self._rarity[at])

    def says_something(self, word: str) -> bool:
        """Say whether a normalised word is neither a function word nor in a fifth of all documents."""
        return word not in self._functional and self.frequency(word) <= max(_FEW, _FREQUENT * self.documents)

    def content(self, text: str) -> list[str]:
        """Return the distinct words of a text that say something, in order."""
        return [word for word in dict.fromkeys(self.rules.terms(text)) if self.says_something(word)]

    def lexical(self, text: str) -> list[str]:
        """Return the distinct words of a text without function words; all of them where nothing else is there."""
        words = list(dict.fromkeys(self.rules.terms(text)))
        return [word for word in words if word not in self._functional] or words

    def coverage(self, text: str) -> NDArray[np.float64]:
        """Return for each document the share of the text's words, weighted by rarity, that it holds: ``(n,)``."""
        covered = np.zeros(self.documents)
        words = self.lexical(text)
        for word in words:
            at = self._find(word)
            if at is not None:
                covered[self._owners[self._starts[at] : self._starts[at + 1]]] += self.rarity(word)
        total = sum(map(self.rarity, words))
        return covered / total if total else covered

    def cosines(self, words: Sequence[str]) -> NDArray[np.float64]:
        """Return for each document the cosine, but for a factor equal for all, with distinct words: ``(n,)``.

        Words count once and weigh their rarity; words that say nothing do not count in a document's length.
        """
        if self._lengths is None:
            frequency = np.diff(self._starts)
            weights = np.where(frequency <= max(_FEW, _FREQUENT * self.documents), self._rarity**2, 0.0)
            weights[[at for at in map(self._find, self._functional) if at is not None]] = 0.0
            squares = np.bincount(self._owners, np.repeat(weights, frequency), self.documents)
            self._lengths = np.sqrt(squares) + 1e-9
        found = np.zeros(self.documents)
        for word in words:
            at = self._find(word)
            if at is not None:
                found[self._owners[self._starts[at] : self._starts[at + 1]]] += self._rarity[at] ** 2
        return np.asarray(found / self._lengths, np.float64)

    def overlap(self, question: str, document: str) -> float:
        """Return the share of the question's words, weighted by rarity, that occur in a text; 0 without words."""
        found = set(self.rules.terms(document))
        shares = {word: self.rarity(word) for word in self.lexical(question)}
        total = sum(shares.values())
        return sum(rarity for word, rarity in shares.items() if word in found) / total if total else 0.0

    def _find(self, word: str) -> int | None:
        if word not in self._found:
            hashed = hash_term(word)
            at = int(np.searchsorted(self._known, hashed))
            self._found[word] = at if at < len(self._known) and self._known[at] == hashed else None
        return self._found[word]


def _language(texts: Sequence[str]) -> str:
    found = Counter(code for code, _ in detect([text for text in texts[:_HEADS] if text.strip()]))
    found.pop("und", None)
    return found.most_common(1)[0][0] if found else "und"
