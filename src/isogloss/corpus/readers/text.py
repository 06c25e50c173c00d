"""Plain text: one document a file."""

from __future__ import annotations

from collections.abc import Iterator

from isogloss.corpus.encodings import read_text
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.source import Source
from isogloss.protocols import Record, Skip

SUFFIXES = (".txt", ".text", ".log")
VERSION = "1"


def read_file(source: Source, options: ReadOptions, report: ReadReport) -> Iterator[Record | Skip]:
    """Yield the file as one record; standard input has the id ``stdin``."""
    yield Record(source.name or "stdin", read_text(source, options, report), reader=f"text/{VERSION}", path=source.name)
