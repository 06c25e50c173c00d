"""Search over sets of vectors in two stages: one vector a set finds candidates, MaxSim orders them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Bitmap, Hits, Ragged, Rows, Similarity, Vectors, pad_hits, top_k
from isogloss.errors import UsageError
from isogloss.index.exact import Exact
from isogloss.index.fixed_dimensional import FixedDimensionalEncoding
from isogloss.index.late_interaction import MaxSim, max_sim


class TwoStage:
    """Candidates by the dot product of fixed-dimensional encodings, their order by exact MaxSim.

    ``effort`` is the share of the (allowed) rows that become candidates, at least ``k``; with ``effort=1.0`` every
    row is one and the search is exact ("MUVERA", 2024, https://arxiv.org/abs/2405.19504, section 3).

    Parameters
    ----------
    encoding
        How sets become single vectors.
    rerank
        Whether candidates are ordered by MaxSim; without it the encodings' dot product is the score, everywhere.

    Examples
    --------
    >>> index = TwoStage(FixedDimensionalEncoding(k_sim=1, d_proj=None, repetitions=2))
    >>> index.add(np.array([4, 8]), Ragged(np.array([[1, 0], [0, 1]], np.float32), np.array([0, 1, 2])))
    >>> index.search(Ragged(np.array([[0, 2]], np.float32), np.array([0, 1])), 1, effort=0.5).rows.tolist()
    [[8]]
    """

    def __init__(self, encoding: FixedDimensionalEncoding, *, rerank: bool = True) -> None:
        self.encoding, self.rerank = encoding, rerank
        self._exact = MaxSim()
        self._single = Exact(similarity=Similarity.DOT)
        self._sets: dict[int, NDArray[np.float32]] = {}

    def __len__(self) -> int:
        return len(self._sets)

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Add sets of vectors under new row numbers."""
        self._exact.add(rows, vectors)  # checks everything
        if len(rows) and isinstance(vectors, Ragged):
            self._single.add(np.asarray(rows, np.int64), self.encoding.documents(vectors))
            self._sets.update({int(row): vectors[i] for i, row in enumerate(rows)})

    def remove(self, rows: Rows) -> None:
        """Forget rows; an unknown one is an error and nothing is removed."""
        self._exact.remove(rows)
        self._single.remove(rows)
        for row in rows:
            del self._sets[int(row)]

    def search(self, queries: Vectors, k: int, allow: Bitmap | None = None, effort: float = 1.0) -> Hits:
        """Return the best ``k`` allowed rows of each query."""
        if not 0 < effort <= 1:
            raise UsageError("effort lies above 0 and at most at 1", f"it is {effort}")
        if self.rerank and effort == 1.0:
            return self._exact.search(queries, k, allow)
        if not isinstance(queries, Ragged):
            raise UsageError("sets of vectors are compared with sets", f"{type(queries).__name__} given")
        if not len(self) or not len(queries):
            return pad_hits([(np.zeros(0, np.int64), np.zeros(0, np.float32))] * len(queries), k)
        depth = max(k, math.ceil(effort * len(self))) if self.rerank else k
        found = self._single.search(self.encoding.queries(queries), depth, allow)
        if not self.rerank:
            return found
        return pad_hits(
            [self._ordered(query, rows[rows >= 0], k) for query, rows in zip(queries, found.rows, strict=True)], k
        )

    def score_all(self, query: Vectors) -> tuple[Rows, NDArray[np.float32]]:
        """Return every row (ascending) and its score for one query: MaxSim, or the encodings' dot product."""
        if self.rerank or not isinstance(query, Ragged) or not len(self):
            return self._exact.score_all(query)
        return self._single.score_all(self.encoding.queries(query))

    def _ordered(self, query: NDArray[np.float32], rows: Rows, k: int) -> tuple[Rows, NDArray[np.float32]]:
        rows = np.sort(rows)  # ties come by row
        if not len(rows):
            return rows, np.zeros(0, np.float32)
        scores = max_sim(query, Ragged.from_list([self._sets[int(row)] for row in rows]))
        best = top_k(scores, k)
        return rows[best], scores[best]
