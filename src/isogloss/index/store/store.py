"""The index on disk, opened for reading or for writing."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from isogloss.errors import CorruptIndexError, StoredIndexError
from isogloss.index.store.catalogue import (
    CATALOGUE,
    SEGMENTS,
    create_catalogue,
    exists,
    not_found,
    open_reader,
    open_writer,
    translated,
)
from isogloss.index.store.lock import LOCK_NAME, WriterLock
from isogloss.index.store.segments import garbage, missing
from isogloss.protocols import Diagnosis

if TYPE_CHECKING:
    import sqlite3

    from isogloss.index.store.snapshot import Snapshot
    from isogloss.index.store.transaction import Transaction

_ATTEMPTS = 20
_SPARE = 1 << 20


class Store:
    """An index folder: ``catalogue.sqlite`` as the only source of truth, immutable array files in ``segments``.

    Made by ``Store.create`` or ``Store.open``; a context manager. Many processes may read while one writes.

    Attributes
    ----------
    path
        The index folder.
    snapshot
        The generation that was the newest at open, at the last ``refresh`` or at the own last commit.
    writable
        Whether this store holds the writer lock.
    repaired
        Messages about damaged segments that ``open(repair=True)`` dropped.

    Examples
    --------
    >>> import tempfile
    >>> from isogloss.index.store.rows import NewChunk, NewDocument
    >>> with Store.create(Path(tempfile.mkdtemp()) / "index", {"budget": 240}) as store:
    ...     with store.transaction() as t:
    ...         root = t.put_root("docs")
    ...         numbers = t.upsert([NewDocument("a.md", root, b"state", [NewChunk(0, "Hello.", 17)])])
    ...     (chunk,) = store.snapshot.chunks(numbers)
    ...     chunk.text, store.snapshot.generation
    ('Hello.', 1)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writable = False
        self.repaired: list[str] = []
        self._exit = ExitStack()
        self._writer: sqlite3.Connection | None = None
        self._snapshot: Snapshot | None = None

    @staticmethod
    def exists(path: str | Path) -> bool:
        """Say whether a folder holds an index (which may be damaged, or of another format)."""
        return exists(path)

    @classmethod
    def create(cls, path: str | Path, settings: Mapping[str, Any], *, wait: float = 0.0) -> Self:
        """Make an empty index and open it for writing.

        Parameters
        ----------
        path
            A folder that does not exist, is empty, or holds what a crashed creation left.
        settings
            JSON-able; fixed things such as the chunk budget.
        wait
            Seconds to wait for another writer.

        Raises
        ------
        StoredIndexError
            When there is an index already, the folder holds other things, or it cannot be written.
        """
        folder = Path(path)
        store = cls(folder)
        with translated(folder), store._undone():
            folder.mkdir(parents=True, exist_ok=True)
            foreign = _foreign(folder)
            if foreign and not exists(folder):
                raise StoredIndexError(
                    f"no index is made in {folder}",
                    f"the folder holds other things, such as {foreign}",
                    "name a new or empty folder by --index",
                )
            store._lock(wait)
            if exists(folder):
                raise StoredIndexError(
                    f"there is an index at {folder} already", "", "open it, or delete the folder first"
                )
            (folder / SEGMENTS).mkdir(exist_ok=True)
            (folder / ".gitignore").write_text("*\n")
            create_catalogue(folder, json.dumps(dict(settings)))
            store._open_for_writing(repair=False)
        return store

    @classmethod
    def open(cls, path: str | Path, *, write: bool = False, wait: float = 0.0, repair: bool = False) -> Self:
        """Open an index.

        Parameters
        ----------
        path
            The index folder; one that cannot be written can be read all the same.
        write
            Take the writer lock and remove what a writer that died left behind.
        wait
            Seconds to wait for another writer.
        repair
            With ``write``: drop damaged segments, so that their chunks wait for their encoder again.

        Raises
        ------
        IndexNotFoundError
            When there is no index.
        IndexBusyError
            When another process is writing, and ``write`` is set.
        CorruptIndexError
            When a file is damaged: lengths and headers are always compared, all checksums in indexes up to 32 MiB.
        IncompatibleIndexError
            When a newer version wrote it.
        """
        folder = Path(path)
        store = cls(folder)
        with translated(folder), store._undone():
            if not exists(folder):
                raise not_found(folder)
            if write:
                store._lock(wait)
                store._open_for_writing(repair=repair)
            else:
                store._read()
        return store

    @property
    def snapshot(self) -> Snapshot:
        """Return the current snapshot; hold on to one for the length of a search."""
        if self._snapshot is None:
            raise StoredIndexError(f"the index {self.path} is closed", "", "open it again")
        return self._snapshot

    def refresh(self) -> bool:
        """Take the newest generation; return whether there was a newer one. Older snapshots stay usable."""
        before = self.snapshot
        if self.writable:
            return False
        with translated(self.path):
            self._read()
        return self.snapshot.generation != before.generation

    def close(self) -> None:
        """Close connections and give the writer lock back; snapshots of a reader live on until they are garbage."""
        self._snapshot = None
        self._writer = None
        self.writable = False
        self._exit.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Change the index: all of it becomes visible at the end of the block, or nothing after an exception.

        Raises
        ------
        StoredIndexError
            When the store is not open for writing, or the disk fails; the last commit is intact then.
        """
        from isogloss.index.store.transaction import Transaction

        connection = self._writer
        if connection is None:
            raise StoredIndexError(f"the index {self.path} is open for reading only", "", "open it with write=True")
        if connection.in_transaction:
            raise RuntimeError("transactions cannot be nested")
        with translated(self.path):
            connection.execute("BEGIN IMMEDIATE")
        current = Transaction(connection, self.snapshot)
        try:
            yield current  # errors of the caller's own code pass as they are
            current.finish()
        except BaseException:
            _roll_back(connection)
            _unlink(current.written)
            raise
        with translated(self.path):
            try:
                connection.execute("COMMIT")
            except BaseException:
                # the commit may have reached the disk: its files are left for the next writer to judge
                _roll_back(connection)
                raise
            self._snapshot = self._load(connection)
        _unlink(current.obsolete)

    def verify(self) -> list[Diagnosis]:
        """Check everything: SQLite's own check, every checksum, rows against bitmaps. Reads the whole index."""
        from isogloss.index.store.verify import verify

        with translated(self.path):
            return verify(self.path)

    def compact_catalogue(self, *, share: float = 0.25) -> tuple[int, int]:
        """Rewrite the catalogue where at least ``share`` of it (and 1 MiB) is room that deleted rows left.

        Counted are free pages, and chunks deleted since the last time: those leave pages that are partly free.

        Returns
        -------
        tuple
            Its bytes before and after; equal when there was nothing to gain.
        """
        connection = self._writer
        if connection is None:
            raise StoredIndexError(f"the index {self.path} is open for reading only", "", "open it with write=True")
        with translated(self.path):
            size, pages, free = (
                int(connection.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_size", "page_count", "freelist_count")
            )
            before = size * pages
            (churn,) = connection.execute("SELECT value FROM meta WHERE key = 'churn'").fetchone()
            gone = max(free / pages, churn / (churn + max(1, int(self.snapshot.live.sum()))))
            if gone < share or gone * before < _SPARE:
                return before, before
            connection.execute("VACUUM")
            connection.execute("UPDATE meta SET value = 0 WHERE key = 'churn'")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return before, size * int(connection.execute("PRAGMA page_count").fetchone()[0])

    # how it is opened

    @contextmanager
    def _undone(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _lock(self, wait: float) -> None:
        lock = WriterLock(self.path)
        lock.acquire(wait)
        self._exit.callback(lock.release)

    def _open_for_writing(self, *, repair: bool) -> None:
        connection = open_writer(self.path)
        self._exit.callback(connection.close)
        broken: list[CorruptIndexError] = []
        try:
            self._snapshot = self._load(connection, broken if repair else None)
        except FileNotFoundError as error:
            raise missing(Path(str(error.filename))) from error
        self._writer, self.writable = connection, True
        named = {row[0] for row in connection.execute("SELECT name FROM segments")}
        _unlink(garbage(self.path, named))
        if broken:
            kept = {segment.name for segment in self.snapshot.segments()}
            with self.transaction() as t:
                t.drop_segments(sorted(named - kept))
            self.repaired = [f"{error.what}: {error.why}" for error in broken]

    def _read(self) -> None:
        """Open a connection of its own for a new snapshot; it is closed when the snapshot is garbage."""
        last = -1
        for _ in range(_ATTEMPTS):
            connection, private = open_reader(self.path)
            generation = -1
            try:
                (generation,) = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
                if self._snapshot is not None and self._snapshot.generation == generation:
                    _discard(connection, private)
                    return
                snapshot = self._load(connection)
            except FileNotFoundError as error:
                _discard(connection, private)
                if generation == last:  # nothing was committed since: the file is gone for good
                    raise missing(Path(str(error.filename))) from error
                last = generation
                continue
            except BaseException:
                _discard(connection, private)
                raise
            weakref.finalize(snapshot, _discard, connection, private)
            self._snapshot = snapshot
            return
        raise StoredIndexError(f"the index {self.path} changes too fast to be read", "", "try again in a moment")

    def _load(self, connection: sqlite3.Connection, broken: list[CorruptIndexError] | None = None) -> Snapshot:
        from isogloss.index.store.snapshot import Snapshot

        opened = {} if self._snapshot is None else {segment.name: segment for segment in self._snapshot.segments()}
        return Snapshot(connection, self.path, opened=opened, broken=broken)


def _foreign(folder: Path) -> str:
    """Return the name of something in a folder that no index has, or an empty string."""
    ours = {LOCK_NAME, SEGMENTS, ".gitignore"}
    return next(
        (p.name for p in sorted(folder.iterdir()) if p.name not in ours and not p.name.startswith(CATALOGUE)), ""
    )


def _discard(connection: sqlite3.Connection, private: Path | None) -> None:
    connection.close()
    if private is not None:
        import shutil

        shutil.rmtree(private, ignore_errors=True)


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite rolls some failures back by itself
        connection.execute("ROLLBACK")


def _unlink(paths: list[Path]) -> None:
    for path in paths:
        with suppress(OSError):  # what stays is garbage that the next writer removes
            path.unlink()
