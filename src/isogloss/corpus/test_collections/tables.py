"""Rows of JSON Lines, CSV, TSV and blank-separated files: the form is found from the content, faults name the line."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from isogloss.corpus.lines import BadLine, read_lines
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.readers.delimited import find_delimiter
from isogloss.corpus.source import SkipFileError, Source
from isogloss.errors import CorpusError

_SAMPLE = 50
_MOST = 1 << 28


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns a file must have.

    Attributes
    ----------
    names
        For each wanted column the header names that it may have, lower case, best first.
    places
        Where the wanted columns stand in a file without a header, by its number of columns.
    expected
        The same in words, for messages.
    more
        Rows of at least this many columns may have further ones (0: all rows are equally wide).
    blanks
        Columns may be parted by blanks.
    optional
        Further columns, as ``names``; their values come last, None where there is none.
    """

    names: Mapping[str, Sequence[str]]
    places: Mapping[int, Sequence[int]]
    expected: str
    more: int = 0
    blanks: bool = False
    optional: Mapping[str, Sequence[str]] = field(default_factory=dict)


def fault(path: str | Path, line: int, found: str, expected: str) -> CorpusError:
    """Return the error for a line that is not as expected; line 0 means the file as a whole.

    Examples
    --------
    >>> print(fault("a.tsv", 3, "2 columns", "3 columns"))
    a.tsv, line 3: 2 columns
    why: expected: 3 columns
    fix: repair that line, or pass a file of another form
    """
    if not line:
        return CorpusError(f"{path}: {found}", f"expected: {expected}", "look whether this is the right file")
    return CorpusError(
        f"{path}, line {line}: {found}", f"expected: {expected}", "repair that line, or pass a file of another form"
    )


