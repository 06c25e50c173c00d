"""Chunks become vectors: each distinct text once, languages outside a model's card left out, commits as it goes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Dense, Rows, Vectors
from isogloss.collection.results import EncoderRun
from isogloss.errors import IncompatibleError
from isogloss.index.postings import Postings
from isogloss.protocols import EncodeReport, Progress

if TYPE_CHECKING:
    from isogloss.collection.encoders import IndexEncoder
    from isogloss.index.store.snapshot import Snapshot
    from isogloss.index.store.store import Store
    from isogloss.index.store.transaction import Transaction

WINDOW = 2048
"""Chunks fetched and sorted by length together when an encoder catches up."""
COMMIT_SECONDS = 15.0
"""A slow encoder commits at least so often, so that an interruption loses little."""
SLOW_STEP = 64
"""Chunks that a slow encoder takes between two looks at the clock."""
SURE = 0.8
"""Probability from which a detected language may switch an encoder off for a document."""


@dataclass(slots=True)
class Work:
    """Chunks to encode: numbers, what encoders see, its hashes, and the documents' languages, all of one length."""

    numbers: Rows
    texts: Sequence[str]
    hashes: NDArray[np.int64]
    languages: Sequence[tuple[str, float]]

    def take(self, picked: NDArray[np.intp]) -> Work:
        """Return the chosen chunks in the given order."""
        return Work(
            self.numbers[picked],
            [self.texts[i] for i in picked],
            self.hashes[picked],
            [self.languages[i] for i in picked],
        )


def language_is_off(languages: frozenset[str] | None, language: str, probability: float) -> bool:
    """Say whether a document's language is surely outside the languages of a model's card.

    Examples
    --------
    >>> language_is_off(frozenset({"en"}), "de", 0.99), language_is_off(frozenset({"en"}), "und", 0.99)
    (True, False)
    """
    return languages is not None and language not in ("", "und") and probability >= SURE and language not in languages


def encode_into(transaction: Transaction, encoder: IndexEncoder, work: Work, run: EncoderRun) -> None:
    """Encode new chunks and add them to a transaction as one segment; count what was done in ``run``."""
    started = time.perf_counter()
    part = encode_part(transaction, encoder, work, run)
    add_parts(transaction, encoder.name, [part] if part else [])
    run.seconds += time.perf_counter() - started


def encode_part(
    transaction: Transaction, encoder: IndexEncoder, work: Work, run: EncoderRun
) -> tuple[Rows, Vectors] | None:
    """Encode the distinct texts of ``work``, leaving out languages that are off; return numbers and vectors."""
    off = np.array([language_is_off(encoder.languages, *language) for language in work.languages], np.bool_)
    if off.any():
        transaction.exclude(encoder.name, work.numbers[off])
        run.off += int(off.sum())
        for i in np.flatnonzero(off).tolist():
            language = work.languages[i][0]
            run.off_languages[language] = run.off_languages.get(language, 0) + 1
        work = work.take(np.flatnonzero(~off))
    if not len(work.numbers):
        return None
    report = EncodeReport()
    _, first, inverse = np.unique(work.hashes, return_index=True, return_inverse=True)
    if len(first) == len(work.texts):
        vectors = encoder.model.encode(work.texts, role="document", report=report)
    else:
        vectors = _repeat(encoder.model.encode([work.texts[i] for i in first], role="document", report=report), inverse)
    run.encoded += len(first)
    run.reused += len(work.texts) - len(first)
    run.cut, run.lost, run.tokens = run.cut + report.cut, run.lost + report.lost, run.tokens + report.tokens
    return work.numbers, vectors


def _repeat(vectors: Vectors, inverse: NDArray[np.intp]) -> Vectors:
    if isinstance(vectors, CSR):
        return vectors.take(inverse)
    if isinstance(vectors, np.ndarray):
        return vectors[inverse]
    raise IncompatibleError("several vectors a text cannot be stored in this index")


def add_parts(transaction: Transaction, name: str, parts: Sequence[tuple[Rows, Vectors]]) -> None:
    """Add encoded parts to a transaction as one segment, ordered by chunk number."""
    if not parts:
        return
    numbers = np.concatenate([rows for rows, _ in parts])
    if isinstance(parts[0][1], CSR):
        built = [Postings.build(rows, vectors) for rows, vectors in parts if isinstance(vectors, CSR)]
        live = np.ones(int(numbers.max()) + 1, np.bool_)
        postings = built[0] if len(built) == 1 else Postings.merge(built, live)
        transaction.add_segment(name, postings.arrays(), numbers)
        return
    order = np.argsort(numbers, kind="stable")
    vectors = parts[0][1] if len(parts) == 1 else np.concatenate([np.asarray(part) for _, part in parts])
    if not isinstance(vectors, np.ndarray):
        raise IncompatibleError("several vectors a text cannot be stored in this index")
    if (np.diff(order) != 1).any():
        vectors = vectors[order]
    arrays = {"rows": numbers[order], "vectors": np.ascontiguousarray(vectors, np.float32)}
    transaction.add_segment(name, arrays, numbers)


