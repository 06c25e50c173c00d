"""Everything that one commit changes: rows at once, array files on disk before the catalogue names them."""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isogloss.arrays import Bitmap, Rows
from isogloss.index.store.arrayfile import Parts, pack_arrays, sync_folder, write_arrays
from isogloss.index.store.bitmaps import pack, stretched
from isogloss.index.store.catalogue import SEGMENTS, batches, select_in, translated
from isogloss.index.store.rows import NewDocument, StoredEncoder
from isogloss.index.store.segments import file_of
from isogloss.index.store.snapshot import Snapshot
from isogloss.protocols import Scalar, Skip

if TYPE_CHECKING:
    import sqlite3

_PIECE = 2000
_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_KINDS = {str: "text", bool: "boolean", int: "number", float: "number"}


class Transaction:
    """Changes that become visible together; made by ``Store.transaction``, which commits or rolls back.

    Numbers of documents and chunks are given in rising order and never again, also after a rollback or a delete.
    """

    def __init__(self, connection: sqlite3.Connection, before: Snapshot) -> None:
        self._connection = connection
        self._before = before
        self._next = dict(connection.execute("SELECT key, value FROM meta WHERE key GLOB 'next_*'").fetchall())
        self._edits: list[tuple[int, int, bool]] = []
        self._churn = 0
        self._off: dict[str, list[Rows] | None] = {}
        self._fields: Counter[tuple[str, str]] = Counter()
        self._held: dict[str, Bitmap] = {}
        self.written: list[Path] = []
        self.obsolete: list[Path] = []

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with translated(self._before.folder):
            return self._connection.execute(sql, parameters).fetchall()

    def _rows_in(self, sql: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
        with translated(self._before.folder):
            return select_in(self._connection, sql, values)

    def _run(self, sql: str, *rows: Sequence[Any]) -> None:
        """Run a statement for each row of parameters (``_run(sql, ())`` for one without)."""
        with translated(self._before.folder):
            self._connection.executemany(sql, rows)

    def _take(self, counter: str, count: int = 1) -> int:
        first: int = self._next[f"next_{counter}"]
        self._next[f"next_{counter}"] = first + count
        return first

    # rows

    def put_root(self, path: str, prefix: str = "") -> int:
        """Return the id of a root, recording it where it is new."""
        found = self._rows("SELECT id FROM roots WHERE path = ? AND prefix = ?", (path, prefix))
        if found:
            return int(found[0][0])
        root = self._take("root")
        self._run("INSERT INTO roots VALUES (?, ?, ?)", (root, path, prefix))
        return root

    def delete_root(self, root: int) -> None:
        """Forget a root, its documents and its listed skips."""
        self.delete(row[0] for row in self._rows("SELECT id FROM documents WHERE root = ?", (root,)))
        self._run("DELETE FROM skips WHERE root = ?", (root,))
        self._run("DELETE FROM roots WHERE id = ?", (root,))

    def upsert(self, documents: Iterable[NewDocument]) -> Rows:
        """Store documents with their chunks; one of a known name keeps its id and gets new chunk numbers.

        Parameters
        ----------
        documents
            Consumed in pieces, so that any number streams through. Where a name comes again, the later one stays.

        Returns
        -------
        Rows
            The new chunk numbers in the order of the documents and their chunks; always consecutive.
        """
        first: int = self._next["next_chunk"]
        for piece in _pieces(documents):
            self._upsert_piece(piece)
        return np.arange(first, self._next["next_chunk"], dtype=np.int64)

    def _upsert_piece(self, piece: Sequence[NewDocument]) -> None:
        sql = "SELECT name, id, first, chunks, metadata FROM documents WHERE name IN ({})"
        old = self._rows_in(sql, (_clean(document.name) for document in piece))
        self._drop_chunks([row[2:4] for row in old])
        self._count_fields((json.loads(row[4]) for row in old if row[4] != "{}"), -1)
        ids = {row[0]: row[1] for row in old}
        rows: list[tuple[Any, ...]] = []
        chunks: list[tuple[Any, ...]] = []
        for document in piece:
            name = _clean(document.name)
            number = ids[name] if name in ids else self._take("document")
            first = self._take("chunk", len(document.chunks))
            metadata = {_clean(field): _scalar(value) for field, value in document.metadata.items()}
            self._count_fields([metadata], 1)
            rows.append(_document_row(number, name, first, document, metadata))
            for i, chunk in enumerate(document.chunks):
                heading = _json([_clean(part) for part in chunk.heading]) if chunk.heading else "[]"
                texts = (heading, _clean(chunk.prefix), _clean(chunk.text))
                chunks.append((first + i, number, i, chunk.start, *texts, chunk.hash))
        self._run(f"INSERT OR REPLACE INTO documents VALUES ({', '.join('?' * 16)})", *rows)
        self._run("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *chunks)
        if chunks:
            self._edits.append((chunks[0][0], chunks[-1][0] + 1, True))

    def delete(self, ids: Iterable[int]) -> int:
        """Delete documents by id, unknown ids ignored; return how many chunks went with them."""
        gone = 0
        for batch in batches((int(i) for i in ids), _PIECE):
            old = self._rows_in("SELECT first, chunks, metadata, id FROM documents WHERE id IN ({})", batch)
            self._drop_chunks([row[:2] for row in old])
            self._count_fields((json.loads(row[2]) for row in old if row[2] != "{}"), -1)
            self._run("DELETE FROM documents WHERE id = ?", *[row[3:] for row in old])
            gone += sum(row[1] for row in old)
        return gone

    def _drop_chunks(self, spans: Iterable[Sequence[int]]) -> None:
        # dead chunks stay known by hash while a segment holds them: the same text may come back
        ranges = [(first, first + count) for first, count in spans if count]
        where = "WHERE number >= ? AND number < ?"
        self._run(f"INSERT INTO dead SELECT number, hash FROM chunks {where}", *ranges)
        self._run(f"DELETE FROM chunks {where}", *ranges)
        self._edits += [(first, stop, False) for first, stop in ranges]
        self._churn += sum(stop - first for first, stop in ranges)

    def _count_fields(self, metadata: Iterable[Mapping[str, Scalar]], sign: int) -> None:
        for fields in metadata:
            for name, value in fields.items():
                self._fields[name, _KINDS.get(type(value), "null")] += sign

    def set_near(self, ids: Rows, groups: Rows) -> None:
        """Set the group of near duplicates of documents by id; -1 for none."""
        pairs = zip(ids.tolist(), [None if group < 0 else group for group in groups.tolist()], strict=True)
        sql = "UPDATE documents SET near = ? WHERE id = ? AND near IS NOT ?"
        self._run(sql, *[(group, i, group) for i, group in pairs])

    def set_skips(self, root: int, skips: Iterable[Skip]) -> None:
        """Replace the listing of what the last run over a root left out."""
        self._run("DELETE FROM skips WHERE root = ?", (root,))
        rows = ((root, _clean(skip.id), skip.reason, _clean(skip.detail)) for skip in skips)
        self._run("INSERT INTO skips VALUES (?, ?, ?, ?)", *rows)

    def set_settings(self, settings: Mapping[str, Any]) -> None:
        """Replace the settings."""
        self._run("UPDATE meta SET value = ? WHERE key = 'settings'", (json.dumps(dict(settings)),))

    # encoders and segments

    def set_encoder(self, encoder: StoredEncoder) -> None:
        """Record an encoder, or replace its record; its segments stay (``drop_encoder`` forgets them)."""
        row = (encoder.name, encoder.position, encoder.kind, encoder.identity, encoder.similarity, encoder.dimensions)
        packed = (json.dumps(encoder.spec), pack_arrays(encoder.probes))
        self._run("INSERT OR REPLACE INTO encoders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row + packed)

    def drop_encoder(self, name: str) -> None:
        """Forget an encoder with all its segments: every chunk waits for it again, should it come back."""
        self.drop_segments(row[0] for row in self._rows("SELECT name FROM segments WHERE encoder = ?", (name,)))
        self._run("DELETE FROM encoders WHERE name = ?", (name,))
        self._off[name] = None

    def exclude(self, encoder: str, numbers: Rows) -> None:
        """Leave chunks out of an encoder for good (a language outside its card): they do not wait for it."""
        parts = self._off.get(encoder)
        self._off[encoder] = [*(parts or []), np.asarray(numbers, np.int64)]

    def add_segment(self, encoder: str, arrays: Mapping[str, Parts], rows: Rows, *, level: int = 0) -> str:
        """Write an array file that holds the chunks ``rows`` of an encoder, and bring it to the disk.

        Parameters
        ----------
        encoder
            Name of the encoder.
        arrays
            Arrays by name; a list of arrays is joined while writing. The store does not look inside.
        rows
            ``(n,)`` chunk numbers, distinct, not held by another segment of the encoder.
        level
            Tier for the compaction policy.

        Returns
        -------
        str
            Name of the segment.

        Raises
        ------
        ValueError
            When a row comes twice, was never given, or is held already.
        """
        rows = np.asarray(rows, np.int64)
        held = self._holding(encoder)
        if not len(rows) or rows.min() < 0 or rows.max() >= self._next["next_chunk"]:
            raise ValueError("a segment needs at least one row, and chunk numbers that were given")
        first, last = int(rows.min()), int(rows.max())
        numbers = np.zeros(last + 1, np.bool_)
        numbers[rows] = True
        if np.count_nonzero(numbers) != len(rows) or (held[: last + 1] & numbers[: len(held)]).any():
            raise ValueError(f"a row comes twice in the segment, or is held by another segment of {encoder!r}")
        name = self._file_name(encoder)
        path = file_of(self._before.folder, name)
        self.written.append(path)
        with translated(self._before.folder):
            done = write_arrays(path, arrays, {"encoder": encoder})
        sizes = (level, len(rows), done.bytes, done.checksum, done.header, first, last, pack(numbers[first:]))
        self._run("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (name, encoder, *sizes))
        held = stretched(held, max(len(held), last + 1))
        held[rows] = True
        self._held[encoder] = held
        return name

    def _file_name(self, encoder: str) -> str:
        plain = re.sub(r"[^A-Za-z0-9]+", "-", encoder).strip("-")[:32]
        return f"{self._take('segment'):08d}-{plain}-{os.urandom(4).hex()}"

    def _holding(self, encoder: str) -> Bitmap:
        """Return what the encoder's segments hold at this point of the transaction."""
        if encoder not in self._held:
            self._held[encoder] = self._before.held(encoder)
        return self._held[encoder]

    def replace_segments(
        self, old: Sequence[str], encoder: str, arrays: Mapping[str, Parts], rows: Rows, *, level: int = 0
    ) -> str | None:
        """Put one segment in the place of several; readers of older generations keep the old files.

        Returns the new segment's name, or None where ``rows`` is empty and the old ones are only dropped.
        """
        self.drop_segments(old)
        return self.add_segment(encoder, arrays, rows, level=level) if len(rows) else None

    def drop_segments(self, names: Iterable[str]) -> None:
        """Forget segments; their live chunks wait for the encoder again unless another segment takes them."""
        opened = {segment.name: segment for segment in self._before.segments()}
        for name in names:
            self._run("DELETE FROM segments WHERE name = ?", (name,))
            self.obsolete.append(file_of(self._before.folder, name))
            if name in opened:
                held = self._holding(opened[name].encoder).copy()
                held[: len(opened[name].numbers)] &= ~opened[name].numbers
                self._held[opened[name].encoder] = held

    # the end

    def finish(self) -> None:
        """Write bitmaps and counters, and bring the new files' names to the disk; the caller commits then."""
        self._write_bitmaps()
        if self.obsolete:
            self._purge_dead()
        counts = [(name, kind, n) for (name, kind), n in self._fields.items() if n]
        upsert = "ON CONFLICT DO UPDATE SET documents = documents + excluded.documents"
        self._run(f"INSERT INTO fields VALUES (?, ?, ?) {upsert}", *counts)
        self._run("DELETE FROM fields WHERE documents <= 0", ())
        self._next["generation"] = self._before.generation + 1
        self._run("UPDATE meta SET value = ? WHERE key = ?", *[(value, key) for key, value in self._next.items()])
        self._run("UPDATE meta SET value = value + ? WHERE key = 'churn'", (self._churn,))
        if self.written:
            with translated(self._before.folder):
                sync_folder(self._before.folder / SEGMENTS)

    def _write_bitmaps(self) -> None:
        length = self._next["next_chunk"]
        if self._edits:
            live = stretched(self._before.live, length)
            for first, stop, flag in self._edits:
                live[first:stop] = flag
            self._put_bitmap("live", live)
        for encoder, parts in self._off.items():
            if parts is None:
                self._run("DELETE FROM bitmaps WHERE kind = ?", (f"off:{encoder}",))
                continue
            off = stretched(self._before.off(encoder), length)
            for numbers in parts:
                off[numbers] = True
            self._put_bitmap(f"off:{encoder}", off)

    def _put_bitmap(self, kind: str, bitmap: Bitmap) -> None:
        self._run("INSERT OR REPLACE INTO bitmaps VALUES (?, ?, ?)", (kind, len(bitmap), pack(bitmap)))

    def _purge_dead(self) -> None:
        """Forget the hashes of dead chunks that no segment holds any more."""
        held = np.zeros(self._next["next_chunk"], np.bool_)
        for encoder in {segment.encoder for segment in self._before.segments()} | set(self._held):
            bitmap = self._holding(encoder)
            held[: len(bitmap)] |= bitmap
        gone = [row for row in self._rows("SELECT number FROM dead") if not held[row[0]]]
        self._run("DELETE FROM dead WHERE number = ?", *gone)


def _pieces(documents: Iterable[NewDocument]) -> Iterator[list[NewDocument]]:
    """Cut documents into lists of distinct names."""
    piece: dict[str, NewDocument] = {}
    for document in documents:
        name = _clean(document.name)
        if len(piece) == _PIECE or name in piece:
            yield list(piece.values())
            piece = {}
        piece[name] = document
    if piece:
        yield list(piece.values())


def _document_row(
    number: int, name: str, first: int, document: NewDocument, metadata: dict[str, Scalar]
) -> tuple[Any, ...]:
    sketch = None if document.sketch is None else np.ascontiguousarray(document.sketch, "<u8").tobytes()
    return (
        number,
        name,
        document.root,
        _clean(document.path),
        _clean(document.title),
        document.language,
        float(document.language_p),
        document.state,
        _json(metadata) if metadata else "{}",
        document.content_hash,
        sketch,
        None,
        first,
        len(document.chunks),
        document.characters,
        document.tokens,
    )


def _scalar(value: Scalar) -> Scalar:
    if isinstance(value, str):
        return _clean(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _clean(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot hold."""
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
