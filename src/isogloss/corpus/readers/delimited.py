"""CSV and TSV: the delimiter and the header are found from the first rows, values are typed by column."""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from isogloss.corpus.fields import Row, row_records
from isogloss.corpus.lines import BadLine, read_lines
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.source import Source
from isogloss.protocols import Record, Skip

SUFFIXES = (".csv", ".tsv", ".tab")
VERSION = "1"

_SAMPLE = 500
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


def _rows(source: Source, options: ReadOptions, report: ReadReport) -> Iterator[tuple[int, Row] | Skip]:
    bad: list[Skip] = []
    at = [0]

    def lines() -> Iterator[str]:
        for number, line in read_lines(source, options, report):
            if isinstance(line, BadLine):
                bad.append(Skip(f"{source.label}:{number}", line.reason, f"line {number:,}: {line.detail}"))
                continue
            at[0] = number
            yield line + "\n"

    stream = lines()
    head = list(islice(stream, 50))
    tabs = source.name.lower().removesuffix(".gz").endswith((".tsv", ".tab"))
    delimiter = find_delimiter([line for line in head if len(line) < 1 << 20], tabs=tabs)
    at[0] = 0
    table = _cells(csv.reader(_counted(chain(head, stream), len(head), at), delimiter=delimiter), source, options, at)
    yield from _typed(table, source, bad)
    yield from bad


def _counted(lines: Iterator[str], head: int, at: list[int]) -> Iterator[str]:
    """Keep ``at`` the number of the line that is being parsed, also for those read ahead."""
    for number, line in enumerate(lines, 1):
        if number <= head:
            at[0] = number
        yield line


def _cells(reader: Any, source: Source, options: ReadOptions, at: list[int]) -> Iterator[tuple[int, list[str]] | Skip]:
    """Yield rows of cells in small batches, because the field limit of ``csv`` is one for the whole process."""
    limit = max(1, min(options.max_bytes, sys.maxsize))
    done = False
    while not done:
        batch: list[tuple[int, list[str]] | Skip] = []
        before = csv.field_size_limit(limit)
        try:
            while len(batch) < 64:
                try:
                    batch.append((at[0] + 1, next(reader)))
                    batch[-1] = (at[0], batch[-1][1])  # type: ignore[index]
                except csv.Error as error:
                    reason = "too-long" if "field limit" in str(error) else "bad-row"
                    batch.append(Skip(f"{source.label}:{at[0]}", reason, f"up to line {at[0]:,}: {error}"))
                except StopIteration:
                    done = True
                    break
        finally:
            csv.field_size_limit(before)
        yield from batch


def _typed(
    table: Iterator[tuple[int, list[str]] | Skip], source: Source, bad: list[Skip]
) -> Iterator[tuple[int, Row] | Skip]:
    """Name the columns, guess their types from the first rows, and give rows as dictionaries."""
    first = list(islice(table, _SAMPLE + 1))
    sample = [item for item in first if not isinstance(item, Skip) and any(item[1])]
    if not sample:
        yield from (item for item in first if isinstance(item, Skip))
        yield Skip(source.name, "empty", "no rows")
        return
    columns = [name.strip() for name in sample[0][1]]
    header = has_header(columns)
    if not header:
        columns = [f"c{number}" for number in range(1, len(columns) + 1)]
    types = _column_types([cells for _, cells in sample[header:]], len(columns))
    passed = not header
    for item in chain(first, table):
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
