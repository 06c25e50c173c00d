"""Words as hashed n-grams of their letters: tokens of any language and spelling, without a vocabulary."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Ragged, charge
from isogloss.errors import UsageError
from isogloss.text.hashing import hash_terms
from isogloss.text.letter_hashes import letter_hashes
from isogloss.text.word_features import TOKEN
from isogloss.vocabulary.pooling import pool_plain
from isogloss.vocabulary.wordpiece_kernel import Pooling


class LetterGrams:
    """The n-grams of a text's words and the words themselves, in lower case, each as one of ``buckets`` numbers.

    Spellings that share letters share tokens, so that names, numbers and related words of two languages meet; two
    n-grams with one number share a vector. Hashes are fastText's (Bojanowski et al. 2017,
    https://arxiv.org/abs/1607.04606), with marks at both ends of a word.

    Parameters
    ----------
    buckets
        Distinct numbers.
    shortest, longest
        Letters of an n-gram, the marks counted; a word is a token of its own, however long.

    Raises
    ------
    UsageError
        Where there are no buckets or no n-grams.

    Examples
    --------
    >>> grams = LetterGrams(1000)
    >>> one, other = (set(row.tolist()) for row in grams.ids(["Warsaw", "warsaws"]))
    >>> len(one), len(one & other) > 5
    (16, True)
    """

    unknown = -1

    def __init__(self, buckets: int = 40_000, *, shortest: int = 3, longest: int = 5) -> None:
        if buckets < 1 or not 1 <= shortest <= longest:
            why = f"{buckets} buckets, n-grams of {shortest} to {longest} letters"
            raise UsageError("no tokens can be made", why, "give at least one bucket, and shortest <= longest")
        self.buckets, self.shortest, self.longest = buckets, shortest, longest
        self._words: dict[str, NDArray[np.int32]] = {}

    def __len__(self) -> int:
        return self.buckets

    @cached_property
    def identity(self) -> str:
        """Hash of the settings: nothing is learnt."""
        plan = ["letter-grams", self.buckets, self.shortest, self.longest]
        return hashlib.sha256(json.dumps(plan).encode()).hexdigest()

    def ids(self, texts: Sequence[str], *, threads: int = 1) -> Ragged:
        """Return the numbers of each text's n-grams and words: ``values (T,)`` int32 and ``offsets (n + 1,)``."""
        rows = [TOKEN.findall(text.lower()) for text in texts]
        self._learn(sorted({word for row in rows for word in row} - self._words.keys()))
        parts = [[self._words[word] for word in row] for row in rows]
        none = np.zeros(0, np.int32)
        return Ragged.from_list([np.concatenate(part) if part else none for part in parts])

    def counts(self, texts: Sequence[str], *, threads: int = 1) -> NDArray[np.int64]:
        """Return the number of tokens of each text, ``(n,)`` int64."""
        return np.diff(self.ids(texts).offsets)

    def pool(self, texts: Sequence[str], pooling: Pooling, *, threads: int = 1) -> tuple[Dense, NDArray[np.int64]]:
        """Return pooled vectors ``(n, d)`` and numbers of tokens, as ``WordPiece.pool`` does."""
        tokens = self.ids(texts)
        charge(multiply_adds=len(tokens.values) * pooling.rows.shape[1], random_reads=len(tokens.values))
        return pool_plain(tokens, pooling), np.diff(tokens.offsets)

    def _learn(self, words: Sequence[str]) -> None:
        """Keep the numbers of new words: most words of a text have been seen before."""
        if not words:
            return
        found = letter_hashes(words, self.shortest, self.longest)
        whole = (hash_terms(list(words)) % self.buckets).astype(np.int32)  # another hash: short words have both
        grams = (found.hashes % np.uint32(self.buckets)).astype(np.int32)
        for i, word in enumerate(words):
            self._words[word] = np.append(grams[found.offsets[i] : found.offsets[i + 1]], whole[i])
