"""GloVe: vectors of words whose products give the logarithms of how often the words stand together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isogloss.compiled import kernel, numba_available
from isogloss.errors import UsageError
from isogloss.learners.cooccurrence import cooccurrences, entries
from isogloss.learners.skip_gram import first_rows
from isogloss.learners.stochastic import Passes, Work, affordable_epochs, run_passes
from isogloss.learners.vocabulary_counts import WordCorpus, count_words
from isogloss.learners.word_vectors import WordVectors
from isogloss.protocols import Progress
from isogloss.seeding import generator


class Factors(NamedTuple):
    """Rows of words and of contexts, ``(V, d + 1)`` with the bias last, and their sums of squared gradients."""

    words: NDArray[np.float32]
    contexts: NDArray[np.float32]
    word_squares: NDArray[np.float32]
    context_squares: NDArray[np.float32]


class Entries(NamedTuple):
    """Cells of the matrix of counts: row, column, logarithm of the count and weight, ``(n,)`` each."""

    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    logs: NDArray[np.float32]
    weights: NDArray[np.float32]

    def take(self, places: NDArray[np.int64]) -> Entries:
        """Return the cells at these places."""
        return Entries(self.rows[places], self.columns[places], self.logs[places], self.weights[places])


@dataclass(frozen=True, slots=True, kw_only=True)
class Glove:
    r"""Learns vectors of words from co-occurrence counts ``X``.

    AdaGrad minimises

    .. math:: \sum_{i,j} \min(1, X_{ij} / x)^{\alpha} (w_i \cdot c_j + b_i + b'_j - \log X_{ij})^2

    A word's vector is ``w_i + c_i``.

    Source: Pennington, Socher, Manning 2014, "GloVe: Global Vectors for Word Representation"
    (https://aclanthology.org/D14-1162). A neighbour at distance ``d`` counts ``1 / d``.

    Attributes
    ----------
    dimensions, window, epochs, learning_rate
        As in skip-gram; the learning rate does not fall, AdaGrad does that.
    peak, power
        ``x`` and ``alpha`` of the weight.

    Examples
    --------
    >>> texts = ["the cat sat on the mat", "the dog sat on the rug"] * 20
    >>> Glove(dimensions=4, epochs=2).fit(count_words(texts)).vectors.shape
    (7, 4)
    """

    dimensions: int = 100
    window: int = 10
    epochs: int = 25
    learning_rate: float = 0.05
    peak: float = 100.0
    power: float = 0.75

    def fit(
        self,
        data: WordCorpus | Sequence[str],
        budget: float | None = None,
        seed: int = 0,
        *,
        progress: Progress | None = None,
        threads: int = 1,
    ) -> WordVectors:
        """Learn from a corpus, or from texts; parameters as in skip-gram.

        Raises
        ------
        UsageError
            Where no two words stand near each other.
        """
        corpus = data if isinstance(data, WordCorpus) else count_words(data)
        rows, columns, values = entries(cooccurrences(corpus, self.window, "harmonic", progress))
        if not len(rows):
            raise UsageError("there is nothing to learn from", "no text holds two known words", "give longer texts")
        weights = np.minimum(1, values / np.float32(self.peak)) ** np.float32(self.power)
        cells = Entries(rows, columns, np.log(values), weights)
        factors = self._start(len(corpus.words), seed)
        work = self._work(factors, cells, seed)
        epochs = self.epochs
        if budget is not None:
            epochs = affordable_epochs(work, len(rows), budget, threads=threads)
        run_passes(work, len(rows), Passes(epochs, self.learning_rate, seed, threads), progress, "factoring counts")
        return WordVectors(corpus.words, corpus.counts, factors.words[:, :-1] + factors.contexts[:, :-1], epochs)

    def _start(self, words: int, seed: int) -> Factors:
        # 1 as the first sum of squares, as in the authors' program
        ones = [np.ones((words, self.dimensions + 1), np.float32) for _ in range(2)]
        first = [first_rows(words, self.dimensions + 1, seed, "glove", side) for side in ("words", "contexts")]
        return Factors(*first, *ones)

    def _work(self, factors: Factors, cells: Entries, seed: int) -> Work:
        order = generator(seed, "glove order").permutation(len(cells.rows))

        def work(start: int, stop: int, rate: float, draw: np.random.Generator) -> None:
            # cells lie in one random order; each pass goes through a piece of it in another
            step = self.learning_rate if rate else 0.0
            factor_cells(factors, cells.take(order[start + draw.permutation(stop - start)]), step)

        return work


def factor_cells(factors: Factors, cells: Entries, rate: float, compiled: bool | None = None) -> None:
    """Take an AdaGrad step for each cell in order; ``factors`` are changed in place.

    Parameters
    ----------
    factors, cells
        What is moved, and by what.
    rate
        Learning rate; 0 moves nothing.
    compiled
        Use the kernel; None: where Numba is there.
    """
    if numba_available() if compiled is None else compiled:
        _cells(*factors, *cells, np.float32(rate))
        return
    if not rate:
        return
    words, contexts, word_squares, context_squares = factors
    for i, j, log, weight in zip(*cells, strict=True):
        word, context = words[i].copy(), contexts[j].copy()
        error = weight * (word[:-1] @ context[:-1] + word[-1] + context[-1] - log)
        up, down = error * np.append(context[:-1], 1), error * np.append(word[:-1], 1)
        words[i] -= rate * up / np.sqrt(word_squares[i])
        contexts[j] -= rate * down / np.sqrt(context_squares[j])
        word_squares[i] += up**2
        context_squares[j] += down**2


@kernel(fastmath=True)
def _cells(
    words: Any, contexts: Any, word_squares: Any, context_squares: Any, rows: Any, columns: Any, logs: Any,
    weights: Any, rate: Any,
) -> None:  # fmt: skip
    if rate == 0:
        return
    last = words.shape[1] - 1
    for entry in range(len(rows)):
        i, j = np.uint64(rows[entry]), np.uint64(columns[entry])
        product = words[i, last] + contexts[j, last]
        for z in range(last):
            product += words[i, z] * contexts[j, z]
        error = weights[entry] * (product - logs[entry])
        for z in range(last):
            up, down = error * contexts[j, z], error * words[i, z]
            words[i, z] -= rate * up / np.sqrt(word_squares[i, z])
            contexts[j, z] -= rate * down / np.sqrt(context_squares[j, z])
            word_squares[i, z] += up * up
            context_squares[j, z] += down * down
        words[i, last] -= rate * error / np.sqrt(word_squares[i, last])
        contexts[j, last] -= rate * error / np.sqrt(context_squares[j, last])
        word_squares[i, last] += error * error
        context_squares[j, last] += error * error
