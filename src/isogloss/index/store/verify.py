"""The whole check of an index: what a doctor looks at."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isogloss.arrays import Bitmap
from isogloss.errors import CorruptIndexError
from isogloss.index.store.arrayfile import Written, check_sum, read_arrays
from isogloss.index.store.bitmaps import stretched, unpack
from isogloss.index.store.catalogue import open_reader
from isogloss.index.store.segments import file_of, garbage, missing
from isogloss.protocols import Diagnosis

if TYPE_CHECKING:
    import sqlite3

_REBUILD = "restore the folder from a backup, or delete it and run isogloss add again: your documents are untouched"


def verify(folder: Path) -> list[Diagnosis]:
    """Read a whole index folder and compare everything with everything.

    Returns
    -------
    list
        One finding for the catalogue, one for its bookkeeping, one for each damaged array file (or one for all where
        none is), one for left-over files.
    """
    connection, private = open_reader(folder)
    try:
        findings = [_catalogue(connection)]
        if findings[0].status == "ok":
            findings += [_bookkeeping(connection), *_segments(connection, folder), _left_over(connection, folder)]
        return findings
    finally:
        connection.close()
        if private is not None:
            import shutil

            shutil.rmtree(private, ignore_errors=True)


def _catalogue(connection: sqlite3.Connection) -> Diagnosis:
    import sqlite3

    try:
        lines = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
    except sqlite3.DatabaseError as error:
        lines = [str(error)]
    if lines == ["ok"]:
        return Diagnosis("catalogue", "ok", "SQLite finds no fault")
    return Diagnosis("catalogue", "problem", "; ".join(lines), _REBUILD)


def _bookkeeping(connection: sqlite3.Connection) -> Diagnosis:
    """Compare the bitmap of live chunks, the documents' spans and the chunks themselves."""
    (length,) = connection.execute("SELECT value FROM meta WHERE key = 'next_chunk'").fetchone()
    row = connection.execute("SELECT length, bits FROM bitmaps WHERE kind = 'live'").fetchone()
    live = np.zeros(length, np.bool_) if row is None else stretched(unpack(row[1], row[0]), length)
    chunks: Bitmap = np.zeros(length, np.bool_)
    chunks[np.array([r[0] for r in connection.execute("SELECT number FROM chunks")], np.int64)] = True
    spans: Bitmap = np.zeros(length, np.bool_)
    for first, count in connection.execute("SELECT first, chunks FROM documents"):
        spans[first : first + count] = True
    wrong = [
        f"{np.count_nonzero(chunks != live):,} chunks differ from the bitmap of live chunks"
        * bool((chunks != live).any()),
        f"{np.count_nonzero(spans != live):,} chunks belong to no document or are absent" * bool((spans != live).any()),
    ]
    found = "; ".join(part for part in wrong if part)
    if found:
        return Diagnosis("bookkeeping", "problem", found, _REBUILD)
    return Diagnosis("bookkeeping", "ok", f"{np.count_nonzero(live):,} live chunks of {length:,} ever given agree")


def _segments(connection: sqlite3.Connection, folder: Path) -> list[Diagnosis]:
    findings: list[Diagnosis] = []
    total = count = 0
    for name, size, checksum, header in connection.execute("SELECT name, bytes, checksum, header FROM segments"):
        path, written = file_of(folder, name), Written(size, checksum, header)
        total, count = total + size, count + 1
        try:
            read_arrays(path, written)
            with open(path, "rb") as file:
                check_sum(path, memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)), written)
        except FileNotFoundError:
            findings.append(_damage(missing(path)))
        except CorruptIndexError as error:
            findings.append(_damage(error))
    found = f"{count:,} array files, {total:,} bytes, every checksum as committed"
    return findings or [Diagnosis("segments", "ok", found)]


def _damage(error: CorruptIndexError) -> Diagnosis:
    return Diagnosis("segments", "problem", f"{error.what}: {error.why}", error.fix)


def _left_over(connection: sqlite3.Connection, folder: Path) -> Diagnosis:
    paths = garbage(folder, {row[0] for row in connection.execute("SELECT name FROM segments")})
    if not paths:
        return Diagnosis("left-over files", "ok", "none")
    size = sum(path.stat().st_size for path in paths)
    found = f"{len(paths):,} files of {size:,} bytes that the catalogue does not name (a writer is at work, or died)"
    return Diagnosis("left-over files", "note", found, "nothing to do: the next isogloss add removes them")
