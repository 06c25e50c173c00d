"""Digests of large files, remembered in the user's cache folder so that a model opens without being read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from isogloss.compiled import cache_folder


def remembered(kind: str, files: Sequence[Path], compute: Callable[[], str]) -> str:
    """Return ``compute()``, or what it gave before for the same files.

    Files count as the same where path, size, inode and both time stamps are. The memory is a cache only: it may be
    deleted at any time, and where it cannot be written the value is computed anew.

    Parameters
    ----------
    kind
        What is computed; part of the key.
    files
        The files that the value depends on.
    compute
        Computes the value from the files' content.
    """
    stats = [(os.path.realpath(path), os.stat(path)) for path in files]
    state = [[path, s.st_size, s.st_ino, s.st_mtime_ns, s.st_ctime_ns] for path, s in stats]
    key = hashlib.sha256(json.dumps([kind, state]).encode()).hexdigest()
    entry = cache_folder() / "digests" / key
    with contextlib.suppress(OSError, UnicodeError):
        text = entry.read_text("ascii")
        if len(text) == 64:
            return text
    value = compute()
    with contextlib.suppress(OSError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        partial = entry.with_name(f"{key}.{os.getpid()}")
        partial.write_text(value, "ascii")
        partial.replace(entry)
    return value
