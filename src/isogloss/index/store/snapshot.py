"""One generation of an index, pinned: whatever writers do meanwhile, its answers stay the same."""

from __future__ import annotations

import json
import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Bitmap, Rows
from isogloss.errors import CorruptIndexError
from isogloss.index.store.arrayfile import unpack_arrays
from isogloss.index.store.bitmaps import frozen, stretched, unpack
from isogloss.index.store.catalogue import batches, select_in, translated
from isogloss.index.store.rows import Chunk, Document, MetadataField, Root, Segment, State, StoredEncoder
from isogloss.index.store.segments import open_segments
from isogloss.protocols import Skip

if TYPE_CHECKING:
    import sqlite3

    from isogloss.index.filter_sql import Filter

_DOCUMENT = (
    "id, name, root, path, title, language, language_p, state, metadata, content_hash, near, first, chunks, "
    "characters, tokens"
)
_CHUNK = (
    "SELECT c.number, c.document, c.ordinal, c.start, c.heading, c.prefix, c.text, c.hash, d.name, d.title, d.language "
    "FROM chunks c JOIN documents d ON d.id = c.document WHERE "
)
_FILTERS_KEPT = 64


class Snapshot:
    """What an index holds at one commit; made by ``Store``, safe to use from several threads.

    A reader's snapshot pins its commit until it is garbage. A writer's snapshot shares the writer's connection: inside
    a transaction its row methods see the pending rows already, its bitmaps and segments only after the commit.

    Attributes
    ----------
    folder
        The index folder.
    generation
        Number of the commit.
    format
        Format of the folder.
    settings
        What ``Store.create`` or ``Transaction.set_settings`` stored.
    live
        Bitmap over all chunk numbers ever given: those of live chunks. Read-only.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: Path,
        *,
        opened: Mapping[str, Segment],
        broken: list[CorruptIndexError] | None = None,
    ) -> None:
        self.folder = folder
        self._connection = connection
        self._lock = threading.RLock()
        self._filters: dict[str, Bitmap] = {}
        meta = dict(self._rows("SELECT key, value FROM meta"))
        self.generation: int = meta["generation"]
        self.format: int = meta["format"]
        self.settings: dict[str, Any] = json.loads(meta["settings"])
        self._length: int = meta["next_chunk"]
        self._bitmaps = {
            kind: frozen(stretched(unpack(bits, length), self._length))
            for kind, length, bits in self._rows("SELECT kind, length, bits FROM bitmaps")
        }
        self.live = self._bitmaps.get("live", frozen(np.zeros(self._length, np.bool_)))
        self._segments = open_segments(connection, folder, opened=opened, broken=broken)

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with self._lock, translated(self.folder):
            return self._connection.execute(sql, parameters).fetchall()

    def _rows_in(self, sql: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
        with self._lock, translated(self.folder):
            return select_in(self._connection, sql, values)

    # encoders and segments

    def encoders(self) -> list[StoredEncoder]:
        """Return the encoders in their order."""
        sql = "SELECT name, kind, identity, similarity, dimensions, spec, probes, position FROM encoders "
        return [
            StoredEncoder(name, kind, identity, similarity, dimensions, json.loads(spec), unpack_arrays(probes), place)
            for name, kind, identity, similarity, dimensions, spec, probes, place in self._rows(
                sql + "ORDER BY position, name"
            )
        ]

    def segments(self, encoder: str | None = None) -> list[Segment]:
        """Return the open segments of one encoder (or of all), oldest first."""
        return [segment for segment in self._segments.values() if encoder in (None, segment.encoder)]

    def held(self, encoder: str) -> Bitmap:
        """Return which chunk numbers the encoder's segments hold, dead ones included."""
        bitmap = np.zeros(self._length, np.bool_)
        for segment in self.segments(encoder):
            bitmap[: len(segment.numbers)] |= segment.numbers
        return bitmap

    def covered(self, encoder: str) -> Bitmap:
        """Return which live chunks the encoder has encoded."""
        return self.held(encoder) & self.live

    def off(self, encoder: str) -> Bitmap:
        """Return which live chunks the encoder leaves out (``Transaction.exclude``)."""
        bitmap = self._bitmaps.get(f"off:{encoder}")
        return np.zeros(self._length, np.bool_) if bitmap is None else bitmap & self.live

    def uncovered(self, encoder: str) -> Rows:
        """Return the numbers of the live chunks that still wait for the encoder, ascending."""
        return np.flatnonzero(self.live & ~self.held(encoder) & ~self.off(encoder)).astype(np.int64)

    def same_text(self, encoder: str, hashes: NDArray[np.int64]) -> Rows:
        """Find, for each hash, a chunk (live or dead) of that hash that the encoder's segments hold; -1 for none.

        Its row in the segment serves the new chunk too: equal texts are encoded once.
        """
        held = self.held(encoder)
        if not held.any() or not len(hashes):
            return np.full(len(hashes), -1, np.int64)
        wanted = [int(value) for value in np.unique(hashes)]
        numbers: dict[int, int] = {}
        for table in ("dead", "chunks"):
            for value, number in self._rows_in(f"SELECT hash, number FROM {table} WHERE hash IN ({{}})", wanted):
                if number < len(held) and held[number]:
                    numbers[value] = number
        return np.array([numbers.get(int(value), -1) for value in hashes], np.int64)

    # chunks

    def chunks(self, numbers: Iterable[int]) -> list[Chunk]:
        """Return chunks by number, in the given order; a number that is not live is a ``KeyError``."""
        wanted = [int(number) for number in numbers]
        found = {row[0]: row for row in self._rows_in(_CHUNK + "c.number IN ({})", wanted)}
        return [_chunk(found[number]) for number in wanted]

    def owners(self, numbers: Iterable[int]) -> dict[int, int]:
        """Return the document's id of each chunk number that is live."""
        sql = "SELECT number, document FROM chunks WHERE number IN ({})"
        return dict(self._rows_in(sql, (int(number) for number in numbers)))

    def near_of(self, ids: Iterable[int]) -> dict[int, tuple[str, int | None]]:
        """Return name and group of near duplicates (None: no near duplicate) of documents by id."""
        rows = self._rows_in("SELECT id, name, near FROM documents WHERE id IN ({})", (int(i) for i in ids))
        return {key: (name, near) for key, name, near in rows}

    def iterate(self, numbers: Iterable[int], size: int = 1000) -> Iterator[list[Chunk]]:
        """Yield chunks in lists of at most ``size``, in the given order, in bounded memory."""
        return (self.chunks(batch) for batch in batches(numbers, size))

    def chunks_of(self, document: int) -> list[Chunk]:
        """Return the chunks of one document (by id) in their order."""
        span = self._rows("SELECT first, first + chunks FROM documents WHERE id = ?", (document,))
        return [_chunk(row) for row in self._rows(_CHUNK + "c.number >= ? AND c.number < ? ORDER BY c.number", span[0])]

    # documents

    def documents(self, names: Iterable[str]) -> dict[str, Document]:
        """Return documents by name; unknown names are left out."""
        rows = self._rows_in(f"SELECT {_DOCUMENT} FROM documents WHERE name IN ({{}})", names)
        return {row[1]: _document(row) for row in rows}

    def documents_by_id(self, ids: Iterable[int]) -> dict[int, Document]:
        """Return documents by id; unknown ids are left out."""
        rows = self._rows_in(f"SELECT {_DOCUMENT} FROM documents WHERE id IN ({{}})", (int(i) for i in ids))
        return {row[0]: _document(row) for row in rows}

    def states(self, names: Iterable[str]) -> dict[str, State]:
        """Return id, root and state of the documents among ``names`` that are stored."""
        rows = self._rows_in("SELECT name, id, root, state FROM documents WHERE name IN ({})", names)
        return {name: State(*rest) for name, *rest in rows}

    def of_root(self, root: int) -> dict[str, int]:
        """Return name and id of every document of a root."""
        return dict(self._rows("SELECT name, id FROM documents WHERE root = ? ORDER BY id", (root,)))

    def names(self, prefix: str = "", limit: int = 20) -> list[str]:
        """Return up to ``limit`` names that begin with ``prefix``, sorted; for suggestions."""
        sql = "SELECT name FROM documents WHERE name >= ? AND substr(name, 1, ?) = ? ORDER BY name LIMIT ?"
        return [name for (name,) in self._rows(sql, (prefix, len(prefix), prefix, limit))]

    def near(self, groups: Iterable[int]) -> dict[int, list[str]]:
        """Return the names of the documents in each group of near duplicates."""
        found: dict[int, list[str]] = {}
        for group, name in self._rows_in("SELECT near, name FROM documents WHERE near IN ({}) ORDER BY id", groups):
            found.setdefault(group, []).append(name)
        return found

    def sketches(self) -> tuple[Rows, NDArray[np.uint64]]:
        """Return the ids ``(n,)`` and sketches ``(n, b)`` of all documents that have one, by rising id."""
        ids, packed = array("q"), bytearray()
        sql = "SELECT id, sketch FROM documents WHERE sketch IS NOT NULL ORDER BY id"
        with self._lock, translated(self.folder):
            for number, sketch in self._connection.execute(sql):
                ids.append(number)
                packed += sketch
        values = np.frombuffer(packed, "<u8")
        return np.array(ids, np.int64), values.reshape(len(ids), -1) if ids else np.zeros((0, 0), np.uint64)

    # filters

    def matching(self, where: str | Filter) -> Bitmap:
        """Return which live chunks belong to documents that match a filter; kept for the next query.

        Raises
        ------
        FilterError
            When the filter cannot be read, or names a field that no document has.
        """
        parsed = _compiled(where)
        known = self._filters.get(parsed.text)
        if known is not None:
            return known
        edges = np.zeros(self._length + 1, np.int32)
        spans = self._matching("d.first, d.first + d.chunks", parsed).reshape(-1, 2)
        np.add.at(edges, spans[:, 0], 1)
        np.add.at(edges, spans[:, 1], -1)
        bitmap = frozen(np.cumsum(edges[:-1]) > 0)
        while len(self._filters) >= _FILTERS_KEPT:
            self._filters.pop(next(iter(self._filters)), None)
        self._filters[parsed.text] = bitmap
        return bitmap

    def matching_documents(self, where: str | Filter) -> Rows:
        """Return the ids of the documents that match a filter, ascending."""
        parsed = _compiled(where)
        return self._matching("d.id", parsed)

    def _matching(self, columns: str, parsed: Filter) -> Rows:
        """Return the columns of all matching documents, one document after the other."""
        parsed.check_fields([field.name for field in self.fields()])
        sql = f"SELECT {columns} FROM documents d LEFT JOIN roots r ON r.id = d.root WHERE {parsed.sql} ORDER BY d.id"
        with self._lock, translated(self.folder):
            found = self._connection.execute(sql, parsed.parameters)
            return np.fromiter((value for row in found for value in row), np.int64)

    def filter_notes(self, where: str | Filter) -> list[str]:
        """Say which comparisons of a filter can never hold, because the field holds values of other kinds only."""
        parsed = _compiled(where)
        return parsed.notes({field.name: set(field.kinds) for field in self.fields()})

    # counts

    def roots(self) -> list[Root]:
        """Return the roots with the number of documents of each."""
        sql = "SELECT id, path, prefix, (SELECT count(*) FROM documents d WHERE d.root = r.id) FROM roots r ORDER BY id"
        return [Root(*row) for row in self._rows(sql)]

    def count_documents(self) -> int:
        """Return the number of documents."""
        return int(self._rows("SELECT count(*) FROM documents")[0][0])

    def count_duplicates(self) -> tuple[int, int]:
        """Return how many documents repeat another's text, and how many are in a group of near duplicates."""
        exact = self._rows("SELECT count(*) - count(DISTINCT content_hash) FROM documents")[0][0]
        return int(exact), int(self._rows("SELECT count(*) FROM documents WHERE near IS NOT NULL")[0][0])

    def languages(self) -> dict[str, int]:
        """Return the number of documents by language, most first; an empty name where none was detected."""
        return dict(
            self._rows("SELECT language, count(*) AS n FROM documents GROUP BY language ORDER BY n DESC, language")
        )

    def fields(self) -> list[MetadataField]:
        """Return the metadata fields with the kinds of their values, by name."""
        found: dict[str, MetadataField] = {}
        for name, kind, documents in self._rows("SELECT name, kind, documents FROM fields ORDER BY name, kind"):
            found.setdefault(name, MetadataField(name)).kinds[kind] = documents
        return list(found.values())

    def skips(self, root: int | None = None) -> list[Skip]:
        """Return what the last run over a root (or over each) left out, with reasons."""
        sql = "SELECT id, reason, detail FROM skips WHERE ? IS NULL OR root = ? ORDER BY root, rowid"
        return [Skip(*row) for row in self._rows(sql, (root, root))]

    def bytes(self) -> dict[str, int]:
        """Return the size of the catalogue (log included) and of the named segments, in bytes."""
        parts = [
            path.stat().st_size for path in self.folder.glob("catalogue.sqlite*") if not path.name.endswith("-shm")
        ]
        return {"catalogue": sum(parts), "segments": sum(segment.bytes for segment in self._segments.values())}


def _compiled(where: str | Filter) -> Filter:
    # imported here because most searches have no filter, and the import takes longer than such a search
    from isogloss.index.filter_sql import compile_filter

    return compile_filter(where) if isinstance(where, str) else where


def _document(row: tuple[Any, ...]) -> Document:
    fields = [*row]
    fields[8] = json.loads(row[8])
    return Document(*fields)


def _chunk(row: tuple[Any, ...]) -> Chunk:
    fields = [*row]
    fields[4] = tuple(json.loads(row[4])) if row[4] != "[]" else ()
    return Chunk(*fields)
