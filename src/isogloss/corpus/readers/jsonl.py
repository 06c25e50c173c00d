"""JSON Lines: one object a line, streamed; a BEIR corpus keeps its given ids."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

from isogloss.corpus.fields import Row, row_records
from isogloss.corpus.lines import BadLine, read_lines
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.source import Source
from isogloss.protocols import Record, Skip

SUFFIXES = (".jsonl", ".ndjson", ".jsonlines")
VERSION = "1"


def read_file(source: Source, options: ReadOptions, report: ReadReport) -> Iterator[Record | Skip]:
    """Yield a record for each line; a line that is no JSON object is a skip with its number."""
    rows = _rows(source, options, report)
    first = next(rows, None)
    if first is None:
        yield Skip(source.name, "empty", "no rows")
        return
    beir = _is_beir(source.name, first)
    yield from row_records(
        chain([first], rows), source.name, options, report, reader=f"jsonl/{VERSION}", given_ids=beir
    )


def _is_beir(name: str, first: tuple[int, Row] | Skip) -> bool:
    base = name.rsplit("/", 1)[-1].removesuffix(".gz")
    return base == "corpus.jsonl" and not isinstance(first, Skip) and {"_id", "text"} <= set(first[1])


def _rows(source: Source, options: ReadOptions, report: ReadReport) -> Iterator[tuple[int, Row] | Skip]:
    loads = json.loads
    for number, line in read_lines(source, options, report):
        if isinstance(line, BadLine):
            yield Skip(f"{source.label}:{number}", line.reason, line.detail)
            continue
        if not line or line.isspace():
            continue
        try:
            row = loads(line)
        except (ValueError, RecursionError) as error:
            yield Skip(f"{source.label}:{number}", "bad-json", f"line {number:,}: {error}")
            continue
        if type(row) is not dict:
            yield Skip(f"{source.label}:{number}", "bad-json", f"line {number:,}: {type(row).__name__}, not an object")
            continue
        if "\\ud" in line or "\\uD" in line:
            row = without_surrogates(row)
        yield number, row


def without_surrogates(value: Any) -> Any:
    """Return a JSON value whose strings can be stored as UTF-8: half surrogate pairs become U+FFFD.

    Examples
    --------
    >>> without_surrogates({"a": ["x" + chr(0xD83D)]})
    {'a': ['x\ufffd']}
    """
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    return value
