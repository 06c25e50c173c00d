"""``search``: one ranking an encoder, fused, grouped by document, and shown with the reasons."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Bitmap, Hits, Ragged, Vectors
from isogloss.collection.background import percentile
from isogloss.collection.calibration import FUSED, Meaning, best_scores, question_lengths
from isogloss.collection.results import Hit, SearchResult
from isogloss.collection.snippets import Words, snippet
from isogloss.errors import UsageError
from isogloss.index.fusion import reciprocal_rank, weighted
from isogloss.text.words import words

if TYPE_CHECKING:
    from isogloss.collection.encoders import IndexEncoder
    from isogloss.index.store.rows import Chunk, Document
    from isogloss.index.store.snapshot import Snapshot
    from isogloss.protocols import Index

LEAST_DEPTH = 100
"""Chunks that each encoder proposes at least, before fusion."""
FAST_WEIGHT = 0.75
"""Weight of a fast (static) encoder beside words; chosen and proved by ``benchmarks/fusion_choice.py``."""


@dataclass(slots=True)
class Part:
    """One encoder: its index over the live chunks, the background of its scores, and the chunks that it leaves out."""

    encoder: IndexEncoder
    index: Index
    levels: NDArray[np.float64]
    off: Bitmap
    identity: str = ""


@dataclass(slots=True)
class Request:
    """What was asked, the same for every text of a call."""

    k: int
    where: str | None
    fusion: str
    effort: float
    weights: Mapping[str, float] | None
    meaning: Meaning | None = None
    p_by: str = ""
    min_p: float | None = None


def search(
    snapshot: Snapshot, parts: Sequence[Part], texts: Sequence[str], request: Request, notes: Sequence[str]
) -> list[SearchResult]:
    """Answer every text with at most ``k`` documents, best first.

    Each encoder ranks chunks, rankings are fused, and each document (with its near duplicates) stands once,
    by its best chunk. Where grouping leaves fewer than ``k``, more chunks are asked for.
    """
    started = time.perf_counter()
    if request.k < 1:
        raise UsageError("at least one hit must be asked for", f"k is {request.k}", "use -k 10")
    allow = snapshot.matching(request.where) if request.where else None
    queries = [part.encoder.model.encode(texts, role="query") for part in parts]
    matched = len(snapshot.matching_documents(request.where)) if request.where else None
    depth = max(LEAST_DEPTH, 5 * request.k)
    first = [p.index.search(q, depth, allow, request.effort) for p, q in zip(parts, queries, strict=True)]
    rankings = []
    for i in range(len(texts)):
        found = [Hits(hits.rows[i : i + 1], hits.scores[i : i + 1]) for hits in first]
        rankings.append(_rank(parts, queries, i, request, allow, snapshot, found))
    results = []
    lengths = list(zip(*(question_lengths(q) for q in queries if request.meaning is not None), strict=True))
    for i, (text, (rows, scores, found, owners)) in enumerate(zip(texts, rankings, strict=True)):
        groups = _group(rows, scores, owners, request.k)
        hits, numbers = _describe(snapshot, parts, groups, found, text, request.k)
        if request.meaning is not None:
            best = [
                {document: score / length for document, score in best_scores(one, owners).items()}
                for one, length in zip(found, lengths[i], strict=True)
            ]
            _judge(hits, numbers, parts, best, request.meaning)
        names = [part.encoder.name for part in parts]
        result = SearchResult(text, hits, request.k, names, matched, list(notes), p_by=request.p_by)
        _note_shortage(result, snapshot, request)
        _keep_likely(result, request.min_p)
        results.append(result)
    seconds = (time.perf_counter() - started) / max(1, len(texts))
    for result in results:
        result.seconds = seconds
    return results


def _rank(
    parts: Sequence[Part],
    queries: Sequence[Any],
    i: int,
    request: Request,
    allow: Bitmap | None,
    snapshot: Snapshot,
    found: list[Hits],
) -> tuple[list[int], list[float], list[Hits], dict[int, int]]:
    """Fuse the rankings of query ``i``, going deeper until ``k`` documents are there or nothing more is found."""
    depth = max(LEAST_DEPTH, 5 * request.k)
    total = int(np.count_nonzero(snapshot.live))
    while True:
        fused = _fuse(found, parts, depth, request)
        keep = fused.rows[0] >= 0
        rows = [int(row) for row in fused.rows[0][keep]]
        scores = [float(score) for score in fused.scores[0][keep]]
        owners = snapshot.owners(rows)
        distinct = len(set(owners.values()))
        exhausted = all(hits.rows.shape[1] < depth or (hits.rows[0] < 0).any() for hits in found)
        if distinct >= 2 * request.k or exhausted or depth >= total:
            return rows, scores, found, owners
        depth = min(4 * depth, total)
        found = [
            part.index.search(_one(vectors, i), depth, allow, request.effort)
            for part, vectors in zip(parts, queries, strict=True)
        ]


def _one(vectors: Vectors, i: int) -> Vectors:
    if isinstance(vectors, Ragged):
        raise TypeError("an index part holds one vector a text")
    return vectors.take(slice(i, i + 1)) if isinstance(vectors, CSR) else vectors[i : i + 1]


def _fuse(found: Sequence[Hits], parts: Sequence[Part], depth: int, request: Request) -> Hits:
    if request.fusion not in ("rrf", "weighted"):
        raise UsageError(
            f"there is no fusion {request.fusion!r}", "there are weighted and rrf", "use --fusion weighted"
        )
    if len(found) == 1:
        return found[0]
    given = request.weights or {}
    weights = [given.get(part.encoder.name, _usual_weight(part)) for part in parts]
    fuse = reciprocal_rank if request.fusion == "rrf" else weighted
    fused = fuse(list(found), depth * len(found), weights=weights)
    _lift(fused, parts, weights)
    return Hits(fused.rows[:, :depth], fused.scores[:, :depth])


def _usual_weight(part: Part) -> float:
    return FAST_WEIGHT if part.encoder.kind == "dense" and part.encoder.speed == "fast" else 1.0


def _lift(fused: Hits, parts: Sequence[Part], weights: Sequence[float]) -> None:
    """Scale the scores of chunks that an encoder leaves out as if the other encoders spoke for it too.

    A document in a language outside a model's card can only be found by its words; without this every
    document that has vectors would stand above it.
    """
    if not any(part.off.any() for part in parts):
        return
    rows, scores = fused.rows[0], fused.scores[0]
    kept = rows >= 0
    heard = np.zeros(int(kept.sum()))
    for part, weight in zip(parts, weights, strict=True):
        heard += weight * ~part.off[rows[kept]]
    scores[kept] *= np.float32(sum(weights)) / np.maximum(heard, 1e-9).astype(np.float32)
    order = np.lexsort((rows, -scores))
    fused.rows[0], fused.scores[0] = rows[order], scores[order]


@dataclass(slots=True)
class Group:
    """A document found: its best chunk, that chunk's score, and the near duplicates that stand behind it."""

    document: int
    chunk: int
    score: float
    also: list[str] = field(default_factory=list)


