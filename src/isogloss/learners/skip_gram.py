"""Skip-gram and CBOW: vectors of words that tell which words stand around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.errors import UsageError
from isogloss.learners.huffman import huffman_paths
from isogloss.learners.logistic_steps import Answers, Bags, Tables, train_bags, train_pairs
from isogloss.learners.stochastic import Passes, Work, affordable_epochs, run_passes
from isogloss.learners.vocabulary_counts import WordCorpus, count_words, keep_probabilities, noise_table
from isogloss.learners.windows import Windows, bags_of, draw_windows, noise_answers, with_noise
from isogloss.learners.word_vectors import WordVectors
from isogloss.protocols import Progress
from isogloss.seeding import generator

Trainer: TypeAlias = Callable[[Tables, Windows, Any, float], None]


@dataclass(frozen=True, kw_only=True)
class SkipGram:
    r"""Learns vectors of words by predicting a word from each of its neighbours.

    For a neighbour ``j`` of a word ``i`` the input row ``v_j`` and output rows ``u`` rise along the gradient of

    .. math:: \log \sigma(u_i \cdot v_j) + \sum_{n \sim P} \log \sigma(-u_n \cdot v_j)

    with noise words ``n`` drawn in proportion to ``count ** power``, or, with ``hierarchical``, of the log-probability
    of ``i`` as a path of yes-no questions down a Huffman tree.

    Source: Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality"
    (https://arxiv.org/abs/1310.4546), equations 3 to 5.

    Attributes
    ----------
    dimensions
        Components of a vector.
    window
        Largest distance to a neighbour; the reach of each window is drawn from 1 to this.
    negatives
        Noise words for each pair; not used by ``hierarchical``.
    epochs
        Passes over the texts.
    learning_rate
        At the start; it falls evenly to a ten-thousandth of itself.
    sample
        Frequent words are thinned out above this share of all words; 0 keeps all.
    power
        Of the counts in the noise distribution.
    hierarchical
        Hierarchical soft-max instead of negative sampling.
    thinning
        ``"frequent"``: as ``sample`` says. ``"even"``: as many words are left out, but of all words alike, which shows
        what fewer words and wider windows do by themselves.

    Examples
    --------
    >>> texts = ["the cat sat on the mat", "the dog sat on the rug"] * 20
    >>> table = SkipGram(dimensions=8, epochs=2).fit(count_words(texts), seed=1)
    >>> table.vectors.shape, len(table.words)
    ((7, 8), 7)
    """

    dimensions: int = 100
    window: int = 5
    negatives: int = 5
    epochs: int = 5
    learning_rate: float = 0.025
    sample: float = 1e-3
    power: float = 0.75
    hierarchical: bool = False
    thinning: Literal["frequent", "even"] = "frequent"

    def fit(
        self,
        data: WordCorpus | Sequence[str],
        budget: float | None = None,
        seed: int = 0,
        *,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> WordVectors:
        """Learn from a corpus, or from texts (with the defaults of :func:`count_words`).

        Parameters
        ----------
        data
            Counted words, or texts.
        budget
            Seconds; sets the number of epochs after a few measured pieces, whatever ``epochs`` says. What was chosen
            is in the result, and giving it as ``epochs`` repeats the run.
        seed
            Of the start, the windows and the noise.
        threads
            One repeats bit for bit; more are faster and do not.
        progress
            Where to report to.
        """
        corpus = data if isinstance(data, WordCorpus) else count_words(data)
        self._check()
        tables = self._tables(corpus, seed)
        work = self._work(corpus, tables)
        epochs = self.epochs
        if budget is not None:
            epochs = affordable_epochs(work, len(corpus.ids), budget, threads=threads)
        run_passes(work, len(corpus.ids), Passes(epochs, self.learning_rate, seed, threads), progress, "learning words")
        return self._result(corpus, tables, epochs)

    def kept(self, corpus: WordCorpus) -> NDArray[np.float32]:
        """Return with which probability an occurrence of each word is trained on, ``(V,)``."""
        keep = keep_probabilities(corpus.counts, self.sample)
        if self.thinning == "even":
            keep[:] = keep @ corpus.counts / corpus.counts.sum()
        return keep

    def _check(self) -> None:
        if self.thinning not in ("frequent", "even"):
            raise UsageError(f"there is no thinning {self.thinning!r}", 'it is "frequent" or "even"')
        if self.dimensions < 1 or self.window < 1 or (self.negatives < 1 and not self.hierarchical):
            raise UsageError("dimensions, window and negatives must be positive", f"they are {self}")

    def _tables(self, corpus: WordCorpus, seed: int) -> Tables:
        outputs = np.zeros((len(corpus.words), self.dimensions), np.float32)
        return Tables(first_rows(len(corpus.words), self.dimensions, seed), outputs)

    def _result(self, corpus: WordCorpus, tables: Tables, epochs: int) -> WordVectors:
        return WordVectors(corpus.words, corpus.counts, tables.inputs, epochs)

    def _work(self, corpus: WordCorpus, tables: Tables) -> Work:
        keep, table = self.kept(corpus), noise_table(corpus.counts, self.power)
        paths = huffman_paths(corpus.counts) if self.hierarchical else None

        train = self._trainer(corpus)

        def work(start: int, stop: int, rate: float, draw: np.random.Generator) -> None:
            found = draw_windows(corpus, start, stop, keep, self.window, draw)
            right = self._right(found)
            if paths is not None:
                train(tables, found, paths.answers(right), rate)
            else:
                train(tables, found, with_noise(right, table, self.negatives, draw), rate)

        return work

    def _right(self, found: Windows) -> Any:
        """Return the word that each example is to predict."""
        return found.ids[found.centres]

    def _trainer(self, corpus: WordCorpus) -> Trainer:
        """Return what trains on examples: tables, windows, what is to be answered, learning rate."""
        return _train_neighbours


def _train_neighbours(tables: Tables, found: Windows, targets: Any, rate: float) -> None:
    inputs = found.ids[found.contexts]
    if isinstance(targets, Answers):
        one_each = Bags(np.arange(len(inputs), dtype=np.int32), np.arange(len(inputs) + 1), inputs)
        train_bags(tables, one_each, targets, rate)
    else:
        train_pairs(tables, inputs, targets, rate)


@dataclass(frozen=True, kw_only=True)
class Cbow(SkipGram):
    """Learns vectors of words by predicting a word from the mean of its neighbours.

    Source: Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space"
    (https://arxiv.org/abs/1301.3781), section 3.1, with negative sampling. As in the authors' program every neighbour
    moves by the whole gradient of the mean. Attributes as in :class:`SkipGram`.

    Examples
    --------
    >>> texts = ["the cat sat on the mat", "the dog sat on the rug"] * 20
    >>> Cbow(dimensions=8, epochs=2).fit(count_words(texts)).vectors.shape
    (7, 8)
    """

    learning_rate: float = 0.05

    def _right(self, found: Windows) -> Any:
        return found.ids[bags_of(found.centres, found.ids)[0]]

    def _trainer(self, corpus: WordCorpus) -> Trainer:
        return _train_means


def _train_means(tables: Tables, found: Windows, targets: Any, rate: float) -> None:
    rows = found.ids[found.contexts]
    present, offsets = bags_of(found.centres, rows)
    answers = targets if isinstance(targets, Answers) else noise_answers(targets)
    train_bags(tables, Bags(np.arange(len(present), dtype=np.int32), offsets, rows), answers, rate)


def first_rows(count: int, dimensions: int, seed: int, *names: str) -> Dense:
    """Return the start of input rows: even draws from -1/2d to 1/2d, ``(count, d)`` float32."""
    draw = generator(seed, "word vectors", *names)
    return ((draw.random((count, dimensions), np.float32) - np.float32(0.5)) / np.float32(dimensions)).astype(
        np.float32
    )
