"""reStructuredText as it is written, with its section titles."""

from __future__ import annotations

import re
from collections.abc import Iterator

from isogloss.corpus.encodings import read_text
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.source import Source
from isogloss.protocols import Record, Skip

SUFFIXES = (".rst", ".rest")
VERSION = "1"

_ADORNED = re.compile(
    r"^(?:(?P<over>(?P<mark>[!-/:-@\[-`{-~])(?P=mark)+)[ \t]*\n)?"
    r"(?P<title>[ \t]*\S[^\n]*)\n(?P<under>(?P<line>[!-/:-@\[-`{-~])(?P=line)*)[ \t]*$",
    re.MULTILINE,
)
_ROLE = re.compile(r":[\w.+:-]+:`([^`<]*?)(?:\s*<[^`]*>)?`|`{1,2}([^`]+)`{1,2}_{0,2}|\*{1,2}([^*]+)\*{1,2}")


def read_file(source: Source, options: ReadOptions, report: ReadReport) -> Iterator[Record | Skip]:
    """Yield the file as one record."""
    text = read_text(source, options, report)
    headings = rst_headings(text)
    title = headings[0][2] if headings else ""
    yield Record(source.name or "stdin", text, title, {}, headings, f"rst/{VERSION}", source.name)


def rst_headings(text: str) -> list[tuple[int, int, str]]:
    r"""Return ``(start, level, text)`` of each section title; levels follow the order in which adornments appear.

    Examples
    --------
    >>> rst_headings("Guide\n=====\n\nFirst\n-----\nx\n\nSecond\n------\n")
    [(0, 1, 'Guide'), (13, 2, 'First'), (28, 2, 'Second')]
    """
    found: list[tuple[int, int, str]] = []
    order: list[tuple[str, bool]] = []
    at = 0
    while match := _ADORNED.search(text, at):
        at = match.start("title") if not match["over"] else match.end("over")
        title, line = match["title"].strip(), match["under"]
        over = bool(match["over"]) and match["mark"] == match["line"]
        if not _is_title(text, match, title, over):
            at = match.start("under") if match["over"] is None else match.start("title")
            continue
        style = (line[0], over)
        if style not in order:
            order.append(style)
        start = match.start() if over else match.start("title")
        found.append((start, order.index(style) + 1, _ROLE.sub(_inner, title)))
        at = match.end()
    return found


def _is_title(text: str, match: re.Match[str], title: str, over: bool) -> bool:
    if len(match["under"]) < min(4, len(title)) or len(match["under"]) < len(title.rstrip()) - 2:
        return False
    if len(set(title)) == 1 and not title[0].isalnum() and len(title) > 1:
        return False  # two lines of punctuation: a table or a transition
    if over:
        return True
    start = match.start("title")
    if match["title"][0] in " \t":
        return False
    return start < 2 or text[start - 1] != "\n" or text[start - 2] == "\n" or not text[:start].rstrip(" ").strip("\n")


def _inner(match: re.Match[str]) -> str:
    return (match[1] or match[2] or match[3] or "").strip()