def _group(rows: Sequence[int], scores: Sequence[float], owners: Mapping[int, int], k: int) -> list[Group]:
    """Keep the best chunk of each document; a few more than ``k``, because near duplicates fold later."""
    best: dict[int, Group] = {}
    for row, score in zip(rows, scores, strict=True):
        if owners[row] not in best:
            best[owners[row]] = Group(owners[row], row, score)
            if len(best) >= 4 * k + 20:
                break
    return list(best.values())


def _fold(groups: Sequence[Group], near_of: Mapping[int, tuple[str, int | None]], k: int) -> list[Group]:
    """Put near duplicates behind the best of them, and keep the first ``k``."""
    kept: list[Group] = []
    by_near: dict[int, Group | None] = {}
    for group in groups:
        name, near = near_of[group.document]
        if near is not None and near in by_near:
            first = by_near[near]
            if first is not None:
                first.also.append(name)
            continue
        shown = group if len(kept) < k else None
        if shown is not None:
            kept.append(shown)
        if near is not None:
            by_near[near] = shown
    return kept


def _describe(
    snapshot: Snapshot, parts: Sequence[Part], groups: Sequence[Group], found: Sequence[Hits], query: str, k: int
) -> tuple[list[Hit], list[int]]:
    """Fold near duplicates, then fill in what is shown of the first ``k``; with the numbers of their documents."""
    kept = _fold(groups, snapshot.near_of(group.document for group in groups), k)
    documents = snapshot.documents_by_id(group.document for group in kept)
    split = _splitter(parts)
    terms = {word for word, _, _ in split(query)}
    hits: list[Hit] = []
    for group, chunk in zip(kept, snapshot.chunks(group.chunk for group in kept), strict=True):
        hit = _hit(group, chunk, documents[group.document], parts, found, len(hits) + 1)
        hit.snippet, hit.matches, _ = snippet(chunk.text, terms, split)
        hits.append(hit)
    return hits, [group.document for group in kept]


