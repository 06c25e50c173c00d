"""Lines of a file or stream in bounded memory: a line beyond the limit is passed over, not loaded."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from isogloss.corpus.encodings import detect_encoding
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.source import Source


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that could not be given: why, in words."""

    reason: str
    detail: str


def read_lines(source: Source, options: ReadOptions, report: ReadReport) -> Iterator[tuple[int, str | BadLine]]:
    r"""Yield ``(line number from 1, line without its end)``, or a ``BadLine`` in the place of one.

    Lines end at ``\n`` or ``\r\n``, never at other separators of Unicode (JSON may hold those). The encoding is
    found from the first 64 KiB; a line that does not fit it is a ``BadLine`` of its own.
    """
    head = source.head()
    encoding = detect_encoding(head, options.encoding)
    if encoding not in ("utf-8", "utf-8-sig", "ascii"):
        report.encodings[encoding] += 1
    blocks: Iterable[bytes] = source.blocks()
    if encoding.startswith(("utf-16", "utf-32")):
        blocks, encoding = _to_utf8(blocks, encoding), "utf-8"
    elif encoding == "utf-8-sig":
        blocks, encoding = _without_mark(blocks), "utf-8"
    if b"\r" in head and b"\n" not in head:
        blocks = (block.replace(b"\r", b"\n") for block in blocks)
    number = 0
    for piece in split_lines(blocks, options.max_bytes):
        if isinstance(piece, int):
            number += 1
            yield number, BadLine("too-long", f"line of {piece:,} bytes, the limit is {options.max_bytes:,}")
            continue
        for line in _decoded(piece, encoding):
            number += 1
            yield number, line


def split_lines(blocks: Iterable[bytes], limit: int) -> Iterator[bytes | int]:
    r"""Yield runs of whole lines (without the last ``\n``), or the length of a line beyond ``limit`` bytes.

    Memory is bounded by the limit plus one block.

    Examples
    --------
    >>> list(split_lines([b"a\nb", b"c\nd"], limit=10))
    [b'a', b'bc', b'd']
    >>> list(split_lines([b"a\n1234", b"56", b"7\nd"], limit=5))
    [b'a', 7, b'd']
    """
    kept: list[bytes] = []
    size = 0
    for block in blocks:
        first = block.find(b"\n")
        if first < 0:
            size += len(block)
            kept = [*kept, block] if size <= limit else []
            continue
        size += first
        if size > limit:
            yield size
        else:
            yield b"".join([*kept, block[:first]]) if kept else block[:first]
        last = block.rfind(b"\n")
        if last > first:
            yield from _middle(block[first + 1 : last], limit)
        tail = block[last + 1 :]
        size, kept = len(tail), [tail] if len(tail) <= limit else []
    if size > limit:
        yield size
    elif size:
        yield b"".join(kept)


def _middle(run: bytes, limit: int) -> Iterator[bytes | int]:
    if len(run) <= limit:
        yield run
        return
    for line in run.split(b"\n"):
        yield line if len(line) <= limit else len(line)


def _decoded(piece: bytes, encoding: str) -> Iterator[str | BadLine]:
    try:
        lines = piece.decode(encoding).split("\n")
    except UnicodeDecodeError:
        for line in piece.split(b"\n"):
            yield _decoded_line(line, encoding)
        return
    for text in lines:
        yield text[:-1] if text.endswith("\r") else text


def _decoded_line(line: bytes, encoding: str) -> str | BadLine:
    try:
        return line.decode(encoding).removesuffix("\r")
    except UnicodeDecodeError as error:
        return BadLine("encoding", f"not {encoding} at byte {error.start:,} of the line (0x{line[error.start]:02x})")


def _to_utf8(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "replace")
    yield decoder.decode(b"", True).encode("utf-8", "replace")


def _without_mark(blocks: Iterable[bytes]) -> Iterator[bytes]:
    for number, block in enumerate(blocks):
        yield block if number else block.removeprefix(codecs.BOM_UTF8)