def stored_vectors(snapshot: Snapshot, encoder: str, numbers: Rows) -> Dense:
    """Return the stored dense vectors ``(n, d)`` of chunks, live or dead, that the encoder's segments hold."""
    found: list[tuple[NDArray[np.intp], NDArray[Any]]] = []
    for segment in snapshot.segments(encoder):
        rows, vectors = segment.arrays["rows"], segment.arrays["vectors"]
        place = np.minimum(np.searchsorted(rows, numbers), len(rows) - 1)
        here = np.flatnonzero(rows[place] == numbers)
        if len(here):
            found.append((here, vectors[place[here]]))
    out = np.zeros((len(numbers), found[0][1].shape[1] if found else 0), np.float32)
    for here, part in found:
        out[here] = part
    return out


def catch_up(store: Store, encoder: IndexEncoder, run: EncoderRun, progress: Progress) -> None:
    """Encode every live chunk that an encoder has not seen; commits every few seconds, so an interruption keeps work.

    Vectors of equal texts that are stored already are copied, not encoded again.
    """
    waiting = store.snapshot.uncovered(encoder.name)
    if not len(waiting):
        return
    progress.start(f"encode {encoder.name}", len(waiting), "chunks")
    try:
        for start in range(0, len(waiting), WINDOW):
            work = pending_work(store.snapshot, waiting[start : start + WINDOW])
            order = np.argsort([-len(text) for text in work.texts], kind="stable")
            _catch_up_window(store, encoder, work.take(order), run, progress)
    finally:
        progress.finish()


def pending_work(snapshot: Snapshot, numbers: Rows) -> Work:
    """Fetch stored chunks as encoders see them."""
    chunks = snapshot.chunks(numbers)
    documents = snapshot.documents_by_id({chunk.document for chunk in chunks})
    sure = {key: (document.language, document.language_p) for key, document in documents.items()}
    return Work(
        numbers,
        [chunk.prefix + chunk.text for chunk in chunks],
        np.array([chunk.hash for chunk in chunks], np.int64),
        [sure[chunk.document] for chunk in chunks],
    )


def _catch_up_window(store: Store, encoder: IndexEncoder, work: Work, run: EncoderRun, progress: Progress) -> None:
    """Encode one window in commits of at most ``COMMIT_SECONDS``; Ctrl-C commits what is done, then stops."""
    step = len(work.numbers) if encoder.speed == "fast" else SLOW_STEP
    at = 0
    while at < len(work.numbers):
        began = time.perf_counter()
        stopped: KeyboardInterrupt | None = None
        with store.transaction() as transaction:
            parts: list[tuple[Rows, Vectors]] = []
            try:
                while at < len(work.numbers) and time.perf_counter() - began < COMMIT_SECONDS:
                    piece = work.take(np.arange(at, min(at + step, len(work.numbers))))
                    parts += _reuse_or_encode(store.snapshot, transaction, encoder, piece, run)
                    at += len(piece.numbers)
                    progress.advance(len(piece.numbers))
            except KeyboardInterrupt as interrupt:
                stopped = interrupt
            add_parts(transaction, encoder.name, parts)
        run.seconds += time.perf_counter() - began
        if stopped is not None:
            raise stopped


def _reuse_or_encode(
    snapshot: Snapshot, transaction: Transaction, encoder: IndexEncoder, work: Work, run: EncoderRun
) -> list[tuple[Rows, Vectors]]:
    """Copy the vectors of texts that are stored already, encode the others."""
    parts: list[tuple[Rows, Vectors]] = []
    if encoder.kind == "dense":
        twins = snapshot.same_text(encoder.name, work.hashes)
        if (twins >= 0).any():
            old = np.flatnonzero(twins >= 0)
            parts.append((work.numbers[old], stored_vectors(snapshot, encoder.name, twins[old])))
            run.reused += len(old)
            work = work.take(np.flatnonzero(twins < 0))
    if len(work.numbers):
        part = encode_part(transaction, encoder, work, run)
        parts += [part] if part else []
    return parts
