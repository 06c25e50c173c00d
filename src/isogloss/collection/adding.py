"""``add``: read a source, store what is new or changed, encode it, and forget what is gone from its root."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from isogloss.collection.encoding import Work, encode_into, language_is_off
from isogloss.collection.results import AddReport, EncoderRun
from isogloss.corpus.chunk import VERSION as CHUNKER_VERSION
from isogloss.corpus.chunk import Chunk, chunk_many
from isogloss.corpus.dedup import normalise_text, sketch, text_hash
from isogloss.corpus.language import detect
from isogloss.errors import UsageError
from isogloss.index.store.rows import NewChunk, NewDocument, State
from isogloss.protocols import Progress, Record, Skip

if TYPE_CHECKING:
    from isogloss.collection.encoders import IndexEncoder
    from isogloss.index.store.store import Store
    from isogloss.index.store.transaction import Transaction

Confirm: TypeAlias = bool | Callable[[str], bool]
Count: TypeAlias = Callable[[Sequence[str]], NDArray[np.int64]]

BATCH_DOCUMENTS = 4096
BATCH_CHARACTERS = 8 << 20
BATCH_SECONDS = 10.0
"""A batch, which is one commit, ends at whichever of these comes first."""
DELETE_SHARE = 0.2
"""A run that would delete more of a root than this needs a yes."""
GONE = frozenset({"empty", "no-text"})
"""Reasons after which a skipped document is gone; after all others its last good version is kept."""


_PLACE = re.compile(r"(#.*|:\d+)$")
"""What follows the path in the id of a skipped row: its key, or its line."""


@dataclass(slots=True)
class Run:
    """The state of one ``add``: what is being written, and what was seen so far."""

    store: Store
    encoders: Sequence[IndexEncoder]
    report: AddReport
    root: int
    root_path: str
    prefix: str
    count: Count
    budget: int
    progress: Progress
    seen: bytearray = field(default_factory=bytearray)
    fresh: bytearray = field(default_factory=bytearray)
    kept_paths: set[str] = field(default_factory=set)
    last_path: str = ""


def mark(flags: bytearray, ids: Iterable[int]) -> None:
    """Set a flag for each id; one byte a document, where a set of a million ids would take 60 MB.

    Examples
    --------
    >>> flags = bytearray()
    >>> mark(flags, [3, 1]); list(flags)
    [0, 1, 0, 1]
    """
    for i in ids:
        if i >= len(flags):
            flags.extend(bytes(i + 1 - len(flags)))
        flags[i] = 1


def marked(flags: bytearray, i: int) -> bool:
    """Say whether an id's flag is set."""
    return i < len(flags) and flags[i] == 1


def state_of(record: Record, budget: int) -> bytes:
    """Return the hash of everything that decides how a document is stored: text, metadata, reader and chunker.

    Never a time stamp: the same content is the same state.
    """
    parts = [
        record.text,
        record.title,
        record.path,
        json.dumps(record.metadata, sort_keys=True, ensure_ascii=False, default=str),
        json.dumps(record.headings, ensure_ascii=False),
        record.reader,
        CHUNKER_VERSION,
        str(budget),
    ]
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.digest()


def batches(items: Iterable[Record | Skip]) -> Iterator[list[Record | Skip]]:
    """Cut a stream into batches by documents, characters and time, so that memory and lost work stay bounded."""
    batch: list[Record | Skip] = []
    characters, began = 0, time.monotonic()
    for item in items:
        batch.append(item)
        characters += len(item.text) if isinstance(item, Record) else 0
        late = time.monotonic() - began > BATCH_SECONDS
        if len(batch) >= BATCH_DOCUMENTS or characters >= BATCH_CHARACTERS or late:
            yield batch
            batch, characters, began = [], 0, time.monotonic()
    if batch:
        yield batch


def add_records(run: Run, items: Iterable[Record | Skip]) -> None:
    """Store every batch of a stream in a commit of its own; already stored, unchanged documents cost one look-up."""
    run.progress.start("read", None, "documents")
    try:
        for batch in batches(items):
            records = _note_skips(run, batch)
            _store_batch(run, records)
            run.progress.advance(len(batch))
    finally:
        run.progress.finish()


