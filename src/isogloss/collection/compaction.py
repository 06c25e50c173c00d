"""Merging segments: by tiers after each ``add``, and all of them in ``compact``; readers keep their old files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isogloss.collection.results import CompactReport
from isogloss.index.postings import Postings
from isogloss.protocols import Progress

if TYPE_CHECKING:
    from isogloss.index.store.rows import Segment, StoredEncoder
    from isogloss.index.store.snapshot import Snapshot
    from isogloss.index.store.store import Store

FAN = 8
"""So many segments of one level become one of the next: each row is rewritten about log8(n) times."""
MOST_ROWS = 1 << 17
"""A merged dense segment holds at most so many rows, so that merging needs bounded memory."""


def merge_tiers(store: Store) -> int:
    """Merge where a level has ``FAN`` segments; return how many segments went."""
    gone = 0
    for record in store.snapshot.encoders():
        while True:
            group = _full_level(_mergeable(store.snapshot.segments(record.name), record))
            if not group:
                break
            gone += len(group) - _merge(store, record, group)
    return gone


def _mergeable(segments: Sequence[Segment], record: StoredEncoder) -> list[Segment]:
    """Leave out dense segments that are half full: merging those would not make them fewer."""
    if record.kind == "words":
        return list(segments)
    return [segment for segment in segments if 2 * segment.rows < MOST_ROWS]


def _full_level(segments: Sequence[Segment]) -> list[Segment]:
    levels: dict[int, list[Segment]] = {}
    for segment in segments:
        levels.setdefault(segment.level, []).append(segment)
    for level in sorted(levels):
        if len(levels[level]) >= FAN:
            return levels[level][:FAN]
    return []


def compact(store: Store, progress: Progress) -> CompactReport:
    """Rewrite every encoder's segments without dead rows, and the catalogue without free pages.

    Searches that run meanwhile keep reading the files of their generation.
    """
    started = time.perf_counter()
    before = store.snapshot.bytes()
    count = len(store.snapshot.segments())
    records = store.snapshot.encoders()
    progress.start("compact", len(records), "encoders")
    try:
        for record in records:
            group = store.snapshot.segments(record.name)
            if len(group) > 1 or any(_dead(store.snapshot, segment) for segment in group):
                _merge(store, record, group)
            progress.advance(1)
    finally:
        progress.finish()
    store.compact_catalogue(share=0.1)
    after = store.snapshot.bytes()
    return CompactReport(
        segments_before=count,
        segments_after=len(store.snapshot.segments()),
        bytes_before=sum(before.values()),
        bytes_after=sum(after.values()),
        seconds=time.perf_counter() - started,
    )


def _dead(snapshot: Snapshot, segment: Segment) -> bool:
    return bool((segment.numbers & ~snapshot.live[: len(segment.numbers)]).any())


def _merge(store: Store, record: StoredEncoder, group: Sequence[Segment]) -> int:
    """Replace a group of segments by as few as the row limit allows; return how many those are."""
    level = max(segment.level for segment in group) + 1
    names = [segment.name for segment in group]
    merged = (
        _merged_postings(store.snapshot, group) if record.kind == "words" else _merged_vectors(store.snapshot, group)
    )
    made = 0
    with store.transaction() as transaction:
        transaction.drop_segments(names)
        for arrays, rows in merged:  # one piece in memory at a time
            transaction.add_segment(record.name, arrays, rows, level=level)
            made += 1
    return made


def _merged_postings(
    snapshot: Snapshot, group: Sequence[Segment]
) -> Iterator[tuple[dict[str, NDArray[Any]], NDArray[np.int64]]]:
    merged = Postings.merge([Postings.from_arrays(segment.arrays) for segment in group], snapshot.live)
    if len(merged.rows):
        yield merged.arrays(), merged.rows


def _merged_vectors(
    snapshot: Snapshot, group: Sequence[Segment]
) -> Iterator[tuple[dict[str, NDArray[Any]], NDArray[np.int64]]]:
    """Gather live rows in order of chunk number, in pieces that fit in memory."""
    rows = np.concatenate([segment.arrays["rows"] for segment in group])
    source = np.repeat(np.arange(len(group)), [segment.rows for segment in group])
    place = np.concatenate([np.arange(segment.rows) for segment in group])
    alive = snapshot.live[rows]
    rows, source, place = rows[alive], source[alive], place[alive]
    order = np.argsort(rows, kind="stable")
    for start in range(0, len(order), MOST_ROWS):
        piece = order[start : start + MOST_ROWS]
        width = group[0].arrays["vectors"].shape[1]
        vectors = np.empty((len(piece), width), np.float32)
        for i, segment in enumerate(group):
            mine = np.flatnonzero(source[piece] == i)
            vectors[mine] = segment.arrays["vectors"][place[piece[mine]]]
        yield {"rows": rows[piece], "vectors": vectors}, rows[piece]
