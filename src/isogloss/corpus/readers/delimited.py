"""CSV and TSV: the delimiter and the header are found from the first rows, values are typed by column."""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Literal

from isogloss.corpus.fields import Row, held_back, released, row_records
from isogloss.corpus.lines import BadLine, read_lines
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.source import SkipFileError, Source
from isogloss.protocols import Record, Skip

SUFFIXES = (".csv", ".tsv", ".tab")
VERSION = "1"

_SAMPLE = 500
_LONGEST_ROW = 10_000
_RECOVERIES = 50
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_TYPES: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (_INTEGER, int),
    (re.compile(r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"), float),
    (re.compile(r"true|false", re.IGNORECASE), lambda value: value.lower() == "true"),
)


def read_file(source: Source, options: ReadOptions, report: ReadReport) -> Iterator[Record | Skip]:
    """Yield a record for each row; uneven rows, broken quotes and fields beyond the limit are skips with their line."""
    rows = _rows(source, options, report)
    yield from row_records(rows, source.name, options, report, reader=f"delimited/{VERSION}")


def find_delimiter(lines: Sequence[str], *, tabs: bool = False) -> str:
    """Return the delimiter that cuts the lines into the same number of columns most often, at least two.

    Examples
    --------
    >>> find_delimiter(["a;b", "1,5;x", "2,0;y"]), find_delimiter(["text", "one, two"])
    (';', ',')
    """
    best, score = "\t" if tabs else ",", 0.0
    for delimiter in "\t" if tabs else ",;\t|":
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
        width, count = max(widths.items(), key=lambda pair: (pair[0] > 1, pair[1]), default=(0, 0))
        share = count / max(1, sum(widths.values()))
        if width > 1 and share > score + 1e-9:
            best, score = delimiter, share
    return best


def has_header(row: Sequence[str]) -> bool:
    """Say whether a first row names columns: distinct, filled, short, none a number.

    Examples
    --------
    >>> has_header(["id", "text"]), has_header(["17", "some text"])
    (True, False)
    """
    cells = [cell.strip() for cell in row]
    if len(set(cells)) < len(cells) or any(len(cell) > 100 or "\n" in cell for cell in cells):
        return False
    return all(cell and not _NUMBER.fullmatch(cell) for cell in cells[1:]) and not _NUMBER.fullmatch(cells[0])


class _Feed:
    """Lines for the ``csv`` module that can be handed back, where a quote was opened and never closed."""

    def __init__(self, lines: Iterator[tuple[int, str]], limit: int) -> None:
        self._lines = lines
        self._limit = limit
        self._back: list[tuple[int, str]] = []
        self._held: list[tuple[int, str]] = []
        self._size = 0
        self._recovered = 0
        self.at = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        item = self._back.pop() if self._back else next(self._lines)
        self._held.append(item)
        self._size += len(item[1])
        self.at = item[0]
        if len(self._held) > 1 and (len(self._held) > _LONGEST_ROW or self._size > self._limit):
            raise _OpenQuoteError
        return item[1]

    def first(self) -> int:
        """Return the line on which the current row began."""
        return self._held[0][0] if self._held else self.at

    def accept(self) -> None:
        """Forget the lines of a row that was read."""
        self._held.clear()
        self._size = 0

    def single(self) -> str:
        """Return the row's line where it is one line with as many opening as closing quotes, else nothing."""
        only = self._held[0][1] if len(self._held) == 1 else ""
        return only if only.count('"') % 2 == 0 else ""

    def reject(self) -> None:
        """Hand back all lines of the row but its first, a limited number of times."""
        self._recovered += 1
        if self._recovered <= _RECOVERIES:
            self._back.extend(reversed(self._held[1:]))
        self.accept()


class _OpenQuoteError(Exception):
    """A row spans more lines than any row does."""


def _rows(source: Source, options: ReadOptions, report: ReadReport) -> Iterator[tuple[int, Row] | Skip]:
    bad: list[Skip] = []

    def lines() -> Iterator[tuple[int, str]]:
        for number, line in read_lines(source, options, report):
            if isinstance(line, BadLine):
                bad.append(Skip(f"{source.label}:{number}", line.reason, f"line {number:,}: {line.detail}"))
            else:
                yield number, line + "\n"

    stream = held_back(lines())
    head = list(islice(stream, 50))
    sample = [item[1] for item in head if isinstance(item, tuple) and len(item[1]) < 1 << 20]
    tabs = source.name.lower().removesuffix(".gz").endswith((".tsv", ".tab"))
    delimiter = find_delimiter(sample, tabs=tabs)
    feed = _Feed(released(chain(head, stream)), options.max_bytes)
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" and _plain_tabs(sample) else csv.QUOTE_MINIMAL
    reader = csv.reader(feed, delimiter=delimiter, quoting=quoting, strict=True)
    table = _cells(reader, feed, source, options, delimiter)
    yield from _typed(table, source, bad)
    yield from bad


def _plain_tabs(lines: Sequence[str]) -> bool:
    """Say whether quotes in a tab-separated file are just characters: no cell is wrapped in them."""
    cells = [cell for line in lines for cell in line.rstrip("\r\n").split("\t")]
    return not any(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells)


def _cells(
    reader: Any, feed: _Feed, source: Source, options: ReadOptions, delimiter: str
) -> Iterator[tuple[int, list[str]] | Skip]:
    """Yield rows of cells in small batches, because the field limit of ``csv`` is one for the whole process."""
    limit = max(1, min(options.max_bytes, sys.maxsize))
    done = False
    while not done:
        batch: list[tuple[int, list[str]] | Skip] = []
        failed: SkipFileError | None = None
        before = csv.field_size_limit(limit)
        try:
            while len(batch) < 64:
                row = _next_row(reader, feed, source, delimiter)
                if row is None:
                    done = True
                    break
                batch.append(row)
        except SkipFileError as error:
            failed = error
        finally:
            csv.field_size_limit(before)
        yield from batch
        if failed is not None:
            raise failed


def _next_row(reader: Any, feed: _Feed, source: Source, delimiter: str) -> tuple[int, list[str]] | Skip | None:
    try:
        cells: list[str] = next(reader)
        row = feed.first(), cells
        feed.accept()
        return row
    except StopIteration:
        return None
    except _OpenQuoteError:
        reason, detail = "too-long", f"a quoted field goes on beyond line {feed.at:,}"
    except csv.Error as error:
        if feed.single():  # quotes inside a quoted cell that were not doubled
            row = feed.first(), next(csv.reader([feed.single()], delimiter=delimiter))
            feed.accept()
            return row
        reason, detail = "too-long" if "field limit" in str(error) else "bad-row", str(error)
    first = feed.first()
    feed.reject()
    return Skip(f"{source.label}:{first}", reason, f"line {first:,}: {detail}")


def _typed(
    table: Iterator[tuple[int, list[str]] | Skip], source: Source, bad: list[Skip]
) -> Iterator[tuple[int, Row] | Skip]:
    """Name the columns, guess their types from the first rows, and give rows as dictionaries."""
    stream = held_back(table)
    first = list(islice(stream, _SAMPLE + 1))
    sample = [item for item in first if isinstance(item, tuple) and any(item[1])]
    if not sample:
        found: Iterator[tuple[int, list[str]] | Skip] = released(first)
        yield from (item for item in found if isinstance(item, Skip))
        yield Skip(source.name, "empty", "no rows")
        return
    columns = [name.strip() for name in sample[0][1]]
    header = has_header(columns)
    if not header:
        columns = [f"c{number}" for number in range(1, len(columns) + 1)]
    types = _column_types([cells for _, cells in sample[header:]], len(columns))
    passed = not header
    rows: Iterator[tuple[int, list[str]] | Skip] = released(chain(first, stream))
    for item in rows:
        while bad:
            yield bad.pop(0)
        if isinstance(item, Skip):
            yield item
        elif not passed:
            passed = bool(any(item[1]))
        elif any(item[1]):
            yield _row(item[0], item[1], columns, types, source)


def _row(
    number: int, cells: list[str], columns: list[str], types: list[Callable[[str], Any] | None], source: Source
) -> tuple[int, Row] | Skip:
    if len(cells) != len(columns):
        if len(cells) < len(columns) or any(cells[len(columns) :]):
            found = f"line {number:,}: {len(cells)} cells, the table has {len(columns)} columns"
            return Skip(f"{source.label}:{number}", "uneven-row", found)
        cells = cells[: len(columns)]
    row: Row = {}
    for column, cell, kind in zip(columns, cells, types, strict=True):
        if kind is None:
            row[column] = cell
        else:
            row[column] = _value(cell, kind)
    return number, row


def _value(cell: str, kind: Callable[[str], Any]) -> Any:
    if not cell:
        return None
    for pattern, make in _TYPES:
        if make is kind:
            return kind(cell) if pattern.fullmatch(cell) else cell
    return cell


def _column_types(rows: list[list[str]], width: int) -> list[Callable[[str], Any] | None]:
    types: list[Callable[[str], Any] | None] = []
    for column in range(width):
        values = {row[column] for row in rows if len(row) == width and row[column]}
        fits = [make for pattern, make in _TYPES if all(map(pattern.fullmatch, values))]
        types.append(fits[0] if fits and values else None)
    return types