def _note_skips(run: Run, batch: Sequence[Record | Skip]) -> list[Record]:
    records: list[Record] = []
    for item in batch:
        path = (item.path or item.id) if isinstance(item, Record) else _PLACE.sub("", item.id)
        run.report.files += path != run.last_path  # a file's records come one after the other
        run.last_path = path
        if isinstance(item, Record):
            records.append(item)
            continue
        run.report.skipped.append(item)
        if item.reason not in GONE:
            run.kept_paths |= {path, item.id}
    return records


def _store_batch(run: Run, records: Sequence[Record]) -> None:
    records, states = _unseen(run, records)
    known = run.store.snapshot.states([run.prefix + record.id for record in records])
    changed = []
    for record, state in zip(records, states, strict=True):
        old = known.get(run.prefix + record.id)
        if old is not None:
            _check_root(run, record, old)
            mark(run.seen, [old.id])
        if old is not None and old.state == state and old.root == run.root:
            run.report.unchanged += 1
            continue
        run.report.new += old is None
        run.report.changed += old is not None
        changed.append((record, state))
    if changed and not run.report.dry_run:
        _write(run, [record for record, _ in changed], [state for _, state in changed])


def _unseen(run: Run, records: Sequence[Record]) -> tuple[list[Record], list[bytes]]:
    """Drop records whose id came before in the batch (readers drop those of earlier batches)."""
    once: dict[str, Record] = {}
    for record in records:
        if record.id in once:
            run.report.skipped.append(Skip(record.id, "duplicate-id", "the id came before in this run"))
        else:
            once[record.id] = record
    return list(once.values()), [state_of(record, run.budget) for record in once.values()]


def _check_root(run: Run, record: Record, old: State) -> None:
    """Refuse an id that belongs to another root, unless it is the same file on disk."""
    if old.root == run.root:
        return
    roots = {root.id: root for root in run.store.snapshot.roots()}
    other = roots.get(old.root)
    if other is None or _same_file(run, record, other.path):
        return
    _undo(run)
    raise UsageError(
        f"the id {run.prefix + record.id!r} is taken by a document from another root",
        f"it came from {other.path}, now it comes from {run.root_path}; nothing of this run was kept",
        f"give this root's ids a prefix: isogloss add {run.root_path} --prefix {Path(run.root_path).name}/",
    )


def _same_file(run: Run, record: Record, other_root: str) -> bool:
    """Say whether the document lies at the same place on disk under both roots (one holds the other)."""
    if not record.path or "-" in (run.root_path, other_root):
        return False

    def places(root: str) -> str:
        return os.path.normpath(os.path.join(root, record.path) if os.path.isdir(root) else root)

    return places(run.root_path) == places(other_root)


def _undo(run: Run) -> None:
    """Take back the documents that this run added, after an error that the user must decide about."""
    ids = [i for i, flag in enumerate(run.fresh) if flag]
    if ids:
        with run.store.transaction() as transaction:
            transaction.delete(ids)


def _write(run: Run, records: Sequence[Record], states: Sequence[bytes]) -> None:
    """Store new and changed documents with all that the fast encoders say of them, in one commit."""
    texts = [record.text for record in records]
    with ThreadPoolExecutor(2) as pool:  # the three take turns with Python and run their kernels side by side
        detected, sketched = pool.submit(detect, texts), pool.submit(sketch, texts)
        chunked = list(chunk_many(records, budget=run.budget, count=run.count))
        languages, sketches = detected.result(), sketched.result()
    documents = [
        _document(run, record, state, chunks, language, sketches[i])
        for i, (record, state, chunks, language) in enumerate(zip(records, states, chunked, languages, strict=True))
    ]
    run.report.long_documents += sum(len(chunks) > 1 for chunks in chunked)
    with run.store.transaction() as transaction:
        numbers = transaction.upsert(documents)
        work = Work(
            numbers,
            [chunk.embedded for chunks in chunked for chunk in chunks],
            np.array([chunk.hash for document in documents for chunk in document.chunks], np.int64),
            [language for chunks, language in zip(chunked, languages, strict=True) for _ in chunks],
        )
        if len(numbers):
            _encode_fast(run, transaction, work)
    stored = run.store.snapshot.states([document.name for document in documents])
    mark(run.fresh, (state.id for state in stored.values() if not marked(run.seen, state.id)))
    mark(run.seen, (state.id for state in stored.values()))


