"""BM25 over posting segments: statistics of live documents only, single queries by NumPy, thousands by a kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Bitmap, Dense, Hits, Rows, Vectors, charge, pad_hits, top_k
from isogloss.compiled import numba_available, numba_loaded
from isogloss.errors import UsageError
from isogloss.index.inverted_bulk import MOST, Plan, Ready, make_ready, saturation, search_many
from isogloss.index.postings import Postings, flags_of
from isogloss.text.hashing import number_hashes

Variant = Literal["lucene", "robertson"]
FEW_POSTINGS = 10_000_000
"""Below so many postings (each counted once a query) queries run by NumPy, where Numba is not imported yet."""
FEW_QUERIES = 256
"""Below so many queries they run by NumPy in any case."""
WARM = 64
"""After so many queries by NumPy their weights are kept ready ..."""
WARM_POSTINGS = 10_000_000
"""... unless there are more postings than this (8 bytes each)."""
SEGMENTS = 8
"""``add`` merges the newest segments once there are more than this."""


@dataclass(frozen=True)
class _Layout:
    """What all live documents decide: their slots, and the normed length of each."""

    rows: Rows
    live: Bitmap | None
    places: list[NDArray[np.int64] | int]
    norms: list[Dense]
    documents: int
    average: float


class Inverted:
    """An index over sparse counts that ranks by BM25.

    A document's score is the sum over the query's words of ``q * idf * tf / (tf + k1 * (1 - b + b * length /
    average))``, where ``q`` is how often the word stands in the query (a repeated word counts each time, as in
    Lucene and bm25s), ``idf`` is ``ln(1 + (N - df + .5) / (df + .5))`` for ``"lucene"`` and ``max(0, ln((N - df +
    .5) / (df + .5)))`` for ``"robertson"``. N, df and the average length are those of live documents, and words are
    added up from the rarest to the most frequent, so that a score is the same to the bit whatever segments,
    deletions or merges lie behind it.

    Robertson, Walker, Jones, Hancock-Beaulieu and Gatford, "Okapi at TREC-3" (1994); the variants as told apart by
    Kamphuis, de Vries, Boytsov and Lin, "Which BM25 Do You Mean? A Large-Scale Reproducibility Study of Scoring
    Variants" (ECIR 2020), https://doi.org/10.1007/978-3-030-45442-5_4.

    ``search`` returns documents with a positive score only: one that shares no word with the query is no hit.
    It is exact at any ``effort``.

    Parameters
    ----------
    k1
        How slowly repeated words add up, 0 or more.
    b
        How much long documents are held back, 0 to 1.
    variant
        ``"lucene"`` or ``"robertson"``.
    threads
        Threads for many queries; None: ``OMP_NUM_THREADS``, else one a core.

    Examples
    --------
    >>> index = Inverted()
    >>> index.add(np.array([3, 5]), CSR(np.array([0, 2, 3]), np.array([1, 2, 2]), np.ones(3, np.float32), 9))
    >>> hits = index.search(CSR(np.array([0, 1]), np.array([1]), np.ones(1, np.float32), 9), k=2)
    >>> hits.rows.tolist(), round(float(hits.scores[0, 0]), 3)
    ([[3, -1]], 0.343)
    """

    def __init__(
        self, *, k1: float = 0.9, b: float = 0.4, variant: Variant = "lucene", threads: int | None = None
    ) -> None:
        if not (math.isfinite(k1) and k1 >= 0 and 0 <= b <= 1):
            raise UsageError("BM25 cannot be computed", f"k1 is {k1} and b is {b}", "take k1 >= 0 and b from 0 to 1")
        if variant not in ("lucene", "robertson"):
            raise UsageError(f"there is no BM25 variant {variant!r}", "the variants are lucene and robertson")
        self.k1, self.b, self.variant, self.threads = float(k1), float(b), variant, threads
        self._segments: list[Postings] = []
        self._flags: list[Bitmap] = []
        self._asked = 0

    @classmethod
    def from_segments(
        cls,
        segments: Sequence[Postings],
        live: Bitmap,
        *,
        k1: float = 0.9,
        b: float = 0.4,
        variant: Variant = "lucene",
        threads: int | None = None,
    ) -> Inverted:
        """Open stored segments (memory maps too); ``live`` flags row numbers, those beyond its end are not live."""
        index = cls(k1=k1, b=b, variant=variant, threads=threads)
        index._segments = [segment for segment in segments if len(segment)]
        index._flags = [flags_of(segment.rows, live) for segment in index._segments]
        rows = index._layout.rows
        if index._layout.live is not None:
            rows = rows[index._layout.live]
        if len(rows) > 1 and (np.diff(rows) == 0).any():
            raise UsageError("segments cannot be opened together", "two of them hold the same live row")
        return index

    def __len__(self) -> int:
        return sum(int(flags.sum()) for flags in self._flags)

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Add documents ``vectors`` (CSR of counts) under new row numbers."""
        segment = Postings.build(rows, _sparse(vectors))
        if any(
            _among(segment.rows, old.rows[flags]).any() for old, flags in zip(self._segments, self._flags, strict=True)
        ):
            raise UsageError("documents cannot be added", "a row number is taken", "remove it first, or give a new one")
        if len(segment):
            self._segments.append(segment)
            self._flags.append(np.ones(len(segment), np.bool_))
            self._forget()
            self._tidy()

    def remove(self, rows: Rows) -> None:
        """Forget documents.

        Raises
        ------
        UsageError
            Where a row number is not in the index (or given twice); nothing is removed then.
        """
        rows = np.asarray(rows, np.int64)
        marks = [_among(old.rows, rows) & flags for old, flags in zip(self._segments, self._flags, strict=True)]
        found = sum(int(mark.sum()) for mark in marks)
        if found != len(rows):
            raise UsageError(
                "documents cannot be removed", f"{len(rows) - found} of {len(rows)} row numbers are not there"
            )
        self._flags = [flags & ~mark for flags, mark in zip(self._flags, marks, strict=True)]
        self._forget()

    def search(self, queries: Vectors, k: int, allow: Bitmap | None = None, effort: float = 1.0) -> Hits:
        """Return the best ``k`` allowed documents of each query (counts of words as CSR), those with a score above 0.

        ``allow`` flags row numbers; rows beyond its end are not allowed. Many queries run in a kernel, few by NumPy,
        with equal scores to the bit.
        """
        queries = _sparse(queries)
        if not 0 < effort <= 1:
            raise UsageError(
                f"effort {effort} makes no sense", "it is a share of the whole work", "take 0 < effort <= 1"
            )
        if k <= 0 or not len(queries) or not self._segments:
            return pad_hits([], max(k, 0)) if not len(queries) else pad_hits([_NOTHING] * len(queries), max(k, 0))
        if self._worth_a_kernel(queries, k):
            return self._search_many(queries, k, allow)
        rows, live, scored = self._engine(len(queries))
        allowed = live
        if allow is not None:
            flags = flags_of(rows, allow)
            allowed = flags if live is None else flags & live
        found = []
        for i in range(len(queries)):
            scores = scored(*queries.row(i))
            wanted = scores > 0 if allowed is None else (scores > 0) & allowed
            best = top_k(np.where(wanted, scores, np.float32(-np.inf)), k)
            found.append((rows[best], scores[best]))
        return pad_hits(found, k)

    def score_all(self, query: Vectors) -> tuple[Rows, Dense]:
        """Return every live row, ascending, and its score for one query (0 where no word is shared)."""
        query = _sparse(query)
        if len(query) != 1:
            raise UsageError("score_all takes one query", f"{len(query)} were given", "call it once for each")
        rows, live, scored = self._engine(1)
        scores = scored(*query.row(0))
        return (rows.copy(), scores) if live is None else (rows[live], scores[live])

    # ------------------------------------------------------------------ statistics and layout

    def _forget(self) -> None:
        self.__dict__.pop("_layout", None)
        self.__dict__.pop("_ready", None)
        self._asked = 0

    def _tidy(self) -> None:
        """Merge the newest segments while they are many, so that each document is merged a few times only."""
        while len(self._segments) > SEGMENTS:
            last = len(self._segments) - 2
            while last > 0 and len(self._segments[last - 1]) <= 2 * sum(map(len, self._segments[last:])):
                last -= 1
            merged = Postings.merge_flagged(self._segments[last:], self._flags[last:])
            self._segments[last:], self._flags[last:] = [merged], [np.ones(len(merged), np.bool_)]
            self._forget()

    @cached_property
    def _layout(self) -> _Layout:
        segments, flags = self._segments, self._flags
        live = np.concatenate([np.zeros(0, np.bool_), *flags])
        documents = int(live.sum())
        total = float(sum(float(s.lengths[f].sum()) for s, f in zip(segments, flags, strict=True)))
        average = total / documents if total > 0 else 1.0
        rows = np.concatenate([np.zeros(0, np.int64), *(segment.rows for segment in segments)])
        starts = np.cumsum([0, *map(len, segments)]).tolist()
        places: list[NDArray[np.int64] | int] = list(starts[:-1])
        if len(rows) > 1 and (np.diff(rows) <= 0).any():
            order = np.argsort(rows, kind="stable")
            moved = np.empty(len(rows), np.int64)
            moved[order] = np.arange(len(rows))
            places = [moved[a:b] for a, b in pairwise(starts)]
            rows, live = rows[order], live[order]
        norms = [self._norms(segment.lengths, average) for segment in segments]
        return _Layout(rows, None if documents == len(live) else live, places, norms, documents, average)

    def _norms(self, lengths: NDArray[np.float64], average: float) -> Dense:
        return np.asarray(self.k1 * (1 - self.b + self.b * (lengths / average)), np.float32)

    def _weights(self, frequencies: NDArray[np.int64]) -> Dense:
        """Return the inverse document frequencies, float32; 0 for words that no live document holds."""
        n = self._layout.documents
        plus = 1.0 if self.variant == "lucene" else 0.0
        weights = [max(0.0, math.log(plus + (n - df + 0.5) / (df + 0.5))) if df else 0.0 for df in frequencies.tolist()]
        return np.array(weights, np.float32)

    # ------------------------------------------------------------------ one query

    def _engine(self, queries: int) -> tuple[Rows, Bitmap | None, Callable[..., Dense]]:
        """Return row numbers, which of them live (None: all), and what scores them for one query.

        The first queries read the segments as they are; an index that is asked again and again gets its weights ready.
        """
        self._asked += queries
        if "_ready" not in self.__dict__:
            postings = sum(len(segment.positions) for segment in self._segments)
            if self._asked <= WARM or postings > WARM_POSTINGS:
                return self._layout.rows, self._layout.live, self._scores
        return self._ready.postings.rows, None, self._ready_scores

    def _ready_scores(self, terms: NDArray[np.int64], repeats: Dense) -> Dense:
        """Return the score of each live document from weights that are ready: the same bits as ``_scores``."""
        ready = self._ready
        n = len(ready.postings)
        starts, stops = ready.postings.find(terms)
        frequencies = stops - starts
        weights = self._weights(frequencies) * repeats
        places = np.searchsorted(ready.postings.terms, terms)
        scores = np.zeros(n, np.float32)
        read = 0
        for i in np.lexsort((terms, frequencies)).tolist():
            start, stop = int(starts[i]), int(stops[i])
            if start == stop:
                continue
            row = int(ready.dense_of[places[i]])
            if row >= 0:
                scores += weights[i] * ready.dense[row, :n]
                read += n
            else:
                scores[ready.postings.positions[start:stop]] += weights[i] * ready.saturation[start:stop]
                read += stop - start
        charge(multiply_adds=read, bytes_read=8 * read, random_reads=len(terms))
        return scores

    def _scores(self, terms: NDArray[np.int64], repeats: Dense) -> Dense:
        """Return the score of each slot, dead ones too."""
        layout = self._layout
        scores = np.zeros(len(layout.rows), np.float32)
        spans = [segment.find(terms) for segment in self._segments]
        frequencies = self._frequencies(spans, len(terms))
        weights = self._weights(frequencies) * repeats
        order = np.lexsort((terms, frequencies))  # the rarest first, ties by hash
        read = 0
        for i in order.tolist():
            for segment, place, norms, (starts, stops) in zip(
                self._segments, layout.places, layout.norms, spans, strict=True
            ):
                start, stop = int(starts[i]), int(stops[i])
                if start == stop or weights[i] == 0:
                    continue
                at = segment.positions[start:stop]
                gained = weights[i] * saturation(segment.counts[start:stop], norms[at])
                if isinstance(place, int):
                    scores[place : place + len(segment)][at] += gained
                else:
                    scores[place[at]] += gained
                read += stop - start
        charge(multiply_adds=2 * read, bytes_read=5 * read, random_reads=len(terms) * len(self._segments))
        return scores

    def _frequencies(self, spans: list[tuple[NDArray[np.int64], NDArray[np.int64]]], terms: int) -> NDArray[np.int64]:
        """Count the live documents of each term."""
        found = np.zeros(terms, np.int64)
        whole = self._layout.live is None
        for segment, flags, (starts, stops) in zip(self._segments, self._flags, spans, strict=True):
            if whole:
                found += stops - starts
            else:
                alive = [int(flags[segment.positions[a:b]].sum()) for a, b in zip(starts, stops, strict=True)]
                found += np.array(alive, np.int64)
        return found

    # ------------------------------------------------------------------ many queries

    def _worth_a_kernel(self, queries: CSR, k: int) -> bool:
        if len(queries) < FEW_QUERIES or k > MOST or not numba_available() or (queries.values < 0).any():
            return False
        if numba_loaded():
            return True
        spans = [segment.find(queries.indices) for segment in self._segments]
        return sum(int((stops - starts).sum()) for starts, stops in spans) >= FEW_POSTINGS

    @cached_property
    def _ready(self) -> Ready:
        """Put live postings in one piece, with the weights that do not depend on a query."""
        if len(self._segments) == 1 and self._layout.live is None:
            whole = self._segments[0]
        else:
            whole = Postings.merge_flagged(self._segments, self._flags)
        return make_ready(whole, self._norms(whole.lengths, self._layout.average))

    def _search_many(self, queries: CSR, k: int, allow: Bitmap | None) -> Hits:
        ready = self._ready
        terms, numbers = number_hashes(queries.indices)
        starts, stops = ready.postings.find(terms)
        frequencies = stops - starts
        idf = self._weights(frequencies)
        owners = np.repeat(np.arange(len(queries)), np.diff(queries.offsets))
        order = np.lexsort((numbers, frequencies[numbers], owners))
        order = order[frequencies[numbers[order]] > 0]
        chosen = numbers[order]
        offsets = np.zeros(len(queries) + 1, np.int64)
        np.cumsum(np.bincount(owners[order], minlength=len(queries)), out=offsets[1:])
        places = np.searchsorted(ready.postings.terms, terms)
        plan = Plan(offsets, places[chosen], idf[chosen] * queries.values[order])
        read = int(frequencies[chosen].sum())
        charge(multiply_adds=read, bytes_read=8 * read, random_reads=len(chosen))
        allowed = None if allow is None else flags_of(ready.postings.rows, allow)
        return search_many(ready, plan, k, allowed, self.threads)


_NOTHING = (np.zeros(0, np.int64), np.zeros(0, np.float32))


def _sparse(vectors: Vectors) -> CSR:
    if not isinstance(vectors, CSR):
        raise UsageError(
            "the word index takes sparse counts", f"it was given {type(vectors).__name__}", "encode with words"
        )
    return vectors


def _among(rows: Rows, others: Rows) -> Bitmap:
    """Say of each of ``rows`` whether it is one of ``others``."""
    return np.isin(rows, others)
