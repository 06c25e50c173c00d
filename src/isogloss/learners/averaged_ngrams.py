"""A classifier of texts: the mean of the vectors of words and word n-grams, and a logistic answer for each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.errors import NotFittedError, UsageError
from isogloss.learners.logistic_steps import Answers, Bags, Tables, train_bags
from isogloss.learners.vocabulary_counts import plain_words
from isogloss.seeding import generator
from isogloss.text.hashing import hash_terms

_MIX = np.uint64(0x9E3779B97F4A7C15)


class AveragedNgrams:
    """fastText's classifier with one logistic answer a class (its loss ``ova``).

    A text's features are its words and its runs of two to ``ngrams`` words, known by 63-bit hashes; its vector is the
    mean of its features' rows. All rows are learned together by stochastic gradient descent with a falling rate.

    Source: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification" (https://arxiv.org/abs/1607.01759).

    Parameters
    ----------
    dimensions
        Components of a feature's vector.
    ngrams
        Words of the longest run.
    epochs, rate
        Passes over the texts; learning rate at the start, which falls to zero.
    min_count
        A feature must occur so often.
    seed
        Of the first vectors and the order.

    Attributes
    ----------
    keys_
        ``(F,)`` int64 hashes of the features, ascending.
    rows_, outputs_
        ``(F, d)`` and ``(classes, d)`` float32.

    Examples
    --------
    >>> model = AveragedNgrams(epochs=20).fit(["good fine day", "bad poor day"] * 20, np.array([1, 0] * 20))
    >>> model.predict(["a fine day", "a poor day"]).tolist()
    [1, 0]
    """

    def __init__(
        self, *, dimensions: int = 16, ngrams: int = 2, epochs: int = 5, rate: float = 0.1, min_count: int = 1,
        seed: int = 0,
    ) -> None:  # fmt: skip
        if min(dimensions, ngrams, epochs, min_count) < 1 or rate <= 0:
            why = f"{dimensions=}, {ngrams=}, {epochs=}, {min_count=}, {rate=}"
            raise UsageError("the classifier's settings make no sense", why)
        self.dimensions, self.ngrams, self.epochs, self.rate = dimensions, ngrams, epochs, rate
        self.min_count, self.seed = min_count, seed

    def fit(self, texts: Sequence[str], labels: NDArray[np.int64]) -> Self:
        """Learn from texts and their labels ``(n,)``, numbers from 0.

        Raises
        ------
        UsageError
            Where texts and labels do not match, or there is one class alone.
        """
        given = np.asarray(labels, np.int64)
        if len(texts) != len(given) or not len(given) or given.min() < 0 or not given.any():
            raise UsageError("texts and labels do not match", f"{len(texts):,} texts, {len(given):,} labels")
        offsets, keys = self._features(texts)
        known, counts = np.unique(keys, return_counts=True)
        self.keys_: NDArray[np.int64] = known[counts >= self.min_count]
        rng = generator(self.seed, "averaged n-grams")
        drawn = rng.uniform(-1, 1, (len(self.keys_), self.dimensions)) / self.dimensions
        self.rows_: Dense = drawn.astype(np.float32)
        self.outputs_: Dense = np.zeros((int(given.max()) + 1, self.dimensions), np.float32)
        self._train(self._placed(offsets, keys), given, rng, frozen=False)
        return self

    def refit_outputs(self, texts: Sequence[str], labels: NDArray[np.int64]) -> Self:
        """Learn the classes' vectors anew, from where they are, while the features' rows stay as they are."""
        self._fitted()
        rng = generator(self.seed, "averaged n-grams again")
        self._train(self._placed(*self._features(texts)), np.asarray(labels, np.int64), rng, frozen=True)
        return self

    def with_rows(self, keys: NDArray[np.int64], rows: Dense) -> AveragedNgrams:
        """Return a copy that knows other features, ``keys (F,)`` ascending with ``rows (F, d)``."""
        self._fitted()
        copy = AveragedNgrams(
            dimensions=self.dimensions, ngrams=self.ngrams, epochs=self.epochs, rate=self.rate,
            min_count=self.min_count, seed=self.seed,
        )  # fmt: skip
        copy.keys_, copy.rows_ = np.asarray(keys, np.int64), np.ascontiguousarray(rows, np.float32)
        copy.outputs_ = self.outputs_.copy()
        return copy

    def features(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return offsets ``(n + 1,)`` and the numbers of each text's known features, in the order of the text."""
        self._fitted()
        return self._placed(*self._features(texts))

    def scores(self, texts: Sequence[str]) -> Dense:
        """Return the logits of each class, ``(n, classes)``; zeros where a text has no known feature."""
        import scipy.sparse

        offsets, places = self.features(texts)
        counts = np.diff(offsets)
        share = np.repeat(1 / np.maximum(counts, 1), counts).astype(np.float32)
        table = scipy.sparse.csr_matrix((share, places, offsets), shape=(len(texts), len(self.keys_)))
        return np.asarray((table @ self.rows_) @ self.outputs_.T, np.float32)

    def predict(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the number of the likeliest class of each text, ``(n,)``."""
        return np.asarray(self.scores(texts).argmax(1), np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays: keys, rows, and the classes' vectors."""
        return int(self.keys_.nbytes + self.rows_.nbytes + self.outputs_.nbytes)

    def _fitted(self) -> None:
        if not hasattr(self, "rows_"):
            raise NotFittedError("this classifier has learned nothing yet", "", "call fit() first")

    def _features(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        words = [plain_words(text) for text in texts]
        distinct = list(dict.fromkeys(word for some in words for word in some))
        hashed = dict(zip(distinct, hash_terms(distinct).tolist(), strict=True))
        parts, offsets = [], [0]
        for some in words:
            single = np.array([hashed[word] for word in some], np.uint64)
            runs, found = single, [single]
            for size in range(2, self.ngrams + 1):
                runs = (runs[:-1] * _MIX) ^ (single[size - 1 :] + np.uint64(size))
                found.append(runs)
            parts.append(np.concatenate(found))
            offsets.append(offsets[-1] + len(parts[-1]))
        keys = np.concatenate(parts) if parts else np.zeros(0, np.uint64)
        return np.array(offsets, np.int64), (keys >> np.uint64(1)).astype(np.int64)

    def _placed(
        self, offsets: NDArray[np.int64], keys: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        places = np.searchsorted(self.keys_, keys)
        known = places < len(self.keys_)
        known[known] = self.keys_[places[known]] == keys[known]
        return np.concatenate([[0], np.cumsum(known)])[offsets], places[known]

    def _train(self, placed: Any, labels: NDArray[np.int64], rng: np.random.Generator, *, frozen: bool) -> None:
        offsets, places = placed
        full = np.flatnonzero(np.diff(offsets))
        tables = Tables(self.rows_, self.outputs_, first=len(self.rows_) if frozen else 0)
        classes = len(self.outputs_)
        every = np.arange(classes, dtype=np.int32)
        pieces = 20  # the rate falls by steps
        for epoch in range(self.epochs):
            parts = np.array_split(rng.permutation(full), pieces)
            for number, some in enumerate(parts):
                rate = self.rate * (1 - (epoch + number / pieces) / self.epochs)
                right = (every[None] == labels[some][:, None]).astype(np.float32)  # (b, classes)
                answers = Answers(
                    np.arange(len(some) + 1, dtype=np.int64) * classes, np.tile(every, len(some)), right.ravel()
                )
                train_bags(tables, Bags(some.astype(np.int32), offsets, places.astype(np.int32)), answers, rate)
