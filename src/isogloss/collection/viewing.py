"""``show`` and ``stats``: what a collection holds, read from a snapshot."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isogloss.collection.results import ChunkView, DocumentView, EncoderStats, Stats
from isogloss.errors import UsageError

if TYPE_CHECKING:
    from isogloss.index.store.rows import Document
    from isogloss.index.store.snapshot import Snapshot


def show(snapshot: Snapshot, wanted: str) -> DocumentView:
    """Return the document of a document id, or of a chunk id ``DOCUMENT::ORDINAL``."""
    document, ordinal = _find(snapshot, wanted)
    chunks = snapshot.chunks_of(document.id)
    roots = {root.id: root.path for root in snapshot.roots()}
    near = snapshot.near([document.near]).get(document.near, []) if document.near is not None else []
    return DocumentView(
        id=document.name,
        title=document.title,
        path=document.path,
        root=roots.get(document.root, ""),
        language=document.language,
        metadata=document.metadata,
        text="".join(chunk.text for chunk in chunks),
        chunks=[
            ChunkView(
                id=f"{document.name}::{chunk.ordinal + 1}",
                start=chunk.start,
                end=chunk.start + len(chunk.text),
                heading=list(chunk.heading),
                text=chunk.text,
            )
            for chunk in chunks
        ],
        chunk=ordinal,
        near_duplicates=[name for name in near if name != document.name],
    )


def _find(snapshot: Snapshot, wanted: str) -> tuple[Document, int | None]:
    found = snapshot.documents([wanted])
    if wanted in found:
        return found[wanted], None
    name, _, tail = wanted.rpartition("::")
    if name and tail.isdigit():
        found = snapshot.documents([name])
        if name in found and 1 <= int(tail) <= max(1, found[name].chunks):
            return found[name], int(tail)
    near = difflib.get_close_matches(wanted, snapshot.names(limit=5000), n=3) or snapshot.names(wanted[:3], limit=3)
    raise UsageError(
        f"there is no document {wanted!r}",
        f"similar ids: {', '.join(near)}" if near else "no id is similar",
        "find ids by: isogloss search TEXT",
    )


def stats(path: Path, snapshot: Snapshot) -> Stats:
    """Count what an index holds."""
    exact, near = snapshot.count_duplicates()
    held = np.zeros(len(snapshot.live), np.bool_)
    encoders = []
    for record in snapshot.encoders():
        segments = snapshot.segments(record.name)
        held |= snapshot.held(record.name)
        encoders.append(
            EncoderStats(
                name=record.name,
                kind=record.kind,
                identity=record.identity,
                dimensions=record.dimensions,
                similarity=record.similarity,
                covered=int(np.count_nonzero(snapshot.covered(record.name))),
                off=int(np.count_nonzero(snapshot.off(record.name))),
                pending=len(snapshot.uncovered(record.name)),
                segments=len(segments),
                bytes=sum(segment.bytes for segment in segments),
            )
        )
    return Stats(
        path=str(path),
        generation=snapshot.generation,
        documents=snapshot.count_documents(),
        chunks=int(np.count_nonzero(snapshot.live)),
        roots=[{"path": r.path, "prefix": r.prefix, "documents": r.documents} for r in snapshot.roots()],
        languages=snapshot.languages(),
        encoders=encoders,
        budget=int(snapshot.settings["budget"]),
        bytes=sum(snapshot.bytes().values()),
        dead_chunks=int(np.count_nonzero(held & ~snapshot.live)),
        exact_duplicates=exact,
        near_duplicates=near,
        format=snapshot.format,
    )