def text_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line; a mark, CRLF and gzip are taken off.

    Raises
    ------
    CorpusError
        Where the file is not there, broken, no text, or a line does not fit the encoding.
    """
    file = Path(path)
    if not file.is_file():
        raise CorpusError(f"there is no file {path}", "", "check the path")
    with ExitStack() as stack:
        try:
            with file.open("rb") as start:
                zipped = start.read(2) == b"\x1f\x8b"
            source = Source(file.name, file)
            if zipped and file.suffix.lower() != ".gz":
                source = Source(file.name, stream=cast("BinaryIO", stack.enter_context(gzip.open(file, "rb"))))
            for number, line in read_lines(source, ReadOptions(max_bytes=_MOST), ReadReport()):
                if isinstance(line, BadLine):
                    raise fault(path, number, line.detail, "readable text")
                yield number, line
        except SkipFileError as error:
            raise CorpusError(f"{path} cannot be read", f"{error.reason}: {error.detail}", "pass a text file") from None
        except OSError as error:
            raise CorpusError(f"{path} cannot be read", error.strerror or str(error), "check the file") from None


def has_names(path: str | Path, names: Mapping[str, Sequence[str]]) -> bool:
    """Say whether the file names these columns, in its header or in its first JSON object."""
    try:
        next(read_columns(path, Layout(names, {}, "")), None)
    except CorpusError:
        return False
    return True


def read_columns(path: str | Path, layout: Layout) -> Iterator[tuple[int, list[Any]]]:
    """Yield the line and the wanted columns of each row, in the order of ``layout.names``.

    Parameters
    ----------
    path
        JSON Lines, CSV (comma, semicolon, bar), TSV (cells as they stand, without quoting), or, where the layout
        allows it, columns parted by blanks; plain or gzip. A header is known by its names.
    layout
        The columns that are wanted.

    Returns
    -------
    iterator
        ``(line from 1, values)``; cells of a table are strings, of JSON Lines what JSON holds.

    Raises
    ------
    CorpusError
        For an empty file, missing columns, rows of another width, lines that are no JSON object.
    """
    lines = text_lines(path)
    first = next(((number, line) for number, line in lines if line.strip()), None)
    if first is None:
        raise fault(path, 0, "no rows at all", layout.expected)
    rest = itertools.chain([first], lines)
    if first[1].lstrip().startswith("{"):
        yield from _json_columns(path, rest, layout)
    else:
        yield from _cell_columns(path, _cells(path, rest, layout), layout)


def _json_columns(
    path: str | Path, lines: Iterator[tuple[int, str]], layout: Layout
) -> Iterator[tuple[int, list[Any]]]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise fault(path, number, f"no JSON ({error})", "one JSON object a line") from None
        if not isinstance(row, dict):
            raise fault(path, number, f"a JSON {type(row).__name__}", "one JSON object a line")
        lower = {str(key).lower(): value for key, value in row.items()}
        found = _named(list(lower), layout)
        if isinstance(found, str):
            raise fault(path, number, f"no {found} among the fields {', '.join(row) or '(none)'}", layout.expected)
        yield number, [lower[name] if name else None for name in found]


def _named(columns: Sequence[str], layout: Layout) -> list[str] | str:
    """Return the header name of each column (empty for a lacking optional one), or the wanted column that has none."""
    found = []
    for wanted, names in layout.names.items():
        name = next((name for name in names if name in columns), None)
        if name is None:
            return wanted
        found.append(name)
    return found + [next((name for name in names if name in columns), "") for names in layout.optional.values()]


def _cells(path: str | Path, lines: Iterator[tuple[int, str]], layout: Layout) -> Iterator[tuple[int, list[str]]]:
    sample = list(itertools.islice(lines, _SAMPLE))
    lines = itertools.chain(sample, lines)
    first = sample[0][1]
    if layout.blanks and len(first.split("\t")) not in layout.places and len(first.split()) in layout.places:
        return ((number, line.split()) for number, line in lines)
    if "\t" in first:
        return ((number, line.split("\t") if line.strip() else []) for number, line in lines)
    delimiter = find_delimiter([line for _, line in sample])
    return _quoted(path, lines, "," if delimiter == "\t" else delimiter)


def _quoted(path: str | Path, lines: Iterator[tuple[int, str]], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    at = [0]

    def feed() -> Iterator[str]:
        for number, line in lines:
            at[0] = number
            yield line + "\n"

    reader = csv.reader(feed(), delimiter=delimiter, strict=True)
    while True:
        start = at[0] + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise fault(path, start, f"broken quotes ({error})", "cells quoted as in RFC 4180") from None
        yield max(start, at[0] - sum(cell.count("\n") for cell in row)), row


def _cell_columns(
    path: str | Path, rows: Iterator[tuple[int, list[str]]], layout: Layout
) -> Iterator[tuple[int, list[Any]]]:
    number, first = next(rows)
    width = len(first)
    lower = [cell.strip().lower() for cell in first]
    found = _named(lower, layout)
    if isinstance(found, str):
        # not a header: the row itself must be of a known width
        places = layout.places.get(width)
        if places is None and layout.more and width >= layout.more:
            places = layout.places[layout.more]
        if places is None:
            seen = len(first[0].split()) if layout.blanks and width == 1 else width
            raise fault(path, number, f"{seen} columns, no header that names {found}", layout.expected)
        places = [*places, *(-1 for _ in layout.optional)]
        rows, more = itertools.chain([(number, first)], rows), layout.more
    else:
        places, more = [lower.index(name) if name else -1 for name in found], 0
    for number, row in rows:
        if not row:
            continue
        if len(row) != width and not (more and len(row) >= more):
            raise fault(path, number, f"{len(row)} columns where the first row has {width}", layout.expected)
        yield number, [row[place] if place >= 0 else None for place in places]


def identifier(value: Any, path: str | Path, line: int, what: str) -> str:
    """Return an id as text, or say that there is none."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        text = str(value).strip()
        if text:
            return text
    raise fault(path, line, f"{value!r} is no {what} id", "a filled text or a whole number")


def text(value: Any, path: str | Path, line: int, what: str) -> str:
    """Return a text that is not empty, as it stands."""
    if not isinstance(value, str):
        raise fault(path, line, f"the {what} is {value!r}", "a text")
    if not value.strip():
        raise fault(path, line, f"the {what} is empty", "a text")
    return value


def number(value: Any, path: str | Path, line: int, what: str) -> float:
    """Return a finite number.

    Raises
    ------
    CorpusError
        Where it is none: words, an empty cell, NaN, infinity.

    Examples
    --------
    >>> number("2.5", "a.tsv", 1, "score")
    2.5
    """
    found = math.nan
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            found = float(value)
    if not math.isfinite(found):
        raise fault(path, line, f"{value!r} is no {what}", "a finite number, with a point for decimals")
    return found
