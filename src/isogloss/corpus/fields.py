"""Rows of tables as records: which columns are the text, the title and the id; the others as typed metadata."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from hashlib import blake2b
from itertools import chain
from typing import Any, TypeAlias, TypeVar

from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.source import SkipFileError
from isogloss.errors import UsageError
from isogloss.protocols import Record, Scalar, Skip

T = TypeVar("T")
Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = Iterable["tuple[int, Row] | Skip"]

_TEXT_NAMES_WORDS = (
    "text body content contents abstract passage document article full_text fulltext description sentence paragraph "
    "summary message comment post review question utterance lyrics transcript"
)
TEXT_NAMES = tuple(_TEXT_NAMES_WORDS.split())
TITLE_NAMES = ["title", "headline", "heading", "subject", "name"]
_ID_NAMES_WORDS = "id _id docid doc_id document_id pid passage_id uid uuid guid key"
ID_NAMES = tuple(_ID_NAMES_WORDS.split())

_SURE_IDS = frozenset({"id", "_id", "docid", "doc_id", "document_id"})

SAMPLE_ROWS = 200
_SAMPLE_CHARACTERS = 4_000_000
_LONGEST_NUMBERS = 64
_INT64 = 1 << 63


class UnknownColumnError(UsageError):
    """A column that the user named is not in the table; the message lists the columns found."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Which columns of a table make a record."""

    text: tuple[str, ...]
    title: str = ""
    id: str = ""

    def sentence(self) -> str:
        """Say what was chosen."""
        parts = [f"text from {' + '.join(map(repr, self.text))}"]
        parts.append(f"title from {self.title!r}" if self.title else "no title")
        parts.append(f"id from {self.id!r}" if self.id else "id from the row's content")
        return ", ".join(parts)


def choose_fields(rows: Sequence[Row], options: ReadOptions, where: str) -> Fields | None:
    """Choose the columns of text, title and id from a sample of rows.

    Named columns win. Text: the first known name (``text``, ``body``, ``content``, ``abstract`` ...) with strings,
    else the column with the most characters. Title and id: known names only; ids of less
    certain names (``key``, ``pid`` ...) must be distinct in the sample.

    Parameters
    ----------
    rows
        First rows of the table.
    options
        Named columns.
    where
        The table, for the error.

    Returns
    -------
    Fields or None
        None where no column holds text.

    Raises
    ------
    UnknownColumnError
        A named column is in none of the rows; lists those that are.

    Examples
    --------
    >>> choose_fields([{"ID": 7, "Title": "On ice", "Body": "Ice is cold.", "year": 1911}], ReadOptions(), "a.csv")
    Fields(text=('Body',), title='Title', id='ID')
    """
    columns = list(dict.fromkeys(chain.from_iterable(rows)))
    for name in (*options.text, options.title, options.id):
        if name and name not in columns and not any(_deep(row, name) is not None for row in rows):
            raise UnknownColumnError(
                f"there is no column {name!r} in {where}",
                f"the columns are {', '.join(map(repr, columns)) or '(none)'}",
                "name one of these",
            )
    sizes = {name: sum(len(row[name]) for row in rows if isinstance(row.get(name), str)) for name in columns}
    lower = {name.lower(): name for name in reversed(columns)}
    identifier = options.id or _distinct_id(rows, lower)
    title = options.title
    if not title:
        title = next((lower[name] for name in TITLE_NAMES if name in lower and sizes[lower[name]]), "")
    text = options.text
    if not text:
        known = [lower[name] for name in TEXT_NAMES if name in lower and sizes[lower[name]]]
        others = sorted((name for name in columns if name not in (identifier, title)), key=lambda name: -sizes[name])
        best = next(iter(known + [name for name in others if sizes[name]]), title)
        text = (best,) if best else ()
    if not text:
        return None
    return Fields(text, "" if title in text else title, identifier)


def _distinct_id(rows: Sequence[Row], lower: dict[str, str]) -> str:
    for known in ID_NAMES:
        if known in lower:
            values = [value for row in rows if isinstance(value := row.get(lower[known]), str | int) and value != ""]
            if len(values) * 2 > len(rows) and (known in _SURE_IDS or len(set(values)) == len(rows)):
                return lower[known]
    return ""


