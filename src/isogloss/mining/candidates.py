"""Candidates for negatives: what a search finds near each query, from vectors or from words, as one flat table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Dense, Hits, Rows, Similarity, Vectors, normalise
from isogloss.errors import UsageError
from isogloss.index.exact import Exact
from isogloss.index.inverted import Inverted


class Source(Protocol):
    """Ranks the rows of a corpus for queries, and scores single pairs on the same scale."""

    def search(self, depth: int) -> Hits:
        """Return the best ``depth`` rows of every query."""
        ...

    def scores(self, queries: Rows, rows: Rows) -> NDArray[np.float64]:
        """Return the score of each pair (query number, row)."""
        ...


@dataclass(frozen=True, slots=True)
class VectorSource:
    """Candidates by cosine or dot product.

    Attributes
    ----------
    queries, documents
        ``(q, d)`` and ``(n, d)`` float32; row ``i`` is query or document ``i``.
    similarity
        ``Similarity.COSINE`` or ``Similarity.DOT``.

    Examples
    --------
    >>> source = VectorSource(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32))
    >>> source.search(1).rows.tolist(), source.scores(np.array([0]), np.array([1])).tolist()
    ([[0], [1]], [0.0])
    """

    queries: Dense
    documents: Dense
    similarity: Similarity = Similarity.COSINE

    def search(self, depth: int) -> Hits:
        """Return the best ``depth`` rows of every query."""
        index = Exact(similarity=self.similarity)
        index.add(np.arange(len(self.documents), dtype=np.int64), self.documents)
        return index.search(self.queries, depth)

    def scores(self, queries: Rows, rows: Rows) -> NDArray[np.float64]:
        """Return the score of each pair (query number, row)."""
        cosine = self.similarity is Similarity.COSINE
        a = normalise(self.queries) if cosine else self.queries
        b = normalise(self.documents) if cosine else self.documents
        out = np.zeros(len(rows), np.float64)
        for start in range(0, len(rows), 1 << 16):  # a gathered copy of all pairs would not fit
            part = slice(start, start + (1 << 16))
            out[part] = np.einsum("ij,ij->i", a[queries[part]], b[rows[part]], dtype=np.float64)
        return out


@dataclass(frozen=True, slots=True)
class WordSource:
    """Candidates by BM25 over word counts.

    Attributes
    ----------
    queries, documents
        Counts of words, as ``isogloss.encoders.lexical`` makes them.
    k1, b
        Of BM25.
    """

    queries: CSR
    documents: CSR
    k1: float = 0.9
    b: float = 0.4

    def _index(self) -> Inverted:
        index = Inverted(k1=self.k1, b=self.b)
        index.add(np.arange(len(self.documents), dtype=np.int64), self.documents)
        return index

    def search(self, depth: int) -> Hits:
        """Return the best ``depth`` rows of every query; rows that share no word with it are never among them."""
        return self._index().search(self.queries, depth)

    def scores(self, queries: Rows, rows: Rows) -> NDArray[np.float64]:
        """Return the score of each pair (query number, row); 0 where they share no word."""
        index, out = self._index(), np.zeros(len(rows), np.float64)
        order = np.argsort(queries, kind="stable")
        for part in np.split(order, np.flatnonzero(np.diff(queries[order])) + 1):
            if len(part):
                found, values = index.score_all(self.queries.take(queries[part[:1]]))
                table = np.zeros(len(self.documents), np.float64)
                table[found] = values
                out[part] = table[rows[part]]
        return out


def source_of(
    queries: Vectors, documents: Vectors, similarity: Similarity = Similarity.COSINE, *, k1: float = 0.9, b: float = 0.4
) -> Source:
    """Return the source for what an encoder gave: vectors by their similarity, counts of words by BM25.

    Raises
    ------
    UsageError
        Where the vectors are of another kind, or of two kinds.
    """
    if isinstance(queries, CSR) and isinstance(documents, CSR):
        return WordSource(queries, documents, k1, b)
    if isinstance(queries, np.ndarray) and isinstance(documents, np.ndarray):
        return VectorSource(queries, documents, similarity)
    kinds = f"{type(queries).__name__} and {type(documents).__name__}"
    raise UsageError("candidates cannot be found with these vectors", kinds, "use a dense encoder, or words")


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs of a query and a row that a search found, one entry a pair, ordered by pair and by falling score.

    Attributes
    ----------
    pair
        ``(m,)`` number of the training pair.
    row
        ``(m,)`` row of the corpus.
    rank
        ``(m,)`` best rank over the sources, from 1; the positive itself and its equals count.
    score
        ``(m,)`` by the first source.
    positive
        ``(m,)`` score of the pair's positive, by the first source.
    """

    pair: Rows
    row: Rows
    rank: NDArray[np.int64]
    score: NDArray[np.float64]
    positive: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.pair)

    def take(self, places: NDArray[np.int64]) -> Candidates:
        """Return some of the candidates."""
        return Candidates(
            self.pair[places], self.row[places], self.rank[places], self.score[places], self.positive[places]
        )


def find_candidates(sources: Sequence[Source], positives: Rows, depth: int) -> Candidates:
    """Return what the sources find for every pair, the pair's own positive taken out.

    Parameters
    ----------
    sources
        One or several; each proposes its best ``depth`` rows, the first one scores all.
    positives
        ``(p,)`` row of each pair's positive; query ``i`` of the sources belongs to pair ``i``.
    depth
        Ranks that are looked at.

    Raises
    ------
    UsageError
        Where there is no source, or the depth is below 1.

    Examples
    --------
    >>> documents = np.array([[1, 0], [0.9, 0.1], [0, 1]], np.float32)
    >>> found = find_candidates([VectorSource(documents[:1], documents)], np.array([0]), 3)
    >>> found.row.tolist(), found.rank.tolist(), found.score.round(2).tolist()
    ([1, 2], [2, 3], [0.99, 0.0])
    """
    if not sources or depth < 1:
        raise UsageError("nothing can be mined", f"{len(sources)} sources, {depth} ranks", "give one, and 1 or more")
    pairs, rows, ranks = [], [], []
    for source in sources:
        hits = source.search(depth).rows
        number, place = np.nonzero(hits >= 0)
        pairs.append(number)
        rows.append(hits[number, place])
        ranks.append(place + 1)
    pair, row, rank = _best(np.concatenate(pairs), np.concatenate(rows), np.concatenate(ranks))
    other = row != positives[pair]
    pair, row, rank = pair[other], row[other], rank[other]
    score = sources[0].scores(pair, row)
    own = sources[0].scores(np.arange(len(positives), dtype=np.int64), positives)
    order = np.lexsort((row, -score, pair))
    return Candidates(pair[order], row[order], rank[order], score[order], own[pair[order]])


def _best(pair: Rows, row: Rows, rank: Rows) -> tuple[Rows, Rows, NDArray[np.int64]]:
    """Keep each pair of query and row once, with its best rank."""
    order = np.lexsort((rank, row, pair))
    pair, row, rank = pair[order], row[order], rank[order]
    first = np.ones(len(pair), bool)
    first[1:] = (pair[1:] != pair[:-1]) | (row[1:] != row[:-1])
    return pair[first].astype(np.int64), row[first].astype(np.int64), rank[first].astype(np.int64)
