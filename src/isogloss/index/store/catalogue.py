"""The SQLite catalogue: schema, connections for writers and for readers of any folder, errors in our words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isogloss.errors import (
    CorruptIndexError,
    IncompatibleIndexError,
    IndexBusyError,
    IndexNotFoundError,
    StoredIndexError,
)
from isogloss.index.store.arrayfile import sync_file, sync_folder

if TYPE_CHECKING:
    import sqlite3

FORMAT = 1
"""Format of the folder that this version writes; older ones load, newer ones are refused."""
CATALOGUE = "catalogue.sqlite"
SEGMENTS = "segments"
APPLICATION = 0x6973676C
_BATCH = 500
_SCHEMA = f"""
PRAGMA application_id = {APPLICATION};
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE roots (id INTEGER PRIMARY KEY, path TEXT NOT NULL, prefix TEXT NOT NULL, UNIQUE (path, prefix));
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, root INTEGER NOT NULL, path TEXT NOT NULL, title TEXT NOT NULL,
    language TEXT NOT NULL, language_p REAL NOT NULL, state BLOB NOT NULL, metadata TEXT NOT NULL,
    content_hash INTEGER NOT NULL, sketch BLOB, near INTEGER, first INTEGER NOT NULL, chunks INTEGER NOT NULL,
    characters INTEGER NOT NULL, tokens INTEGER NOT NULL
);
CREATE INDEX documents_root ON documents (root);
CREATE INDEX documents_content ON documents (content_hash);
CREATE INDEX documents_near ON documents (near) WHERE near IS NOT NULL;
CREATE TABLE chunks (
    number INTEGER PRIMARY KEY, document INTEGER NOT NULL, ordinal INTEGER NOT NULL, start INTEGER NOT NULL,
    heading TEXT NOT NULL, prefix TEXT NOT NULL, text TEXT NOT NULL, hash INTEGER NOT NULL
);
CREATE INDEX chunks_hash ON chunks (hash);
CREATE TABLE dead (number INTEGER PRIMARY KEY, hash INTEGER NOT NULL);
CREATE INDEX dead_hash ON dead (hash);
CREATE TABLE fields (
    name TEXT NOT NULL, kind TEXT NOT NULL, documents INTEGER NOT NULL, PRIMARY KEY (name, kind)
) WITHOUT ROWID;
CREATE TABLE encoders (
    name TEXT PRIMARY KEY, position INTEGER NOT NULL, kind TEXT NOT NULL, identity TEXT NOT NULL,
    similarity TEXT NOT NULL, dimensions INTEGER NOT NULL, spec TEXT NOT NULL, probes BLOB NOT NULL
);
CREATE TABLE segments (
    name TEXT PRIMARY KEY, encoder TEXT NOT NULL, level INTEGER NOT NULL, rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL, checksum INTEGER NOT NULL, header INTEGER NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, numbers BLOB NOT NULL
);
CREATE TABLE bitmaps (kind TEXT PRIMARY KEY, length INTEGER NOT NULL, bits BLOB NOT NULL);
CREATE TABLE skips (root INTEGER NOT NULL, id TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX skips_root ON skips (root);
"""


def exists(folder: str | Path) -> bool:
    """Say whether a folder holds an index (it may still be damaged, or of another format)."""
    return (Path(folder) / CATALOGUE).is_file()


def create_catalogue(folder: Path, settings: str) -> None:
    """Write an empty catalogue beside its place and rename it, so that a crash leaves none rather than half of one."""
    import sqlite3

    draft = folder / f"{CATALOGUE}.new"
    for leftover in folder.glob(f"{CATALOGUE}.new*"):
        leftover.unlink()
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(f"BEGIN; {_SCHEMA}")
        meta = {"format": FORMAT, "generation": 0, "settings": settings}
        meta |= {"next_root": 0, "next_document": 0, "next_chunk": 0, "next_segment": 0, "churn": 0}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        connection.execute("COMMIT")
    finally:
        connection.close()
    with open(draft, "rb+") as file:
        sync_file(file)
    draft.rename(folder / CATALOGUE)
    sync_folder(folder)
    with suppress(OSError):
        sync_folder(folder.absolute().parent)


def open_writer(folder: Path) -> sqlite3.Connection:
    """Open the catalogue for the process that holds the writer lock."""
    import sqlite3

    connection = sqlite3.connect(folder / CATALOGUE, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        # fullfsync matters on macOS only, where a plain fsync leaves the bytes in the drive's cache
        for pragma in ("synchronous = FULL", "fullfsync = 1", "checkpoint_fullfsync = 1", "cache_size = -65536"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA journal_mode = WAL")
        check_format(connection, folder)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(folder: Path) -> tuple[sqlite3.Connection, Path | None]:
    """Open the catalogue for reading, inside a read transaction that pins the newest commit.

    Where SQLite cannot share the folder with writers (it needs to write its ``-shm`` file there), the catalogue is
    opened immutable; where a write-ahead log holds commits that this would ignore, catalogue and log are copied.

    Returns
    -------
    tuple
        The connection, and the private folder of the copy, to be removed after the connection is closed (else None).
    """
    import shutil
    import sqlite3
    import tempfile

    if not exists(folder):
        raise not_found(folder)
    path = folder / CATALOGUE
    try:
        return _pinned(f"{path.absolute().as_uri()}?mode=ro", folder), None
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
    log = path.with_name(f"{CATALOGUE}-wal")
    if not log.exists() or log.stat().st_size == 0:
        return _pinned(f"{path.absolute().as_uri()}?mode=ro&immutable=1", folder), None
    private = Path(tempfile.mkdtemp(prefix="isogloss-"))
    try:
        before = None
        while before != (before := [(file.stat().st_size, file.stat().st_mtime_ns) for file in (path, log)]):
            for file in (path, log):  # again, should a writer have come in between
                shutil.copyfile(file, private / file.name)
        return _pinned((private / CATALOGUE).as_uri(), folder), private
    except BaseException:
        shutil.rmtree(private, ignore_errors=True)
        raise


def _pinned(uri: str, folder: Path) -> sqlite3.Connection:
    import sqlite3

    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        connection.execute("PRAGMA query_only = 1")
        connection.execute("BEGIN")
        check_format(connection, folder)
    except BaseException:
        connection.close()
        raise
    return connection


def check_format(connection: sqlite3.Connection, folder: Path) -> None:
    """Raise where the catalogue is not ours, or newer than this version."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION:
        raise damaged(folder, "it is not a catalogue of Isogloss")
    (version,) = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    if version > FORMAT:
        raise IncompatibleIndexError(
            f"the index {folder} was written by a newer version of Isogloss",
            f"its format is {version}, this version knows formats up to {FORMAT}",
            "run: pip install --upgrade isogloss",
        )


def not_found(folder: Path) -> IndexNotFoundError:
    """Make the error for a folder without an index."""
    why = "the folder has no catalogue.sqlite" if folder.is_dir() else "there is no such folder"
    return IndexNotFoundError(f"there is no index at {folder}", why, "run: isogloss add FOLDER, or name one by --index")


def damaged(folder: Path, why: str) -> CorruptIndexError:
    """Make the error for a damaged catalogue."""
    return CorruptIndexError(
        f"the catalogue {folder / CATALOGUE} is damaged",
        why,
        "restore the index folder from a backup, or delete it and run isogloss add again: your documents are untouched",
    )


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into ours, with a cause and a fix."""
    import sqlite3

    try:
        yield
    except sqlite3.Error as error:
        raise _sqlite_error(error, folder) from error
    except OSError as error:
        raise _os_error(error, folder) from error


def _sqlite_error(error: sqlite3.Error, folder: Path) -> StoredIndexError:
    import sqlite3

    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return _full(folder, str(error))
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(folder, str(error))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return IndexBusyError(f"the index {folder} is busy", str(error), "wait a moment and run the command again")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return _unwritable(folder, str(error))
    if code == sqlite3.SQLITE_IOERR:
        return StoredIndexError(
            f"reading or writing the index {folder} failed",
            f"SQLite says: {error} ({error.sqlite_errorname}); the last commit is intact",
            "check the disk's free space and health, then run the command again",
        )
    if isinstance(error, sqlite3.DatabaseError) and "no such" in str(error):
        return damaged(folder, str(error))
    return StoredIndexError(
        f"the catalogue of the index {folder} failed", f"SQLite says: {error}", "please report this"
    )


def _os_error(error: OSError, folder: Path) -> StoredIndexError:
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _full(folder, reason)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return _unwritable(folder, f"{reason}: {error.filename or folder}")
    return StoredIndexError(
        f"reading or writing the index {folder} failed",
        f"{reason}: {error.filename or folder}; the last commit is intact",
        "check that the folder exists and that its disk works, then run the command again",
    )


def _full(folder: Path, reason: str) -> StoredIndexError:
    import shutil

    with suppress(OSError):
        reason = f"{reason}; {shutil.disk_usage(folder).free / 2**20:,.0f} MiB are free; the last commit is intact"
    return StoredIndexError(
        f"the disk has no room for the index {folder}", reason, "free some space, then run the command again"
    )


def _unwritable(folder: Path, reason: str) -> StoredIndexError:
    return StoredIndexError(
        f"the index {folder} cannot be written",
        reason,
        f"make the folder writable for user {os.getuid()}, or choose another one by --index; searching it still works",
    )


def batches(values: Iterable[Any], size: int = _BATCH) -> Iterator[list[Any]]:
    """Cut an iterable into lists of at most ``size``."""
    batch: list[Any] = []
    for value in values:
        batch.append(value)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def select_in(connection: sqlite3.Connection, sql: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Run ``sql`` with ``{}`` replaced by placeholders for some hundred values at a time; return all rows."""
    found: list[tuple[Any, ...]] = []
    for batch in batches(values):
        found += connection.execute(sql.format(", ".join("?" * len(batch))), batch)
    return found
