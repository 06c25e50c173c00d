"""Counts of words that stand near each other, and vectors by factoring them: PPMI with singular values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.errors import UsageError
from isogloss.learners.vocabulary_counts import WordCorpus, count_words
from isogloss.learners.word_vectors import WordVectors
from isogloss.protocols import Progress, Silent
from isogloss.seeding import generator

Weighting: TypeAlias = Literal["even", "harmonic", "linear"]
PIECE = 1_000_000


def cooccurrences(
    corpus: WordCorpus, window: int, weighting: Weighting = "even", progress: Progress | None = None
) -> Any:
    """Count how often each word stands within ``window`` words of another, in the same text.

    Parameters
    ----------
    corpus, window
        Where, and how far.
    weighting
        What a pair at distance ``d`` counts: ``"even"`` 1, ``"harmonic"`` 1 / d, ``"linear"``
        (window + 1 - d) / window.
    progress
        Where to report to.

    Returns
    -------
    scipy.sparse.csr_matrix
        ``(V, V)`` float64, symmetric; rows sorted.

    Examples
    --------
    >>> corpus = count_words(["a b b"], min_count=1)
    >>> cooccurrences(corpus, 2, "harmonic").toarray().tolist()  # the words are b, a
    [[2.0, 1.5], [1.5, 0.0]]
    """
    import scipy.sparse

    shown, size = progress or Silent(), len(corpus.words)
    total: Any = scipy.sparse.csr_matrix((size, size), dtype=np.float64)
    texts = np.repeat(np.arange(len(corpus), dtype=np.int64), np.diff(corpus.offsets))
    shown.start("counting neighbours", len(corpus.ids), "words")
    for start in range(0, len(corpus.ids), PIECE):
        ids, owner = corpus.ids[start : start + PIECE + window], texts[start : start + PIECE + window]
        mine = min(PIECE, len(corpus.ids) - start)  # a pair belongs to the piece that its first word lies in
        for step in range(1, window + 1):
            first = np.flatnonzero(owner[:-step][:mine] == owner[step:][:mine])
            weight = {"even": 1.0, "harmonic": 1 / step, "linear": (window + 1 - step) / window}[weighting]
            pairs = ids[first], ids[first + step]
            total = total + scipy.sparse.coo_matrix((np.full(len(first), weight), pairs), (size, size)).tocsr()
        shown.advance(mine)
    shown.finish()
    both = (total + total.T).tocsr()
    both.sort_indices()
    return both


def positive_information(counts: Any, *, power: float = 0.75, shift: float = 0.0) -> Any:
    r"""Return the positive point-wise mutual information of co-occurrence counts.

    .. math:: \max\left(0, \log \frac{n(w, c) \sum_{c'} n(c')^\alpha}{n(w)\, n(c)^\alpha} - \log k\right)

    Source: Levy, Goldberg, Dagan 2015, "Improving Distributional Similarity with Lessons Learned from Word Embeddings"
    (https://aclanthology.org/Q15-1016), sections 2 and 3.

    Parameters
    ----------
    counts
        SciPy sparse ``(V, V)``.
    power
        ``alpha``: below 1 rare contexts count less.
    shift
        ``log k``.
    """
    found = counts.tocoo().astype(np.float64)
    words = np.asarray(counts.sum(1)).ravel()
    contexts = np.asarray(counts.sum(0)).ravel() ** power
    ratio = found.data * contexts.sum() / (words[found.row] * contexts[found.col])
    found.data = np.maximum(0.0, np.log(ratio) - shift)
    sparse = found.tocsr()
    sparse.eliminate_zeros()
    return sparse


def leading_factors(matrix: Any, rank: int, *, seed: int = 0, rounds: int = 5, extra: int = 10) -> tuple[Dense, Dense]:
    """Return the ``rank`` leading left singular vectors ``(n, r)`` and singular values ``(r,)`` of a sparse matrix.

    Source: Halko, Martinsson, Tropp 2011, "Finding structure with randomness" (https://arxiv.org/abs/0909.4061),
    algorithm 4.4 with ``rounds`` power iterations. The sign of a vector is such that its largest component is positive.

    Raises
    ------
    UsageError
        Where the rank is more than the matrix has rows or columns.
    """
    if not 1 <= rank <= min(matrix.shape):
        raise UsageError("too many dimensions", f"{rank} of a matrix of {matrix.shape[0]:,} by {matrix.shape[1]:,}")
    draw = generator(seed, "leading factors")
    width = min(rank + extra, *matrix.shape)
    basis = np.linalg.qr(matrix @ draw.standard_normal((matrix.shape[1], width)))[0]
    for _ in range(rounds):
        basis = np.linalg.qr(matrix @ np.linalg.qr(matrix.T @ basis)[0])[0]
    inner, values, _ = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
    left = (basis @ inner)[:, :rank]
    peaks = np.take_along_axis(left, np.abs(left).argmax(0)[None], 0)
    return left * np.where(peaks < 0, -1.0, 1.0), values[:rank]


@dataclass(frozen=True, slots=True, kw_only=True)
class PpmiSvd:
    """Learns vectors of words by factoring their positive point-wise mutual information; nothing is sampled.

    Source: Levy, Goldberg, Dagan 2015, "Improving Distributional Similarity with Lessons Learned from Word Embeddings"
    (https://aclanthology.org/Q15-1016).

    Attributes
    ----------
    dimensions
        Components of a vector.
    window
        Largest distance to a neighbour.
    power, shift
        As in :func:`positive_information`.
    values_power
        Power of the singular values by which columns are scaled; 0.5 is theirs.

    Examples
    --------
    >>> texts = ["the cat sat on the mat", "the dog sat on the rug"] * 20
    >>> PpmiSvd(dimensions=3).fit(count_words(texts)).vectors.shape
    (7, 3)
    """

    dimensions: int = 100
    window: int = 5
    power: float = 0.75
    shift: float = 0.0
    values_power: float = 0.5

    def fit(
        self,
        data: WordCorpus | Sequence[str],
        budget: float | None = None,
        seed: int = 0,
        *,
        progress: Progress | None = None,
    ) -> WordVectors:
        """Learn from a corpus, or from texts; ``budget`` changes nothing, there are no passes to choose.

        Raises
        ------
        UsageError
            Where the vocabulary is smaller than ``dimensions``, or no two words stand near each other.
        """
        corpus = data if isinstance(data, WordCorpus) else count_words(data)
        counts = cooccurrences(corpus, self.window, "linear", progress)
        if not counts.nnz:
            raise UsageError("there is nothing to learn from", "no text holds two known words", "give longer texts")
        matrix = positive_information(counts, power=self.power, shift=self.shift)
        left, values = leading_factors(matrix, self.dimensions, seed=seed)
        vectors = (left * values**self.values_power).astype(np.float32)
        return WordVectors(corpus.words, corpus.counts, vectors)


def entries(counts: Any) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Return rows, columns and values of a sparse matrix, entry by entry."""
    found = counts.tocoo()
    return found.row.astype(np.int32), found.col.astype(np.int32), found.data.astype(np.float32)
