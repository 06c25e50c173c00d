"""Word files: paragraphs, tables and headings in their order, through python-docx."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.source import SkipFileError, Source
from isogloss.protocols import Record, Scalar, Skip

SUFFIXES = (".docx",)
VERSION = "1"
NEEDS = "docx"

_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)


def read_file(source: Source, options: ReadOptions, report: ReadReport) -> Iterator[Record | Skip]:
    """Yield the file as one record; each table row is a line, cells parted by `` | ``."""
    try:
        import docx
    except ImportError:
        raise SkipFileError("missing-extra", "Word files need python-docx: pip install isogloss[files]") from None
    data = source.data(20 * options.max_bytes)
    try:
        document = docx.Document(BytesIO(data))
        text, headings = _content(document, options.max_bytes)
        properties = document.core_properties
        title, author = properties.title or "", properties.author or ""
    except SkipFileError:
        raise
    except Exception as error:  # zip, XML and package errors of a damaged file
        raise SkipFileError("broken", f"Word file: {type(error).__name__}: {error}") from None
    if not text:
        raise SkipFileError("no-text", "no paragraph or table holds text")
    metadata: dict[str, Scalar] = {"author": author} if author and author != "python-docx" else {}
    title = title.strip() or next((name for _, level, name in headings if level <= 1), "")
    yield Record(source.name or "stdin", text, title, metadata, headings, f"docx/{VERSION}", source.name)


def _content(document: Any, limit: int) -> tuple[str, list[tuple[int, int, str]]]:
    parts: list[str] = []
    headings: list[tuple[int, int, str]] = []
    length = 0
    for block in document.iter_inner_content():
        if hasattr(block, "rows"):
            text = "\n".join(_row(row) for row in block.rows).strip()
            level = 0
        else:
            text = block.text.strip()
            level = _level(block)
        if not text:
            continue
        if level:
            headings.append((length, level, " ".join(text.split())))
        parts.append(text)
        length += len(text) + 2
        if length > limit:
            raise SkipFileError("too-long", f"more than {limit:,} characters of text")
    return "\n\n".join(parts), headings


def _level(paragraph: Any) -> int:
    name = (paragraph.style.name if paragraph.style is not None else None) or ""
    if name.lower() == "title":
        return 1
    match = _HEADING.fullmatch(name)
    return int(match[1]) if match else 0


def _row(row: Any) -> str:
    cells: list[str] = []
    last = None
    for cell in row.cells:
        if cell._tc is not last:  # merged cells are given once for each column they span
            cells.append(" ".join(cell.text.split()))
        last = cell._tc
    return " | ".join(cells)
