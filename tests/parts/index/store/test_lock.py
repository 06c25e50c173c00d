"""One writer at a time, and no lock outlives its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from isogloss.errors import IndexBusyError
from isogloss.index.store.lock import LOCK_NAME, WriterLock

_HOLD = """
import sys, time
from isogloss.index.store.lock import WriterLock
lock = WriterLock(sys.argv[1])
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_the_second_writer_learns_who_holds_it(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLD, tmp_path], stdout=subprocess.PIPE, env=_env()) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(IndexBusyError, match=f"process {child.pid} has been writing to it since 20"):
            WriterLock(tmp_path).acquire()
        os.kill(child.pid, signal.SIGKILL)
    lock = WriterLock(tmp_path)
    lock.acquire()
    assert str(os.getpid()) in (tmp_path / LOCK_NAME).read_text()
    lock.release()
    assert (tmp_path / LOCK_NAME).read_text() == ""


def test_waiting_for_it(tmp_path: Path) -> None:
    first, second = WriterLock(tmp_path), WriterLock(tmp_path)
    first.acquire()
    started = time.monotonic()
    with pytest.raises(IndexBusyError):
        second.acquire(wait=0.15)
    assert time.monotonic() - started >= 0.15
    threading.Timer(0.1, first.release).start()
    second.acquire(wait=10)
    second.release()
    second.release()  # twice does no harm


def test_an_unreadable_owner_is_still_a_busy_index(tmp_path: Path) -> None:
    first = WriterLock(tmp_path)
    first.acquire()
    (tmp_path / LOCK_NAME).write_text("?")
    with pytest.raises(IndexBusyError, match="another process"):
        WriterLock(tmp_path).acquire()
    first.release()


def _env() -> dict[str, str]:
    import isogloss

    return {**os.environ, "PYTHONPATH": str(Path(next(iter(isogloss.__path__))).parent)}
