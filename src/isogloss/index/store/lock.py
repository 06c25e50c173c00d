"""One writer at a time: an flock on ``writer.lock``, which also says who holds it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from isogloss.errors import IndexBusyError

LOCK_NAME = "writer.lock"


class WriterLock:
    """The right to write to an index folder; freed by ``release`` or by the end of the process, however it ends.

    Parameters
    ----------
    folder
        The index folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self._path = Path(folder) / LOCK_NAME
        self._handle: int | None = None

    def acquire(self, wait: float = 0.0) -> None:
        """Take the lock, waiting at most ``wait`` seconds.

        Raises
        ------
        IndexBusyError
            When another writer holds it; the message names its process.
        """
        import fcntl

        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        deadline = time.monotonic() + wait
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise self._busy(handle) from None
                    time.sleep(0.05)
            os.ftruncate(handle, 0)
            owner = {"pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
            os.pwrite(handle, json.dumps(owner).encode(), 0)
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle

    def release(self) -> None:
        """Give the lock back; the file stays, empty."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            try:
                os.ftruncate(handle, 0)
            finally:
                os.close(handle)

    def _busy(self, handle: int) -> IndexBusyError:
        try:
            owner = json.loads(os.pread(handle, 4096, 0))
            who = f"process {owner['pid']} has been writing to it since {owner['since']}"
        except (ValueError, KeyError, TypeError):
            who = "another process holds its writer.lock"
        return IndexBusyError(
            f"the index {self._path.parent} is busy",
            who,
            "wait until it has finished, then run the command again; searching works meanwhile",
        )
