"""Paragraph vectors: a row for each text, learned with the words that it holds; new texts get one by inference."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.errors import NonFiniteError, UsageError
from isogloss.learners.logistic_steps import Bags, Tables, train_bags, train_pairs
from isogloss.learners.skip_gram import first_rows
from isogloss.learners.stochastic import LEAST_RATE, Passes, Work, affordable_epochs, run_passes
from isogloss.learners.vocabulary_counts import WordCorpus, count_words, keep_probabilities, noise_table, plain_words
from isogloss.learners.windows import bags_of, draw_windows, noise_answers, with_noise
from isogloss.protocols import Progress
from isogloss.seeding import derive, generator


@dataclass(frozen=True, kw_only=True)
class ParagraphVectors:
    """Learns vectors of texts.

    ``"dbow"``: the row of a text alone predicts each of its words (fast; words get no rows). ``"dm"``: the mean of the
    row and the words around predicts the word between them.

    Source: Le and Mikolov 2014, "Distributed Representations of Sentences and Documents"
    (https://arxiv.org/abs/1405.4053), with negative sampling and, for ``"dm"``, the mean instead of concatenation.

    Attributes
    ----------
    mode
        ``"dbow"`` or ``"dm"``.
    dimensions, window, negatives, epochs, learning_rate, sample, power
        As in skip-gram; the window is for ``"dm"`` only.

    Examples
    --------
    >>> texts = ["the cat sat on the mat", "a dog sat by the rug", "tax law is the law of tax"] * 10
    >>> made = ParagraphVectors(dimensions=8, epochs=3).fit(count_words(texts))
    >>> made.vectors.shape, made.infer(["the law of the mat"]).shape
    ((30, 8), (1, 8))
    """

    mode: Literal["dbow", "dm"] = "dbow"
    dimensions: int = 100
    window: int = 5
    negatives: int = 5
    epochs: int = 20
    learning_rate: float = 0.05
    sample: float = 1e-3
    power: float = 0.75

    def fit(
        self,
        data: WordCorpus | Sequence[str],
        budget: float | None = None,
        seed: int = 0,
        *,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> DocumentVectors:
        """Learn from a corpus, or from texts; parameters as in skip-gram.

        Raises
        ------
        UsageError
            Where there is one text only, or the settings make no sense.
        """
        corpus = data if isinstance(data, WordCorpus) else count_words(data)
        if self.mode not in ("dbow", "dm") or min(self.dimensions, self.window, self.negatives) < 1:
            raise UsageError("the settings make no sense", f"they are {self}", 'mode is "dbow" or "dm"')
        if len(corpus) < 2:
            raise UsageError("there is nothing to learn from", f"{len(corpus)} text", "give several texts")
        first = len(corpus.words) if self.mode == "dm" else 0
        inputs = first_rows(first + len(corpus), self.dimensions, seed, "paragraphs")
        tables = Tables(inputs, np.zeros((len(corpus.words), self.dimensions), np.float32))
        work = self.work(corpus, tables, first)
        epochs = self.epochs
        if budget is not None:
            epochs = affordable_epochs(work, len(corpus.ids), budget, threads=threads)
        run_passes(work, len(corpus.ids), Passes(epochs, self.learning_rate, seed, threads), progress, "learning texts")
        if not np.isfinite(inputs).all():
            raise NonFiniteError("the learned vectors are not finite", f"with {self}", "lower the learning rate")
        return DocumentVectors(
            self, corpus.words, corpus.counts, inputs[first:], inputs[:first], tables.outputs, epochs
        )

    def work(self, corpus: WordCorpus, tables: Tables, first: int) -> Work:
        """Return what trains on a piece of the corpus; texts have the input rows from ``first`` on."""
        keep, table = keep_probabilities(corpus.counts, self.sample), noise_table(corpus.counts, self.power)
        return self.step(keep, table)(corpus, tables, first)

    def step(self, keep: NDArray[np.float32], table: NDArray[np.int32]) -> Callable[[WordCorpus, Tables, int], Work]:
        """Return :meth:`work` for given probabilities and noise, which new texts take from the old ones."""

        def of(corpus: WordCorpus, tables: Tables, first: int) -> Work:
            def work(start: int, stop: int, rate: float, draw: np.random.Generator) -> None:
                found = draw_windows(corpus, start, stop, keep, self.window, draw)
                rows = (found.texts + first).astype(np.int32)
                if self.mode == "dbow":
                    train_pairs(tables, rows, with_noise(found.ids, table, self.negatives, draw), rate)
                    return
                owners = np.concatenate([np.arange(len(rows)), found.centres])
                order = np.argsort(owners, kind="stable")  # the text's own row comes first in each bag
                rows = np.concatenate([rows, found.ids[found.contexts]])[order]
                present, offsets = bags_of(owners[order], rows)
                answers = noise_answers(with_noise(found.ids, table, self.negatives, draw))
                train_bags(tables, Bags(present.astype(np.int32), offsets, rows), answers, rate)

            return work

        return of


@dataclass(frozen=True)
class DocumentVectors:
    """Vectors of the texts that were learned from, and what new ones are inferred with.

    Attributes
    ----------
    learner
        The settings.
    words, counts
        The vocabulary.
    vectors
        ``(n, d)`` float32, one row a text.
    word_rows
        ``(V, d)`` input rows of words, or ``(0, d)``.
    outputs
        ``(V, d)``.
    epochs
        Passes that were made.
    """

    learner: ParagraphVectors
    words: tuple[str, ...]
    counts: NDArray[np.int64]
    vectors: Dense
    word_rows: Dense
    outputs: Dense
    epochs: int

    def infer(self, texts: Sequence[str | Sequence[str]], *, epochs: int | None = None, seed: int = 0) -> Dense:
        """Return vectors of new texts ``(n, d)`` float32: everything but their own rows stays as it is.

        Each text is on its own, so its vector depends neither on the others nor on their order. A text without a known
        word has a vector of zeros.

        Parameters
        ----------
        texts
            Texts, or lists of words, as they were given to :func:`count_words`.
        epochs
            Passes over each text; None for as many as in learning.
        seed
            Of the start and the noise.
        """
        numbers = dict(zip(self.words, range(len(self.words)), strict=True))
        keep = keep_probabilities(self.counts, self.learner.sample)
        step = self.learner.step(keep, noise_table(self.counts, self.learner.power))
        found = np.zeros((len(texts), self.vectors.shape[1]), np.float32)
        for i, text in enumerate(texts):
            words = plain_words(text) if isinstance(text, str) else text
            ids = np.array([numbers[word] for word in words if word in numbers], np.int32)
            if len(ids):
                own = derive(seed, "infer", hashlib.sha256(ids.tobytes()).hexdigest())
                found[i] = self._inferred(ids, step, epochs or self.epochs, own)
        return found

    def _inferred(
        self, ids: NDArray[np.int32], step: Callable[[WordCorpus, Tables, int], Work], epochs: int, seed: int
    ) -> Dense:
        first = len(self.word_rows)
        row = first_rows(1, self.vectors.shape[1], seed)
        tables = Tables(np.concatenate([self.word_rows, row]), self.outputs, first, False)
        corpus = WordCorpus(self.words, self.counts, ids, np.array([0, len(ids)], np.int64), len(ids))
        work = step(corpus, tables, first)
        for epoch in range(epochs):
            rate = self.learner.learning_rate * max(LEAST_RATE, 1 - epoch / epochs)
            work(0, len(ids), rate, generator(seed, "infer", epoch))
        return np.asarray(tables.inputs[first], np.float32)
