"""Reading: a folder, a file or standard input as a stream of records and skips."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from isogloss.corpus.fields import ID_NAMES, TEXT_NAMES, TITLE_NAMES, UnknownColumnError
from isogloss.corpus.formats import Format, format_of, formats, named_format
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.seen import SeenIds
from isogloss.corpus.source import SkipFileError, Source
from isogloss.corpus.walk import EmptyRootError, MissingRootError, walk
from isogloss.errors import CorpusError, UsageError
from isogloss.protocols import Record, Skip

_KNOWN = frozenset((*TEXT_NAMES, *TITLE_NAMES, *ID_NAMES))


def read(
    source: str | Path,
    *,
    options: ReadOptions | None = None,
    report: ReadReport | None = None,
    stream: BinaryIO | None = None,
) -> Iterator[Record | Skip]:
    r"""Read a folder, a file or standard input as a stream of documents, in bounded memory.

    A folder is read recursively in the order of its relative paths; a document's id is its path relative to the
    folder, ``path#key`` for rows of a table (the id column's value, else the row's content hash), and the given id
    for a BEIR corpus (``corpus.jsonl``) and for rows from standard input. Whatever cannot be read is a ``Skip``
    with a reason, near its place in the stream; nothing but a wrong source or a wrong option raises.

    Parameters
    ----------
    source
        Folder or file; ``-`` for standard input.
    options
        Columns, globs, encoding, format, limits.
    report
        Counts and notes of the run (columns chosen, encodings found, what was left out) are added to it.
    stream
        Read from this open binary stream instead of standard input, with ``source="-"``.

    Yields
    ------
    Record or Skip
        Documents with non-empty text and distinct ids, and skips.

    Raises
    ------
    MissingRootError
        The source is not there.
    EmptyRootError
        The folder holds nothing to read, or the input is empty.
    CorpusError
        The source cannot be opened.
    UsageError
        A named column is in no table, or the named format is not known.

    Examples
    --------
    >>> import io
    >>> lines = io.BytesIO(b'{"id": "a", "text": "one"}\n{"id": "a", "text": "two"}\nnot json\n')
    >>> for item in read("-", stream=lines):
    ...     print(type(item).__name__, item.id, getattr(item, "reason", ""))
    Skip standard input:3 bad-json
    Record a
    Skip a duplicate-id
    """
    run = _Run(options or ReadOptions(), ReadReport() if report is None else report)
    if run.options.format and named_format(run.options.format) is None:
        raise UsageError(
            f"there is no format {run.options.format!r}",
            f"the formats are {', '.join(formats())}",
            "name one of these, or none to find it out",
        )
    if str(source) == "-":
        return run.checked(run.stream(stream if stream is not None else sys.stdin.buffer))
    return run.checked(run.root(Path(source)))


@dataclass(slots=True)
class _Run:
    """One run of reading: its options, its report, the ids given out."""

    options: ReadOptions
    report: ReadReport
    seen: SeenIds = field(default_factory=SeenIds)
    names: list[str] = field(default_factory=list)
    number: int = 0
    unknown: UnknownColumnError | None = None
    tables: int = 0

    def root(self, path: Path) -> Iterator[Record | Skip]:
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            parent = next((str(folder) for folder in path.absolute().parents if folder.exists()), "/")
            raise MissingRootError(
                f"{path} is not there",
                f"the path exists up to {parent}",
                "check the path, or mount the drive that it is on",
            ) from None
        except OSError as error:
            raise _unreadable(path, error) from None
        if stat.S_ISDIR(mode):
            return self.folder(path)
        if not os.access(path, os.R_OK):
            raise _unreadable(path, PermissionError(13, "permission denied"))
        if not stat.S_ISREG(mode):
            return self.stream(path.open("rb"))
        return self.single(path)

    def folder(self, root: Path) -> Iterator[Record | Skip]:
        try:
            os.scandir(root).close()
        except OSError as error:
            raise _unreadable(root, error) from None
        found = walk(root, self.options, self.report)
        first = next(found, None)
        if first is None:
            raise EmptyRootError(
                f"there is nothing to read in {root}",
                f"{self.report.left_out:,} hidden, generated or excluded entries were left out, and that is all",
                "check the path; if it is a mount point, mount the drive",
            )
        return self._files(chain([first], found))

    def _files(self, found: Iterator[tuple[str, Path] | Skip]) -> Iterator[Record | Skip]:
        for item in found:
            if isinstance(item, Skip):
                yield item
                continue
            name, path = item
            form = format_of(name) or (formats()["text"] if self.options.include else None)
            if form is None:
                yield Skip(name, "unknown-format", f"no reader for {path.suffix or 'this name'}")
                continue
            try:
                yield from self.file(Source(name, path), form)
            except UnknownColumnError as error:
                self.unknown = error
                yield Skip(name, "unknown-column", f"{error.what}; {error.why}")
        if self.unknown is not None and not self.tables:
            raise self.unknown

    def single(self, path: Path) -> Iterator[Record | Skip]:
        form = named_format(self.options.format) if self.options.format else format_of(path.name)
        if form is None:
            raise CorpusError(
                f"{path} has no known format",
                f"its name ends in {path.suffix!r}; the formats are {', '.join(formats())}",
                "name the format, for instance with --format text",
            )
        return self.file(Source(path.name, path), form)

    def stream(self, stream: BinaryIO) -> Iterator[Record | Skip]:
        source = Source("", stream=stream)
        try:
            head = source.head()
            if not head:
                raise EmptyRootError(
                    "standard input is empty", "it ended before the first byte", "pipe documents into it"
                )
            form = named_format(self.options.format) or sniff(head, self.options)
        except SkipFileError as error:
            raise CorpusError("standard input cannot be read", f"{error.reason}: {error.detail}") from None
        return self.file(source, form)

    def file(self, source: Source, form: Format) -> Iterator[Record | Skip]:
        """Yield what one file holds; whatever goes wrong inside ends this file only."""
        self.report.files += 1
        self.names.append(source.label)
        self.number = 0
        try:
            for item in form.read(source, self.options, self.report):
                self.number += 1
                yield item
            if not self.number:
                yield Skip(source.label, "empty", "it holds no document")
        except SkipFileError as error:
            yield Skip(source.label, error.reason, error.detail)
        except OSError as error:
            yield Skip(source.label, "unreadable", error.strerror or str(error))
        except (CorpusError, UsageError):
            raise
        except Exception as error:  # whatever a file leads a library to, the files after it are read
            yield Skip(source.label, "broken", f"{form.name} reader: {type(error).__name__}: {error}")
        else:
            self.tables += form.name in _TABLES

    def checked(self, items: Iterator[Record | Skip]) -> Iterator[Record | Skip]:
        """Count, and turn a second document of the same id into a skip."""
        report = self.report
        for item in items:
            if isinstance(item, Skip):
                report.skipped[item.reason] += 1
                yield item
                continue
            place = (len(self.names) - 1 << 40) | self.number
            before = self.seen.add(item.id, place)
            if before >= 0:
                report.skipped["duplicate-id"] += 1
                yield Skip(item.id, "duplicate-id", f"{self._place(place)} has the id of {self._place(before)}")
                continue
            report.records += 1
            report.characters += len(item.text)
            report.formats[item.reader] += 1
            yield item

    def _place(self, place: int) -> str:
        return f"{self.names[place >> 40]} item {place & (1 << 40) - 1:,}"


_TABLES = frozenset({"delimited", "jsonl", "json_values", "parquet"})


def _unreadable(path: Path, error: OSError) -> CorpusError:
    return CorpusError(f"{path} cannot be read", error.strerror or str(error), "check its permissions")


def sniff(head: bytes, options: ReadOptions) -> Format:
    r"""Tell the format of a stream from its first bytes: JSON Lines, JSON, CSV or TSV, HTML, PDF, Parquet, else text.

    Commas alone do not make a table: the first line must name a known column or be cut by tabs.

    Examples
    --------
    >>> [sniff(head, ReadOptions()).name for head in (b'{"a": 1}', b"id,text\n1,x\n", b"Dear all, hello\n")]
    ['jsonl', 'delimited', 'text']
    """
    from isogloss.corpus.encodings import detect_encoding

    for magic, name in ((b"%PDF-", "pdf"), (b"PAR1", "parquet"), (b"PK\x03\x04", "docx")):
        if head.startswith(magic):
            return formats()[name]
    text = head.decode(detect_encoding(head, options.encoding), errors="replace").lstrip("\ufeff").lstrip()
    if text[:1] in "{[" and text[:1]:
        return formats()[_json_kind(text)]
    if text[:15].lower().startswith(("<!doctype html", "<html")):
        return formats()["html"]
    return formats()["delimited" if _is_table(text) else "text"]


def _json_kind(text: str) -> str:
    import json

    line = text.split("\n", 1)[0]
    if text[0] == "{":
        try:
            json.loads(line)
        except ValueError:
            return "json_values" if len(line) < 60_000 else "jsonl"
        return "jsonl"
    return "json_values"


def _is_table(text: str) -> bool:
    from isogloss.corpus.readers.delimited import find_delimiter, has_header

    lines = text.splitlines()[:20]
    if len(lines) < 2:
        return False
    delimiter = find_delimiter(lines)
    widths = {line.count(delimiter) for line in lines[:-1]}
    columns = [name.strip().strip('"').lower() for name in lines[0].split(delimiter)]
    if len(columns) > 1 and has_header(columns) and not _KNOWN.isdisjoint(columns):
        return True
    return delimiter == "\t" and len(widths) == 1 and widths != {0}
