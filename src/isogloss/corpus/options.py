"""What a reading run is told, and what it tells afterwards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

MAX_BYTES = 50_000_000
"""Largest text of one document, in bytes; a longer one is skipped and listed."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How documents are read.

    Attributes
    ----------
    text
        Columns of table rows that make the text, joined by a blank line; empty: chosen from the rows.
    title
        Column of the title; empty: chosen.
    id
        Column of the id; empty: chosen, else the row's content hash.
    include
        Globs on paths relative to the root; only matching files are read, and files of unknown format as plain text.
    exclude
        Globs on paths relative to the root; matching files and folders are left out.
    encoding
        Encoding of text files; empty: byte order mark, UTF-8, else detected.
    format
        Reader of a single file or standard input (``jsonl``, ``csv``, ``text`` ...); empty: by name, else sniffed.
    hidden
        Read files and folders whose name starts with a dot too.
    max_bytes
        Largest document in bytes; longer ones become a ``too-long`` skip.
    """

    text: tuple[str, ...] = ()
    title: str = ""
    id: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    encoding: str = ""
    format: str = ""
    hidden: bool = False
    max_bytes: int = MAX_BYTES


@dataclass(slots=True)
class ReadReport:
    """What a run read; pass one as ``report=`` and it is added to.

    Attributes
    ----------
    files
        Files opened.
    records
        Records yielded.
    characters
        Characters of text yielded.
    skipped
        Skips by reason.
    formats
        Records by reader.
    encodings
        Text files by encoding, UTF-8 and ASCII apart.
    left_out
        Hidden files, noise folders and excluded paths that were not looked at.
    choices
        Names of the tables by which columns were taken as text, title and id.
    """

    files: int = 0
    records: int = 0
    characters: int = 0
    left_out: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    encodings: Counter[str] = field(default_factory=Counter)
    choices: dict[str, list[str]] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """Return what the user should know, one sentence each.

        Examples
        --------
        >>> report = ReadReport()
        >>> report.encodings["cp1252"] += 2
        >>> report.notes()
        ['2 files read as cp1252']
        """
        lines = [f"{_tables(names)}: {choice}" for choice, names in self.choices.items()]
        lines += [f"{count:,} {_files(count)} read as {name}" for name, count in self.encodings.items()]
        if self.left_out:
            lines.append(f"{self.left_out:,} hidden, generated or excluded files and folders left out")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as plain data."""
        return {
            "files": self.files,
            "records": self.records,
            "characters": self.characters,
            "left_out": self.left_out,
            "skipped": dict(self.skipped),
            "formats": dict(self.formats),
            "encodings": dict(self.encodings),
            "notes": self.notes(),
        }


def _files(count: int) -> str:
    return "file" if count == 1 else "files"


def _tables(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more"
