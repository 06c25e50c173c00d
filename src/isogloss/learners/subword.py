"""Sub-word vectors: a word is the mean of its own row and the rows of its letter n-grams, so unseen words have one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.errors import UsageError
from isogloss.learners.logistic_steps import Answers, Bags, Tables, train_bags
from isogloss.learners.skip_gram import SkipGram, Trainer, first_rows
from isogloss.learners.vocabulary_counts import WordCorpus
from isogloss.learners.windows import Windows, noise_answers
from isogloss.learners.word_vectors import WordVectors
from isogloss.text.hashing import hash_term


def letter_ngrams(word: str, shortest: int = 3, longest: int = 6) -> list[str]:
    """Return the n-grams of ``<word>``, without the whole of it.

    Examples
    --------
    >>> letter_ngrams("isle", 3, 4)
    ['<is', '<isl', 'isl', 'isle', 'sle', 'sle>', 'le>']
    """
    whole = f"<{word}>"
    found = []
    for start in range(len(whole)):
        for size in range(shortest, longest + 1):
            if start + size <= len(whole) and size < len(whole):
                found.append(whole[start : start + size])
    return found


@dataclass(frozen=True)
class SubwordVectors(WordVectors):
    """Vectors of words and of letter n-grams.

    Attributes
    ----------
    ngrams
        ``(buckets, d)`` float32: n-grams are hashed into the rows; rows that no word of the vocabulary uses are zeros.
    shortest, longest
        Letters of an n-gram, the marks ``<`` and ``>`` counted.
    """

    ngrams: Dense = ()  # type: ignore[assignment]  # dataclasses want a default after the parent's
    shortest: int = 3
    longest: int = 6

    def vector(self, word: str) -> Dense:
        """Return the vector of any word, ``(d,)``: of one outside the vocabulary the mean of its known n-grams' rows.

        Raises
        ------
        UsageError
            Where no word of the vocabulary shares an n-gram with it.
        """
        if word in self.numbers:
            return WordVectors.vector(self, word)
        grams = letter_ngrams(word, self.shortest, self.longest)
        row = self.known_piece(grams)
        if row is None:
            why = f"none of its {len(grams)} letter n-grams occurs in {len(self):,} words"
            raise UsageError(f"{word!r} has no vector", why, "learn from more texts")
        return row

    def known_piece(self, ngrams: Sequence[str]) -> Dense | None:
        """Return the mean of the rows of these n-grams, ``(d,)``, those without a row left out; None: all are."""
        rows = self.ngrams[[hash_term(one) % len(self.ngrams) for one in ngrams]] if ngrams else self.ngrams[:0]
        rows = rows[rows.any(1)]
        return np.asarray(rows.mean(0), np.float32) if len(rows) else None


@dataclass(frozen=True, kw_only=True)
class Subword(SkipGram):
    """Learns vectors of words and of their letter n-grams, by skip-gram with negative sampling.

    Source: Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information"
    (https://arxiv.org/abs/1607.04606). The mean of the rows stands for their sum, as in the authors' program.

    Attributes
    ----------
    buckets
        Rows that n-grams are hashed into.
    shortest, longest
        Letters of an n-gram, the marks of the word's ends counted.

    Examples
    --------
    >>> from isogloss.learners.vocabulary_counts import count_words
    >>> corpus = count_words(["the runner runs", "the reader reads"] * 20)
    >>> table = Subword(dimensions=8, epochs=1, buckets=1000).fit(corpus)
    >>> "running" in table, table.vector("running").shape
    (False, (8,))
    """

    learning_rate: float = 0.05
    buckets: int = 1 << 18
    shortest: int = 3
    longest: int = 6

    def _check(self) -> None:
        SkipGram._check(self)
        if self.buckets < 1 or not 1 <= self.shortest <= self.longest:
            raise UsageError("buckets and the lengths of n-grams make no sense", f"they are {self}")

    def _bags(self, corpus: WordCorpus) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the rows of each word, its own first."""
        rows: list[int] = []
        offsets = [0]
        for number, word in enumerate(corpus.words):
            rows.append(number)
            grams = letter_ngrams(word, self.shortest, self.longest)
            rows += [len(corpus.words) + hash_term(one) % self.buckets for one in grams]
            offsets.append(len(rows))
        return np.array(offsets, np.int64), np.array(rows, np.int32)

    def _tables(self, corpus: WordCorpus, seed: int) -> Tables:
        words = len(corpus.words)
        inputs = first_rows(words + self.buckets, self.dimensions, seed)
        used = np.zeros(words + self.buckets, np.bool_)
        used[self._bags(corpus)[1]] = True
        inputs[~used] = 0
        return Tables(inputs, np.zeros((words, self.dimensions), np.float32))

    def _trainer(self, corpus: WordCorpus) -> Trainer:
        offsets, rows = self._bags(corpus)

        def train(tables: Tables, found: Windows, targets: Any, rate: float) -> None:
            answers = targets if isinstance(targets, Answers) else noise_answers(targets)
            train_bags(tables, Bags(found.ids[found.contexts], offsets, rows), answers, rate)

        return train

    def _result(self, corpus: WordCorpus, tables: Tables, epochs: int) -> SubwordVectors:
        offsets, rows = self._bags(corpus)
        vectors = np.add.reduceat(tables.inputs[rows], offsets[:-1], axis=0) / np.diff(offsets)[:, None]
        return SubwordVectors(
            corpus.words, corpus.counts, vectors.astype(np.float32), epochs, tables.inputs[len(corpus.words) :],
            self.shortest, self.longest,
        )  # fmt: skip
