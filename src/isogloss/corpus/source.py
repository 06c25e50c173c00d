"""One file or stream of bytes, compressed or not, read in bounded memory."""

from __future__ import annotations

import functools
import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

BLOCK = 1 << 20


class SkipFileError(Exception):
    """Ends the reading of one file; it becomes a listed ``Skip`` and never leaves ``corpus``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@dataclass(slots=True)
class Source:
    """Where the bytes of one file come from.

    Attributes
    ----------
    name
        Path relative to the root with ``/``; empty for standard input.
    path
        The file, or None for a stream.
    stream
        The open stream, or None for a file.
    """

    name: str
    path: Path | None = None
    stream: BinaryIO | None = None
    _head: bytes | None = None

    @property
    def label(self) -> str:
        """Return the name to show in a skip."""
        return self.name or "standard input"

    def open(self) -> BinaryIO:
        """Open the file for reading, decompressed where its name ends in ``.gz``."""
        if self.path is None:
            raise SkipFileError("unreadable", "a stream cannot be opened again")
        if self.path.name.lower().endswith(".gz"):
            return cast("BinaryIO", gzip.open(self.path, "rb"))
        return self.path.open("rb")

    def head(self, size: int = 65_536) -> bytes:
        """Return the first bytes without using them up."""
        if self._head is None:
            if self.stream is not None:
                self._head = _fill(self.stream, size)
            else:
                with self.open() as file:
                    self._head = guarded(lambda: file.read(size))
        return self._head

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """Yield the bytes block by block; a stream can be read once.

        Raises
        ------
        SkipFileError
            ``broken`` for a damaged or cut gzip file, ``unreadable`` for an input error.
        """
        if self.stream is not None:
            if self._head:
                yield self._head
            # one system call a block: Ctrl-C is heard between two, not only at the end of a long read
            once: Callable[[int], bytes] = getattr(self.stream, "read1", self.stream.read)
            while block := guarded(functools.partial(once, size)):
                yield block
            return
        with self.open() as file:
            # of a cut gzip file, read1 gives what comes before the cut
            read: Callable[[int], bytes] = getattr(file, "read1", file.read)
            while block := guarded(functools.partial(read, size)):
                yield block

    def data(self, limit: int) -> bytes:
        """Return all bytes.

        Raises
        ------
        SkipFileError
            ``empty`` for no bytes, ``too-long`` for more than ``limit`` bytes.
        """
        if self.path is not None and not self.path.name.lower().endswith(".gz"):
            size = self.path.stat().st_size
            if size > limit:
                raise SkipFileError("too-long", f"{size:,} bytes, the limit is {limit:,}")
        parts, total = [], 0
        for block in self.blocks():
            total += len(block)
            if total > limit:
                raise SkipFileError("too-long", f"more than {limit:,} bytes")
            parts.append(block)
        if not total:
            raise SkipFileError("empty", "0 bytes")
        return b"".join(parts)


def guarded(read: Callable[[], bytes]) -> bytes:
    """Call ``read`` and turn what can go wrong with bytes into a skip."""
    try:
        return read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SkipFileError("broken", f"gzip: {error}") from None
    except OSError as error:
        raise SkipFileError("unreadable", error.strerror or str(error)) from None


def _fill(stream: BinaryIO, size: int) -> bytes:
    parts, total = [], 0
    while total < size:
        wanted = size - total
        block = guarded(functools.partial(stream.read, wanted))
        if not block:
            break
        parts.append(block)
        total += len(block)
    return b"".join(parts)
