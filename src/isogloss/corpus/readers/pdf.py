"""PDF: the text of all pages with the outline as headings, through pypdf."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.source import SkipFileError, Source
from isogloss.protocols import Record, Scalar, Skip

SUFFIXES = (".pdf",)
VERSION = "1"
NEEDS = "pypdf"


def read_file(source: Source, options: ReadOptions, report: ReadReport) -> Iterator[Record | Skip]:
    """Yield the file as one record, pages parted by a blank line; ``pages`` is in the metadata."""
    try:
        import pypdf
    except ImportError:
        raise SkipFileError("missing-extra", "PDF needs pypdf: pip install isogloss[files]") from None
    compressed = source.path is None or source.path.name.lower().endswith(".gz")
    file: Any = BytesIO(source.data(20 * options.max_bytes)) if compressed else source.path
    if source.path is not None and not source.path.stat().st_size:
        raise SkipFileError("empty", "0 bytes")
    with _quiet("pypdf"):
        try:
            reader = pypdf.PdfReader(file)
            if reader.is_encrypted and not reader.decrypt(""):
                raise SkipFileError("encrypted", "a password is needed")
            record = _record(reader, source, options)
        except SkipFileError:
            raise
        except Exception as error:  # pypdf raises whatever a damaged file leads it to
            raise SkipFileError("broken", f"PDF: {type(error).__name__}: {error}") from None
    yield record


def _record(reader: Any, source: Source, options: ReadOptions) -> Record:
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    for page in reader.pages:
        text = page.extract_text().encode("utf-8", "replace").decode("utf-8").strip()
        starts.append(length)
        if text:
            parts.append(text)
            length += len(text) + 2
        if length > options.max_bytes:
            raise SkipFileError("too-long", f"more than {options.max_bytes:,} characters of text")
    text = "\n\n".join(parts)
    if not text:
        raise SkipFileError("no-text", f"{len(starts):,} pages without a text layer (scanned?)")
    information = reader.metadata
    metadata: dict[str, Scalar] = {"pages": len(starts)}
    if information and information.author:
        metadata["author"] = str(information.author)
    title = str(information.title).strip() if information and information.title else ""
    headings = _outline(reader, starts, text)
    return Record(source.name or "stdin", text, title, metadata, headings, f"pdf/{VERSION}", source.name)


def _outline(reader: Any, starts: list[int], text: str) -> list[tuple[int, int, str]]:
    """Return the outline's entries at the place of their words on their page, else at the page's start."""
    found: list[tuple[int, int, str]] = []

    def visit(items: list[Any], level: int) -> None:
        for item in items:
            if isinstance(item, list):
                visit(item, level + 1)
                continue
            page = reader.get_destination_page_number(item)
            name = " ".join(str(item.title).split())
            if page is None or page < 0 or not name:
                continue
            end = starts[page + 1] if page + 1 < len(starts) else len(text)
            at = text.find(name, starts[page], end)
            found.append((min(at if at >= 0 else starts[page], len(text)), level, name))

    try:
        visit(reader.outline, 1)
    except Exception:  # a damaged outline costs the headings, not the text
        return []
    return sorted(found)


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Silence a library's logger: what it says about repairs is no message of ours."""
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