def _encode_fast(run: Run, transaction: Transaction, work: Work) -> None:
    for encoder in run.encoders:
        if encoder.speed == "fast":
            encode_into(transaction, encoder, work, run.report.encoders.setdefault(encoder.name, EncoderRun()))


def _document(
    run: Run,
    record: Record,
    state: bytes,
    chunks: Sequence[Chunk],
    language: tuple[str, float],
    sketched: NDArray[np.uint64],
) -> NewDocument:
    return NewDocument(
        name=run.prefix + record.id,
        root=run.root,
        state=state,
        chunks=[_chunk(c) for c in chunks],
        path=record.path,
        title=record.title,
        language=language[0],
        language_p=float(language[1]),
        metadata=record.metadata,
        content_hash=text_hash(normalise_text(record.text)),
        sketch=sketched,
        characters=len(record.text),
        tokens=sum(c.tokens for c in chunks),
    )


def _chunk(chunk: Chunk) -> NewChunk:
    prefix = chunk.embedded[: len(chunk.embedded) - len(chunk.text)]
    return NewChunk(chunk.start, chunk.text, text_hash(chunk.embedded), chunk.heading, prefix)


def delete_unseen(run: Run, confirm: Confirm) -> None:
    """Delete the documents of this root that the run did not see; many at once need a yes.

    What was skipped for a reason that may pass (unreadable, broken, ...) keeps its last good version.
    """
    stored = run.store.snapshot.of_root(run.root)
    unseen = {name: key for name, key in stored.items() if not marked(run.seen, key)}
    if unseen and run.kept_paths:
        documents = run.store.snapshot.documents(unseen)
        held = {name for name, document in documents.items() if document.path in run.kept_paths}
        run.report.kept = len(held)
        unseen = {name: key for name, key in unseen.items() if name not in held}
        if held:
            run.report.notes.append(f"kept the last good version of {len(held):,} documents that could not be read now")
    if not unseen:
        return
    share = len(unseen) / len(stored)
    question = f"{len(unseen):,} of the {len(stored):,} documents from {run.root_path} are gone ({share:.0%})"
    if share > DELETE_SHARE and not run.report.dry_run and not _allowed(confirm, question):
        raise UsageError(
            f"{question}; nothing was deleted",
            "more than 20 % at once is often a wrong folder or a disk that is not mounted; what was new is kept",
            "if they are really gone, run the same command with --yes",
        )
    run.report.deleted = len(unseen)
    if not run.report.dry_run:
        with run.store.transaction() as transaction:
            transaction.delete(unseen.values())


def _allowed(confirm: Confirm, question: str) -> bool:
    return confirm(f"{question}. Delete them from the index?") if callable(confirm) else confirm


def describe(run: Run) -> None:
    """Fill the report's totals from what the index now holds of this root and in all."""
    report, snapshot = run.report, run.store.snapshot
    report.documents = report.new + report.changed + report.unchanged
    report.chunks = int(np.count_nonzero(snapshot.live))
    report.exact_duplicates, report.near_duplicates = snapshot.count_duplicates()
    report.languages = snapshot.languages()
    report.window = run.budget
    for encoder in run.encoders:
        waiting = len(snapshot.uncovered(encoder.name))
        report.encoders.setdefault(encoder.name, EncoderRun()).pending = waiting
        off = int(np.count_nonzero(snapshot.off(encoder.name)))
        if off:
            share = off / max(1, report.chunks)
            outside = [name for name in report.languages if language_is_off(encoder.languages, name, 1.0)][:5]
            report.notes.append(
                f"{encoder.name}: vectors off, words on for {share:.1%} of the chunks "
                f"({', '.join(outside)}: outside the model's languages {', '.join(sorted(encoder.languages or ()))})"
            )
