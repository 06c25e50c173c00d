"""The exact index over dense vectors: every allowed row is compared, and the best are returned without loss."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Bitmap, Dense, Hits, Rows, Similarity, Vectors, charge, normalise, pad_hits
from isogloss.compiled import numba_loaded
from isogloss.errors import NonFiniteError, UsageError
from isogloss.index.engines import FLOAT32, faster
from isogloss.index.inverted_bulk import worker_count
from isogloss.index.scan import Engine, Work, direct, scan
from isogloss.index.segment import LARGEST, Chunk, Segment, all_scores, make_segment, subset

FEW = 4
"""Up to so many queries every row's true score is computed at once."""

BATCH = 512
"""Queries that are scanned together."""

WORTHWHILE = 5_000_000_000
"""Multiply-adds after which a faster engine has earned its start-up and its codes (about 0.1 s of float32 work)."""


COMPILING = 50_000_000_000
"""Multiply-adds after which importing Numba, and perhaps compiling, has earned its second (1 s of float32 work)."""


class Exact:
    """Finds the rows with the greatest cosine or dot product, exactly.

    Scores are float32 sums in a fixed order, so that they depend on the two vectors only: not on the batch, the
    number of threads, the engine or the other rows. Bulk queries go through the engine that a short probe shows
    faster (float32, or eight bits with a proven bound and true re-scoring); single ones never load ONNX Runtime.

    Parameters
    ----------
    similarity
        ``Similarity.COSINE`` or ``Similarity.DOT``.
    engine
        An engine of ``isogloss.index.engines``; None lets the probe choose.
    threads
        Threads for bulk queries in the int8 engine; None: ``OMP_NUM_THREADS``, else one a core. (The float32
        engine uses NumPy's own.)

    Examples
    --------
    >>> index = Exact(similarity=Similarity.DOT)
    >>> index.add(np.array([7, 3, 90]), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], np.float32))
    >>> hits = index.search(np.array([[2.0, 1.0]], np.float32), k=2)
    >>> hits.rows.tolist(), hits.scores.tolist()
    ([[90, 7]], [[3.0, 2.0]])
    """

    def __init__(
        self,
        *,
        similarity: Similarity = Similarity.COSINE,
        engine: Engine | None = None,
        threads: int | None = None,
    ) -> None:
        if similarity not in (Similarity.COSINE, Similarity.DOT):
            raise UsageError(f"the exact index cannot compare by {similarity.value}", "", "use cosine or dot")
        self.similarity = similarity
        self.engine = engine
        self.threads = worker_count(threads)
        self._segments: list[Segment] = []
        self._work = 0

    @classmethod
    def from_segments(
        cls,
        segments: Sequence[tuple[Rows, Dense]],
        live: Bitmap,
        similarity: Similarity = Similarity.COSINE,
        *,
        engine: Engine | None = None,
        threads: int | None = None,
    ) -> Self:
        """Return an index over arrays that lie elsewhere, for instance memory maps; nothing is copied.

        Parameters
        ----------
        segments
            Pairs of row numbers ``(n,)`` and vectors ``(n, d)`` float32; no row lives in two segments.
        live
            Rows that are not live (or beyond the bitmap) are never found.
        similarity, engine, threads
            As in the constructor.
        """
        made = cls(similarity=similarity, engine=engine, threads=threads)
        for rows, vectors in segments:
            if len(rows):
                made._append(np.asarray(rows, np.int64), vectors, _flags(live, rows))
        return made

    def _append(self, rows: Rows, vectors: Dense, alive: NDArray[np.bool_]) -> None:
        if vectors.ndim != 2 or len(vectors) != len(rows):
            raise UsageError("rows and vectors do not fit", f"{len(rows)} rows, vectors {vectors.shape}", "give (n, d)")
        width = self._segments[0].vectors.shape[1] if self._segments else vectors.shape[1]
        self._check_width(vectors, width)
        vectors = np.require(np.asarray(vectors), np.float32, ["C", "A"])
        cosine = self.similarity is Similarity.COSINE
        self._segments.append(make_segment(rows, vectors, alive, cosine=cosine))

    @staticmethod
    def _check_width(vectors: Dense, width: int) -> None:
        if vectors.shape[1] != width:
            why = f"the index holds {width} dimensions, the vectors have {vectors.shape[1]}"
            raise UsageError("the vectors do not belong to this index", why, "encode with the encoder of the index")

    def __len__(self) -> int:
        return sum(int(segment.alive.sum()) for segment in self._segments)

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Add vectors ``(n, d)`` under new row numbers; they are copied.

        Raises
        ------
        UsageError
            Where a row is there already, twice in ``rows`` or negative, or the dimensions differ.
        NonFiniteError
            Where a vector holds NaN or infinity.
        """
        rows = np.array(rows, np.int64).reshape(-1)
        known = np.zeros(len(rows), np.bool_)
        for segment in self._segments:
            known |= np.isin(rows, segment.rows[segment.alive])
        if known.any() or len(np.unique(rows)) != len(rows) or (rows < 0).any():
            bad = rows[known][:1] if known.any() else rows[:1]
            why = f"row {int(bad[0])} is in the index already" if known.any() else "a row is negative or given twice"
            raise UsageError("rows cannot be added", why, "give each vector a row number of its own")
        if len(rows):
            self._append(rows, np.array(_dense(vectors), np.float32, order="C"), np.ones(len(rows), np.bool_))

    def remove(self, rows: Rows) -> None:
        """Forget rows; a row that is not there is a ``UsageError`` and nothing is removed."""
        rows = np.asarray(rows, np.int64).reshape(-1)
        found = [segment.alive & np.isin(segment.rows, rows) for segment in self._segments]
        if sum(int(flags.sum()) for flags in found) != len(np.unique(rows)):
            held = [segment.rows[flags] for segment, flags in zip(self._segments, found, strict=True)]
            missing = np.setdiff1d(rows, np.concatenate([*held, np.zeros(0, np.int64)]))
            raise UsageError(
                "rows cannot be removed", f"row {missing[0]} is not in the index", "give rows that were added"
            )
        for segment, flags in zip(self._segments, found, strict=True):
            segment.alive = segment.alive & ~flags
        self._segments = [segment for segment in self._segments if segment.alive.any()]

    def search(self, queries: Vectors, k: int, allow: Bitmap | None = None, effort: float = 1.0) -> Hits:
        """Return the best ``k`` allowed rows of each query.

        Parameters
        ----------
        queries
            ``(q, d)`` float32, or ``(d,)`` for a single one.
        k
            How many, at least 0; places beyond the rows there are hold -1.
        allow
            Rows that may be found; None allows all live ones.
        effort
            1 is exact. Below, the int8 engine's error bounds are multiplied by it, so that fewer rows are scored
            truly and some of the best may be missed; the float32 engine loses nothing.

        Returns
        -------
        Hits
            By falling score, ties by rising row.

        Raises
        ------
        NonFiniteError
            Where a query holds NaN or infinity, or a dot product leaves the range of float32.
        """
        if k < 0 or not 0 < effort <= 1:
            raise UsageError("the search makes no sense", f"k = {k}, effort = {effort}", "give k >= 0, 0 < effort <= 1")
        queries = self._queries(queries)
        if k == 0 or not len(queries) or not self._segments:
            return pad_hits([(np.zeros(0, np.int64), np.zeros(0, np.float32))] * len(queries), k)
        segments = [_narrow(segment, allow) for segment in self._segments]
        segments = [(segment, allowed) for segment, allowed in segments if allowed.any()]
        total, width = sum(len(segment) for segment, _ in segments), queries.shape[1]
        if not segments or len(queries) <= FEW:
            charge(multiply_adds=total * width * len(queries), bytes_read=4 * total * width * len(queries))
            return pad_hits(direct(segments, queries, k), k)
        return self._bulk(segments, queries, k, effort)

    def _bulk(self, segments: list[tuple[Segment, NDArray[np.bool_]]], queries: Dense, k: int, effort: float) -> Hits:
        engine = self._choose(segments, len(queries))
        parts = -(-len(queries) // BATCH)
        threaded = engine is not FLOAT32 and self.threads > 1 and len(queries) >= BATCH // 4
        if threaded:
            for segment, _ in segments:
                one = Chunk(segment, 0, 1, segment.alive[:1])
                engine.scores(one, engine.prepare(queries[:1]))  # the codes are made before threads want them
            parts = -(-parts // self.threads) * self.threads

        def work(batch: Dense) -> tuple[list[tuple[Rows, Dense]], Work]:
            return scan(segments, batch, k, engine, slack=effort)

        batches = np.array_split(queries, parts)
        if threaded:
            with ThreadPoolExecutor(self.threads) as pool:
                done = list(pool.map(work, batches))
        else:
            done = [work(batch) for batch in batches]
        width = queries.shape[1]
        for _, cost in done:
            charge(multiply_adds=(cost.approximate + cost.true) * width)
            charge(bytes_read=cost.bytes_read + 4 * cost.true * width, random_reads=cost.true)
        return pad_hits([result for results, _ in done for result in results], k)

    def _choose(self, segments: list[tuple[Segment, NDArray[np.bool_]]], count: int) -> Engine:
        if self.engine is not None:
            return self.engine
        largest = max((segment for segment, _ in segments), key=len)
        self._work += count * largest.vectors.size
        if self._work < WORTHWHILE or count < 16 or len(largest) < 2048:
            return FLOAT32
        return faster(largest, count, compiled=numba_loaded() or self._work > COMPILING)

    def score_all(self, query: Vectors) -> tuple[Rows, NDArray[np.float32]]:
        """Return every live row (ascending) and its score for one query ``(d,)`` or ``(1, d)``."""
        queries = self._queries(query)
        if len(queries) != 1:
            raise UsageError("score_all takes one query", f"{len(queries)} are given", "call it for each")
        rows, scores = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        for segment in self._segments:
            charge(multiply_adds=segment.vectors.size, bytes_read=segment.vectors.nbytes)
            rows.append(segment.rows[segment.alive])
            scores.append(all_scores(segment, queries[0])[segment.alive])
        order = np.argsort(np.concatenate(rows), kind="stable")
        return np.concatenate(rows)[order], np.concatenate(scores)[order]

    def _queries(self, queries: Vectors) -> Dense:
        dense = np.ascontiguousarray(_dense(queries), np.float32)
        dense = dense.reshape(1, -1) if dense.ndim == 1 else dense
        if not np.isfinite(dense).all():
            raise NonFiniteError("a query is not finite", "its vector holds NaN or infinity", "encode the text again")
        if self._segments:
            self._check_width(dense, self._segments[0].vectors.shape[1])
        if self.similarity is Similarity.COSINE:
            return normalise(dense)
        longest = max((float(segment.reach.max()) for segment in self._segments), default=0.0)
        if longest * np.linalg.norm(dense.astype(np.float64), axis=1).max(initial=0.0) > LARGEST:
            raise NonFiniteError("a dot product leaves the range of float32", "the vectors are too long", "scale them")
        return dense


def _dense(vectors: Vectors) -> Dense:
    if not isinstance(vectors, np.ndarray):
        why = f"they are {type(vectors).__name__}"
        raise UsageError("the exact index needs dense vectors", why, "use the index of that kind of vector")
    return vectors


def _flags(bitmap: Bitmap, rows: Rows) -> NDArray[np.bool_]:
    """Return ``bitmap[row]`` for each row, False beyond its end."""
    inside = rows < len(bitmap)
    if inside.all():
        return np.asarray(bitmap[rows], np.bool_)
    return inside & np.asarray(bitmap[np.where(inside, rows, 0)] if len(bitmap) else False, np.bool_)


def _narrow(segment: Segment, allow: Bitmap | None) -> tuple[Segment, NDArray[np.bool_]]:
    """Return the segment and its rows that may be found; where they are few, a segment of only these."""
    allowed = segment.alive if allow is None else segment.alive & _flags(allow, segment.rows)
    if 8 * int(allowed.sum()) < len(segment):
        chosen = subset(segment, allowed)
        return chosen, chosen.alive
    return segment, allowed
