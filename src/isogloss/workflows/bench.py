"""Systems over passages: every encoder encodes once, every ranking is of documents by their best passage."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from isogloss.arrays import CSR, Dense, Hits, Rows, Similarity, Vectors, normalise
from isogloss.corpus.judgements import RankedRun
from isogloss.errors import IsoglossWarning, ModelError, UsageError
from isogloss.evaluation.report.content import Cost
from isogloss.evaluation.run_file import SystemSettings, describe
from isogloss.protocols import Encoder, EncodeReport, Index, Progress, Silent, Transform
from isogloss.workflows.passages import Passages
from isogloss.workflows.systems import EncoderPlan, FusionPlan, SystemPlan, unknown_system
from isogloss.workflows.vector_cache import cut_report, encode_kept

if TYPE_CHECKING:
    from isogloss.index.store.rows import StoredEncoder

LEAST_DEPTH = 100
"""Passages that each encoder of a fusion proposes at least, as ``isogloss search`` does."""
PAGE = 10
"""Documents that ``isogloss search`` shows unless told otherwise."""
TAIL = 1e-3
"""Steps of the scores of documents that only a deeper look at a fusion found."""
TIMED_TEXTS = 32
"""Passages that are encoded to measure speed, where the vectors were there already."""
TIMED_QUERIES = 20
"""Questions that are asked one by one to measure the time of one."""


@dataclass(slots=True)
class Models:
    """Encoders by name and length, loaded once and shared by all that search with them."""

    threads: int | None = None
    stored: tuple[str, ...] = ()
    _loaded: dict[tuple[str, int | None], Encoder] = field(default_factory=dict)

    def load(self, plan: EncoderPlan) -> Encoder:
        """Return the encoder of a plan.

        Raises
        ------
        UsageError
            Where there is none of this name; the message lists what is known.
        """
        from isogloss.encoders.names import load_encoder

        key = plan.name, plan.length
        if key not in self._loaded:
            try:
                encoder = load_encoder(plan.name, threads=self.threads, max_length=plan.length)
            except ModelError as error:
                if not error.what.startswith("no model named"):
                    raise
                raise unknown_system(plan.name, self.stored, error) from error
            if plan.length and not getattr(encoder, "window", 0):
                raise UsageError(f"{plan.label}: {plan.name} has no window", "it reads whole texts", f"use {plan.name}")
            self._loaded[key] = encoder
        return self._loaded[key]


@dataclass(slots=True)
class Ready:
    """An encoder with its index over all passages."""

    encoder: Encoder
    index: Index
    bytes: int
    transform: Transform | None = None
    speed: float | None = None
    report: EncodeReport = field(default_factory=EncodeReport)
    queries: EncodeReport = field(default_factory=EncodeReport)


class Bench:
    """Builds systems over passages and ranks documents with them.

    Parameters
    ----------
    passages
        What is searched.
    models
        Where encoders come from.
    progress
        Told about encoding.
    """

    def __init__(self, passages: Passages, models: Models, progress: Progress | None = None) -> None:
        self.passages, self.models, self.progress = passages, models, progress or Silent()
        self._ready: dict[EncoderPlan, Ready] = {}
        self._dense: dict[tuple[str, int | None], tuple[Dense, EncodeReport, float | None]] = {}

    def rank(self, plan: SystemPlan, queries: Mapping[str, str], k: int) -> RankedRun:
        """Return the best ``k`` documents for each question; a document scores by its best passage."""
        vectors = [self._queries(part, list(queries.values())) for part in plan.encoders]
        found = self._documents(plan, vectors, k)
        whole = RankedRun.from_scores(dict(zip(queries, found, strict=True)), plan.label)
        # cut after ordering, so that which of several equal documents is in does not depend on how deep was looked
        documents = [one[:k] for one in whole.documents]
        return RankedRun(whole.queries, documents, [one[:k] for one in whole.scores], plan.label)

    def cost(self, plan: SystemPlan, queries: Mapping[str, str]) -> Cost:
        """Measure what the system costs: documents a second, bytes a document, time of one question."""
        ready = [self.ready(part) for part in plan.encoders]
        share = len(self.passages.documents) / max(1, len(self.passages.rows))
        speeds = [self._speed(part) for part in plan.encoders]
        texts, times = list(queries.values()), []
        for text in texts[:: max(1, len(texts) // TIMED_QUERIES)][:TIMED_QUERIES]:
            began = time.perf_counter()
            encoded = [self._encode_query(one, [text]) for one in ready]
            self._documents(plan, encoded, 10)
            times.append(time.perf_counter() - began)
        return Cost(
            plan.label,
            documents_per_second=share / sum(1 / speed for speed in speeds),
            bytes_per_document=sum(one.bytes for one in ready) / max(1, len(self.passages.documents)),
            milliseconds_per_query=1000 * float(np.median(times)) if times else None,
        )

    def settings(self, plan: SystemPlan, **options: Any) -> SystemSettings:
        """Describe a system for the run file: every encoder with its window and what it cut."""
        ready = [self.ready(part) for part in plan.encoders]
        if isinstance(plan, FusionPlan):
            parts = [describe(part.label, one.encoder) for part, one in zip(plan.parts, ready, strict=True)]
            options |= {"fusion": plan.kind, "weights": list(plan.weights), "k": plan.constant}
            return SystemSettings(
                plan.label,
                " ".join(part.identity for part in parts),
                "+".join(part.model for part in parts),
                options=options | {"parts": [part.name for part in parts]},
            )
        if plan.dims:
            options["dims"] = plan.dims
        one = ready[0]
        return describe(plan.label, one.encoder, {"document": one.report, "query": one.queries}, **options)

    def cut(self, plan: EncoderPlan) -> EncodeReport:
        """Return what the encoder's window cut of the passages."""
        return self.ready(plan).report

    # -- encoders --------------------------------------------------------------------------------------------------

    def ready(self, plan: EncoderPlan) -> Ready:
        """Return an encoder with its index, made at first use."""
        if plan not in self._ready:
            encoder = self.models.load(plan)
            words = getattr(encoder, "kind", "dense") == "words"
            if words and plan.dims:
                raise UsageError(f"{plan.label} makes no sense", "words have no dimensions to cut", "leave words out")
            self._ready[plan] = self._words(encoder) if words else self._vectors(plan, encoder)
        return self._ready[plan]

    def _words(self, encoder: Encoder) -> Ready:
        from isogloss.index.inverted import Inverted
        from isogloss.index.postings import Postings

        record, passages = self._stored(encoder), self.passages
        segments, live = [], np.ones(len(passages.owners), np.bool_)
        report = EncodeReport()
        if record is not None and passages.snapshot is not None and passages.live is not None:
            segments = [Postings.from_arrays(s.arrays) for s in passages.snapshot.segments(record.name)]
            live[: len(passages.live)] = passages.live
            rows, texts = passages.fresh_rows, passages.fresh_texts
        else:
            rows = np.concatenate([passages.stored_rows, passages.fresh_rows])
            texts = [*passages.stored_texts(passages.stored_rows), *passages.fresh_texts]
        if len(rows):
            counts = encoder.encode(texts, role="document", report=report)
            segments.append(Postings.build(rows, cast(CSR, counts)))
        size = sum(array.nbytes for one in segments for array in one.arrays().values())
        k1, b = getattr(encoder, "k1", 0.9), getattr(encoder, "b", 0.4)
        index = Inverted.from_segments(segments, live, k1=k1, b=b, threads=self.models.threads)
        return Ready(encoder, index, size, report=report)

    def _stored(self, encoder: Encoder) -> StoredEncoder | None:
        """Return the index's record of this very encoder, where it has seen every chunk."""
        snapshot = self.passages.snapshot
        for record in snapshot.encoders() if snapshot is not None else []:
            if record.identity == encoder.identity and snapshot is not None:
                missing = int(np.count_nonzero(snapshot.live & ~snapshot.held(record.name)))
                if not missing:
                    return record
                if missing == int(np.count_nonzero(snapshot.off(record.name))):
                    warnings.warn(
                        f"{record.name}: the index leaves out {missing:,} chunks in languages that the model does not "
                        "know; they are encoded and searched here",
                        IsoglossWarning,
                        stacklevel=2,
                    )
        return None

    def _vectors(self, plan: EncoderPlan, encoder: Encoder) -> Ready:
        from isogloss.index.exact import Exact

        key = plan.name, plan.length
        if key not in self._dense:
            self._dense[key] = self._encode(plan, encoder)
        vectors, report, speed = self._dense[key]
        transform = _shortened(plan, vectors)
        if transform is not None:
            vectors = np.asarray(transform.transform(_unit(encoder, vectors)), np.float32)
        index = Exact(similarity=_similarity(encoder), threads=self.models.threads)
        rows = np.concatenate([self.passages.stored_rows, self.passages.fresh_rows])
        index.add(rows, vectors)
        return Ready(encoder, index, vectors.nbytes, transform, speed, report)

    def _encode(self, plan: EncoderPlan, encoder: Encoder) -> tuple[Dense, EncodeReport, float | None]:
        """Return the vectors of all passages, the index's own where they are the same encoder's."""
        from isogloss.collection.encoding import stored_vectors

        passages, record = self.passages, self._stored(encoder)
        rows = passages.stored_rows
        own: Dense | None = None
        texts = list(passages.fresh_texts)
        if record is not None and passages.snapshot is not None:
            own = stored_vectors(passages.snapshot, record.name, rows)
        elif len(rows):
            texts = [*passages.stored_texts(rows), *texts]
        began, report = time.perf_counter(), EncodeReport()
        made, count = encode_kept(encoder, texts, "document", self.progress, report=report, what=f"encode {plan.label}")
        slow = getattr(encoder, "speed", "slow") == "slow"  # a fast one would be measured by the time it takes to load
        speed = count / (time.perf_counter() - began) if slow and count >= 8 * TIMED_TEXTS else None
        whole = cut_report(encoder, texts) if count < len(texts) or own is not None else report
        if own is not None:
            whole = cut_report(encoder, [*passages.stored_texts(rows), *texts])
            made = np.concatenate([own, made.reshape(len(made), own.shape[1])])
        return made, whole, speed

    def _speed(self, plan: EncoderPlan) -> float:
        """Return passages encoded a second: of this run, else of a sample of them."""
        ready = self.ready(plan)
        if ready.speed is None:
            fast = getattr(ready.encoder, "speed", "slow") == "fast"
            count = 64 * TIMED_TEXTS if fast else TIMED_TEXTS
            texts = self._sample(count)
            ready.encoder.encode(texts[:2], role="document", report=EncodeReport())  # the first call loads the model
            times = []
            for _ in range(3 if fast else 1):
                began = time.perf_counter()
                ready.encoder.encode(texts, role="document", report=EncodeReport())
                times.append(time.perf_counter() - began)
            ready.speed = max(1, len(texts)) / max(min(times), 1e-9)
        return ready.speed

    def _sample(self, count: int) -> list[str]:
        rows = self.passages.stored_rows
        fresh = self.passages.fresh_texts
        if len(rows):
            return self.passages.stored_texts(rows[:: max(1, len(rows) // count)][:count])
        return fresh[:: max(1, len(fresh) // count)][:count]

    # -- questions -------------------------------------------------------------------------------------------------

    def _queries(self, plan: EncoderPlan, texts: list[str]) -> Vectors:
        ready = self.ready(plan)
        ready.queries = EncodeReport()
        return self._encode_query(ready, texts, kept=True)

    def _encode_query(self, ready: Ready, texts: list[str], *, kept: bool = False) -> Vectors:
        if getattr(ready.encoder, "kind", "dense") == "words":
            return ready.encoder.encode(texts, role="query", report=ready.queries if kept else EncodeReport())
        if kept:
            vectors, _ = encode_kept(
                ready.encoder, texts, "query", self.progress, report=EncodeReport(), what="encode questions"
            )
            ready.queries = cut_report(ready.encoder, texts)
        else:
            vectors = np.asarray(ready.encoder.encode(texts, role="query", report=EncodeReport()), np.float32)
        if ready.transform is not None:
            return np.asarray(ready.transform.transform(_unit(ready.encoder, vectors)), np.float32)
        return vectors

    def _documents(self, plan: SystemPlan, vectors: Sequence[Vectors], k: int) -> list[dict[str, float]]:
        """Return ``k`` documents or more with scores for each question, best first.

        A fusion's scores depend on how deep its parts are looked at. So the head of a fused ranking is always that of
        ``isogloss search`` with its usual ten documents, whatever ``k`` is; documents that only a deeper look finds
        follow it, in the order of that look.
        """
        if isinstance(plan, EncoderPlan):
            return self._look(plan, vectors, np.arange(len(vectors[0])), k, max(LEAST_DEPTH, 5 * k))
        found = self._look(plan, vectors, np.arange(len(vectors[0])), 2 * PAGE, LEAST_DEPTH)
        short = np.array([i for i, best in enumerate(found) if len(best) < k], np.int64)
        deeper = self._look(plan, vectors, short, k, max(LEAST_DEPTH, 5 * k))
        for i, best in zip(short.tolist(), deeper, strict=True):
            low = min(found[i].values(), default=0.0)
            tail = [document for document in best if document not in found[i]]
            found[i] |= {document: low - (n + 1) * TAIL for n, document in enumerate(tail)}
        return found

    def _look(
        self, plan: SystemPlan, vectors: Sequence[Vectors], asked: Rows, wanted: int, depth: int
    ) -> list[dict[str, float]]:
        """Rank documents for some questions, deeper until ``wanted`` are there or nothing is left."""
        ready = [self.ready(part) for part in plan.encoders]
        total = len(self.passages.rows)
        depth = min(total, depth)
        found: dict[int, dict[str, float]] = {}
        waiting = asked
        while len(waiting):
            hits = [one.index.search(_take(v, waiting), depth) for one, v in zip(ready, vectors, strict=True)]
            fused = _fuse(plan, hits, depth)
            short = []
            for place, i in enumerate(waiting.tolist()):
                found[i] = self._best(fused.rows[place], fused.scores[place])
                dry = all(one.rows.shape[1] < depth or (one.rows[place] < 0).any() for one in hits)
                if len(found[i]) < wanted and not dry and depth < total:
                    short.append(i)
            waiting, depth = np.array(short, np.int64), min(total, 4 * depth)
        return [found[i] for i in asked.tolist()]

    def _best(self, rows: Rows, scores: Dense) -> dict[str, float]:
        best: dict[str, float] = {}
        kept = rows >= 0
        for owner, score in zip(self.passages.owners[rows[kept]].tolist(), scores[kept].tolist(), strict=True):
            best.setdefault(self.passages.documents[owner], score)
        return best


def _fuse(plan: SystemPlan, hits: Sequence[Hits], depth: int) -> Hits:
    from isogloss.index.fusion import reciprocal_rank, weighted

    if isinstance(plan, EncoderPlan):
        return hits[0]
    if plan.kind == "rrf":
        fused = reciprocal_rank(hits, depth * len(hits), constant=plan.constant, weights=plan.weights)
    else:
        fused = weighted(hits, depth * len(hits), weights=plan.weights)
    return Hits(fused.rows[:, :depth], fused.scores[:, :depth])


def _take(vectors: Vectors, places: Rows) -> Vectors:
    if isinstance(vectors, CSR):
        return vectors.take(places)
    return cast(Dense, vectors)[places]


def _similarity(encoder: Encoder) -> Similarity:
    if encoder.similarity not in (Similarity.COSINE, Similarity.DOT):
        raise UsageError(
            f"{getattr(encoder, 'name', 'the encoder')} compares by {encoder.similarity.value}",
            "systems here compare by cosine or dot", "",
        )  # fmt: skip
    return encoder.similarity


def _unit(encoder: Encoder, vectors: Dense) -> Dense:
    return normalise(vectors) if encoder.similarity is Similarity.COSINE else vectors


def _shortened(plan: EncoderPlan, vectors: Dense) -> Transform | None:
    """Return the transform that shortens vectors as the plan says; PCA is fitted on the documents, uncentred."""
    if not plan.dims:
        return None
    from isogloss.transforms.projection import PCA

    wanted = int(plan.dims.removeprefix("pca"))
    if wanted > vectors.shape[1] or (plan.dims.startswith("pca") and wanted > len(vectors)):
        raise UsageError(
            f"{plan.label}: so many dimensions there are not",
            f"the vectors have {vectors.shape[1]}, and there are {len(vectors):,} passages", "ask for fewer",
        )  # fmt: skip
    if plan.dims.startswith("pca"):
        return cast(Transform, PCA(dimensions=wanted, centre=False).fit(normalise(vectors)))
    return cast(Transform, _First(wanted))


@dataclass(slots=True)
class _First:
    """Keeps the first dimensions."""

    dimensions: int

    def transform(self, X: Dense) -> Dense:
        return X[:, : self.dimensions]
