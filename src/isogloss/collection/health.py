"""What ``doctor INDEX`` checks: that all that was committed is there and belongs to these encoders."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from isogloss.collection.encoders import load_checked
from isogloss.errors import IsoglossError, IsoglossWarning
from isogloss.protocols import Diagnosis

if TYPE_CHECKING:
    from isogloss.index.store.rows import StoredEncoder
    from isogloss.index.store.snapshot import Snapshot
    from isogloss.index.store.store import Store

MUCH_DEAD = 0.3


def check(store: Store, threads: int | None = None) -> list[Diagnosis]:
    """Check files and checksums, each encoder against its record, coverage, and what compaction would win."""
    snapshot = store.snapshot
    found = store.verify()
    for record in snapshot.encoders():
        found.append(_fingerprint(record, threads))
        found.append(_coverage(snapshot, record))
        found.append(_finite(snapshot, record))
    found.append(_dead(snapshot))
    found.append(_skips(snapshot))
    return found


def _fingerprint(record: StoredEncoder, threads: int | None) -> Diagnosis:
    name = f"{record.name}: fingerprint"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", IsoglossWarning)
        try:
            encoder = load_checked(record, threads)
        except IsoglossError as error:
            return Diagnosis(name, "problem", f"{error.what}: {error.why}", error.fix)
    if caught:
        return Diagnosis(name, "warning", str(caught[0].message), "rebuild the index with this engine if it matters")
    same = "identity and probe vectors are the same"
    other = "probe vectors are the same; the model's files are not (a card or a tokenizer setting changed)"
    return Diagnosis(name, "ok", same if encoder.model.identity == record.identity else other)


def _coverage(snapshot: Snapshot, record: StoredEncoder) -> Diagnosis:
    name, live = f"{record.name}: coverage", int(np.count_nonzero(snapshot.live))
    waiting, off = len(snapshot.uncovered(record.name)), int(np.count_nonzero(snapshot.off(record.name)))
    if waiting:
        text = f"{waiting:,} of {live:,} chunks wait for it; it does not answer yet"
        return Diagnosis(name, "warning", text, "run: isogloss add with the same folder, to finish")
    if off:
        return Diagnosis(name, "note", f"{off:,} of {live:,} chunks are in languages outside the model's card")
    return Diagnosis(name, "ok", f"all {live:,} chunks")


def _finite(snapshot: Snapshot, record: StoredEncoder) -> Diagnosis:
    """Look for vectors that are not finite or are all zero."""
    name, rows, zero = f"{record.name}: vectors", 0, 0
    if record.kind != "dense":
        return Diagnosis(name, "ok", "word counts, nothing to check")
    for segment in snapshot.segments(record.name):
        vectors = segment.arrays["vectors"]
        for start in range(0, len(vectors), 65536):
            block = np.asarray(vectors[start : start + 65536])
            if not np.isfinite(block).all():
                return Diagnosis(name, "problem", f"segment {segment.name} holds NaN or infinity", "rebuild the index")
            zero += int(np.count_nonzero(~block.any(1)))
            rows += len(block)
    if zero:
        return Diagnosis(name, "note", f"{zero:,} of {rows:,} vectors are zero: texts without a known token")
    return Diagnosis(name, "ok", f"{rows:,} finite vectors")


def _dead(snapshot: Snapshot) -> Diagnosis:
    held = np.zeros(len(snapshot.live), np.bool_)
    for record in snapshot.encoders():
        held |= snapshot.held(record.name)
    dead, total = int(np.count_nonzero(held & ~snapshot.live)), int(np.count_nonzero(held))
    if total and dead / total > MUCH_DEAD:
        return Diagnosis(
            "deleted chunks", "note", f"{dead:,} of {total:,} stored rows are dead", "run: isogloss compact"
        )
    return Diagnosis("deleted chunks", "ok", f"{dead:,} of {total:,} stored rows are dead")


def _skips(snapshot: Snapshot) -> Diagnosis:
    skips = snapshot.skips()
    if not skips:
        return Diagnosis("skipped", "ok", "the last runs read everything")
    reasons: dict[str, int] = {}
    for skip in skips:
        reasons[skip.reason] = reasons.get(skip.reason, 0) + 1
    listing = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    return Diagnosis("skipped", "note", f"the last runs left out {len(skips):,}: {listing}", "see: isogloss add --json")
