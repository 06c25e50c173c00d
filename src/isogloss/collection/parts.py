"""The searchable parts of a snapshot: for each encoder an index over its live chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from isogloss.arrays import Similarity
from isogloss.collection.encoders import load_checked
from isogloss.collection.plan import planned_records
from isogloss.collection.searching import Part
from isogloss.errors import UsageError

if TYPE_CHECKING:
    from isogloss.index.store.rows import StoredEncoder
    from isogloss.index.store.snapshot import Snapshot
    from isogloss.protocols import Index


def make_part(snapshot: Snapshot, record: StoredEncoder, threads: int | None) -> Part:
    """Load an encoder, prove that it is the one that built the index, and open its index."""
    encoder = load_checked(record, threads)
    levels = np.array(snapshot.settings.get("background", {}).get(record.name, []), np.float64)
    return Part(encoder, open_index(snapshot, record), levels, snapshot.off(record.name), record.identity)


def open_index(snapshot: Snapshot, record: StoredEncoder) -> Index:
    """Open the index of one encoder over memory-mapped segments and the live bitmap."""
    segments = snapshot.segments(record.name)
    if record.kind == "words":
        from isogloss.index.inverted import Inverted
        from isogloss.index.postings import Postings

        return Inverted.from_segments([Postings.from_arrays(s.arrays) for s in segments], snapshot.live)
    from isogloss.index.exact import Exact

    pairs = [(segment.arrays["rows"], segment.arrays["vectors"]) for segment in segments]
    return Exact.from_segments(pairs, snapshot.live, Similarity(record.similarity))


def default_records(snapshot: Snapshot, records: Sequence[StoredEncoder]) -> tuple[list[StoredEncoder], list[str]]:
    """Choose who answers by default: words, and the best dense encoder that has seen every chunk it should.

    An encoder that is still catching up would favour the chunks it has seen, so it waits. Where the index was given a
    plan (``isogloss adapt --use``), those that it names answer.
    """
    if not records:
        raise UsageError("the index has no encoder", "its creation was interrupted", "run: isogloss add DIR")
    notes: list[str] = []
    ready = []
    for record in records:
        waiting = len(snapshot.uncovered(record.name))
        if waiting:
            live = int(np.count_nonzero(snapshot.live))
            notes.append(
                f"{record.name} has seen {live - waiting:,} of {live:,} chunks and does not answer yet; "
                "run isogloss add again to finish"
            )
        else:
            ready.append(record)
    planned = planned_records(snapshot, ready)
    if planned:
        return planned, notes
    words = [record for record in ready if record.kind == "words"]
    dense = [record for record in ready if record.kind == "dense"]
    slow = [record for record in dense if record.spec.get("speed") == "slow"]
    chosen = words[-1:] + (slow or dense)[-1:]
    return (chosen, notes) if chosen else (list(records), [])