def _hit(
    group: Group, chunk: Chunk, document: Document, parts: Sequence[Part], found: Sequence[Hits], rank: int
) -> Hit:
    hit = Hit(
        id=f"{document.name}::{chunk.ordinal + 1}",
        document=document.name,
        score=group.score,
        rank=rank,
        title=document.title,
        path=document.path,
        heading=list(chunk.heading),
        start=chunk.start,
        end=chunk.start + len(chunk.text),
        length=document.characters,
        ordinal=chunk.ordinal + 1,
        chunks=document.chunks,
        language=document.language,
        metadata=document.metadata,
        also=group.also,
    )
    for part, hits in zip(parts, found, strict=True):
        place = np.flatnonzero(hits.rows[0] == chunk.number)
        if not len(place):
            continue
        score = float(hits.scores[0][place[0]])
        entry: dict[str, float] = {"rank": int(place[0]) + 1, "score": score}
        level = percentile(score, part.levels)
        if level is not None:
            entry["percentile"] = level
            if part.encoder.kind == "dense" or hit.percentile is None:
                hit.percentile, hit.percentile_by = level, part.encoder.name
        hit.parts[part.encoder.name] = entry
    return hit


def _judge(
    hits: Sequence[Hit], numbers: Sequence[int], parts: Sequence[Part], best: Sequence[Mapping[int, float]],
    meaning: Meaning,
) -> None:  # fmt: skip
    """Give each hit its P(relevant), from the best chunk of its document by each encoder, and the fused score."""
    for hit, number in zip(hits, numbers, strict=True):
        known = {
            part.encoder.name: scores[number] for part, scores in zip(parts, best, strict=True) if number in scores
        }
        hit.p, hit.p_low, hit.p_high = meaning.judge(known | ({FUSED: hit.score} if len(parts) > 1 else {}))


def _keep_likely(result: SearchResult, min_p: float | None) -> None:
    """Drop the hits below the smallest P that was asked for, and say how many."""
    if min_p is None:
        return
    before = len(result.hits)
    result.hits = [hit for hit in result.hits if hit.p is not None and hit.p >= min_p]
    if len(result.hits) < before:
        result.notes.append(f"{len(result.hits)} of {before}: the others are relevant with P below {min_p:g}")


def _splitter(parts: Sequence[Part]) -> Words:
    """Return how the index cuts and stems words, so that snippets mark what the search matched."""
    for part in parts:
        if part.encoder.kind == "words":
            split: Words = part.encoder.model.words
            return split
    return words


def _note_shortage(result: SearchResult, snapshot: Snapshot, request: Request) -> None:
    """Say why there are fewer than ``k``, so that a filter never eats results in silence."""
    short = len(result.hits)
    if short >= request.k or not request.where:
        return
    if result.matched is not None and result.matched <= request.k:
        plural = "document matches" if result.matched == 1 else "documents match"
        result.notes.append(f"{short} of {request.k}: only {result.matched} {plural} the filter")
    else:
        result.notes.append(
            f"{short} of {request.k}: {result.matched} documents match the filter, {short} of them the query"
        )
    result.notes += snapshot.filter_notes(request.where)