def _deep(row: Row, name: str) -> Any:
    """Return ``row[name]``, or the value at the end of a dotted name."""
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def row_records(
    rows: Rows, name: str, options: ReadOptions, report: ReadReport, *, reader: str, given_ids: bool = False
) -> Iterator[Record | Skip]:
    """Turn rows into records.

    Parameters
    ----------
    rows
        ``(line or row number, row)``, or skips that are handed on.
    name
        Path of the table; ids are ``name#key``, or the bare key where the name is empty.
    options, report
        Of the run; what was chosen is noted in the report.
    reader
        Name and version of the reader.
    given_ids
        Take the key as the whole id (BEIR).
    """
    first: list[tuple[int, Row]] = []
    size = 0
    stream = held_back(rows)
    for item in stream:
        if isinstance(item, Skip):
            yield item
            continue
        if isinstance(item, SkipFileError):
            stream = iter([item])
            break
        first.append(item)
        size += sum(len(value) for value in item[1].values() if isinstance(value, str))
        if len(first) >= SAMPLE_ROWS or size > _SAMPLE_CHARACTERS:
            break
    sample = [row for _, row in first]
    rest: Iterator[tuple[int, Row] | Skip] = released(stream)
    if not sample:
        yield from (item for item in rest if isinstance(item, Skip))
        return
    fields = choose_fields(sample, options, name or "standard input")
    if fields is None:
        found = ", ".join(map(repr, dict.fromkeys(chain.from_iterable(sample))))
        yield Skip(name, "no-text", f"no column holds text; the columns are {found or '(none)'}")
        return
    report.choices.setdefault(fields.sentence(), []).append(name or "standard input")
    prefix = "" if given_ids or not name else f"{name}#"
    yield from _records(chain(first, rest), fields, prefix, name, reader)


def held_back(items: Iterable[T]) -> Iterator[T | SkipFileError]:
    """Yield items, and the error that ends a file as a last item, so that a look ahead loses nothing."""
    try:
        yield from items
    except SkipFileError as error:
        yield error


def released(items: Iterable[T | SkipFileError]) -> Iterator[T]:
    """Undo ``held_back``: raise the error in its place."""
    for item in items:
        if isinstance(item, SkipFileError):
            raise item
        yield item


def _records(
    rows: Iterable[tuple[int, Row] | Skip], fields: Fields, prefix: str, name: str, reader: str
) -> Iterator[Record | Skip]:
    used = {*fields.text, fields.title, fields.id}
    single = fields.text[0] if len(fields.text) == 1 else ""
    for item in rows:
        if isinstance(item, Skip):
            yield item
            continue
        number, row = item
        key = _deep(row, fields.id) if fields.id else None
        identifier = f"{prefix}{row_key(row) if key is None or key == '' else key}"
        text = row.get(single) if single else None
        if type(text) is not str:
            text = "\n\n".join(part for part in (_as_text(_deep(row, column)) for column in fields.text) if part)
        if not text or text.isspace():
            yield Skip(identifier, "no-text", f"row {number:,}: {' and '.join(map(repr, fields.text))} empty")
            continue
        title = _as_text(_deep(row, fields.title)) if fields.title else ""
        metadata: dict[str, Scalar] = {}
        for column, value in row.items():
            if column not in used:
                kind = type(value)
                if kind is str or kind is bool or value is None or (kind is int and -_INT64 <= value < _INT64):
                    metadata[column] = value
                else:
                    _flatten(metadata, column, value)
        yield Record(identifier, text, title, metadata, [], reader, name)


def row_key(row: Row) -> str:
    """Return the content hash of a row, 16 hexadecimal digits; the order of columns does not matter.

    Examples
    --------
    >>> row_key({"a": 1, "b": "x"}) == row_key({"b": "x", "a": 1})
    True
    """
    text = json.dumps(row, ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=str)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n\n".join(filter(None, map(_as_text, value)))
    return "" if value is None or isinstance(value, dict | bytes) else str(value)


def _flatten(metadata: dict[str, Scalar], column: str, value: Any) -> None:
    """Add ``value`` under ``column``; nested objects with dots, lists as JSON, long lists of numbers not at all."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(metadata, f"{column}.{key}", inner)
    elif isinstance(value, list | tuple):
        if len(value) > _LONGEST_NUMBERS and all(isinstance(item, int | float) for item in value):
            return  # an embedding, not a field to filter by
        metadata[column] = json.dumps(value, ensure_ascii=False, default=str)
    elif not isinstance(value, bytes):
        metadata[column] = scalar(value)


def scalar(value: Any) -> Scalar:
    """Return a value as metadata: dates as ISO strings, decimals as floats, NaN and infinity as null.

    Integers beyond 64 bits become strings.

    Examples
    --------
    >>> scalar(date(1911, 12, 14)), scalar(float("nan")), scalar(2**64)
    ('1911-12-14', None, '18446744073709551616')
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else str(value)
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)
