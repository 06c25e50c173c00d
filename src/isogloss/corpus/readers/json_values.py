"""JSON files: an array of objects or strings, one object, or several objects in a row, streamed."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from isogloss.corpus.encodings import detect_encoding
from isogloss.corpus.fields import Row, row_records
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.readers.jsonl import without_surrogates
from isogloss.corpus.source import SkipFileError, Source
from isogloss.protocols import Record, Skip

SUFFIXES = (".json",)
VERSION = "1"

_SPACE = re.compile(r"[\s,]*")
_LISTS = ("data", "rows", "records", "items", "documents", "results")


def read_file(source: Source, options: ReadOptions, report: ReadReport) -> Iterator[Record | Skip]:
    """Yield a record for each object; an object that holds a list of objects (``{"data": [...]}``) gives these."""
    rows = _rows(source, options)
    yield from row_records(rows, source.name, options, report, reader=f"json_values/{VERSION}")


def _rows(source: Source, options: ReadOptions) -> Iterator[tuple[int, Row] | Skip]:
    number = 0
    for value in _values(source, options):
        inner = [value]
        if isinstance(value, dict):
            lists = [value[key] for key in _LISTS if isinstance(value.get(key), list)]
            inner = lists[0] if lists and lists[0] and isinstance(lists[0][0], dict) else inner
        for item in inner:
            number += 1
            if isinstance(item, str):
                yield number, {"text": item}
            elif isinstance(item, dict):
                yield number, item
            else:
                yield Skip(f"{source.label}:{number}", "bad-json", f"value {number:,}: {type(item).__name__}")


def _values(source: Source, options: ReadOptions) -> Iterator[Any]:
    """Yield the top-level values, or the items of a top-level array, while holding one of them at a time."""
    encoding = detect_encoding(source.head(), options.encoding)
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    scan = json.JSONDecoder().raw_decode
    buffer, at, wanted, opened, ended = "", 0, 1, False, False
    blocks = source.blocks()
    while not ended or at < len(buffer):
        if not ended and len(buffer) - at < wanted:
            block = next(blocks, b"")
            ended = not block
            buffer, at = buffer[at:] + decoder.decode(block, ended), 0
        at = _SPACE.match(buffer, at).end()  # type: ignore[union-attr]
        if at == len(buffer):
            continue
        if not opened and buffer[at] == "[":
            opened, at = True, at + 1
            continue
        if opened and buffer[at] == "]":
            return
        try:
            value, end = scan(buffer, at)
        except (ValueError, RecursionError) as error:
            if ended:
                raise SkipFileError("bad-json", str(error)) from None
            if len(buffer) - at > options.max_bytes:
                raise SkipFileError("too-long", f"one value of more than {options.max_bytes:,} bytes") from None
            wanted = 2 * (len(buffer) - at)  # doubling keeps the work linear
            continue
        at, wanted = end, 1
        yield without_surrogates(value)
