"""Markdown as it is written, with its headings; what stands in code fences or indented code is no heading."""

from __future__ import annotations

import re
from collections.abc import Iterator

from isogloss.corpus.encodings import read_text
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.source import SkipFileError, Source
from isogloss.protocols import Record, Scalar, Skip

SUFFIXES = (".md", ".markdown", ".mdx", ".mkd", ".qmd", ".rmd")
VERSION = "1"

# CommonMark 0.31: up to three spaces of indent; a fence closes by at least as many of its own marks
_LINE = re.compile(
    r"^ {0,3}(?:(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)"
    r"|(?P<marks>#{1,6})(?:[ \t]+(?P<text>[^\n]*))?$"
    r"|(?P<under>=+|-+)[ \t]*$)",
    re.MULTILINE,
)
_TAIL = re.compile(r"(?:^|[ \t]+)#+[ \t]*$")
# code as it stands, a link's text; emphasis goes, but never an underscore inside a word
_INLINE = re.compile(
    r"(`+)(?P<code>.+?)\1(?!`)|!?\[(?P<link>[^\]\[]*)\]\([^()\s]*\)|[*`]{1,3}(?=\S)|(?<=\S)[*`]{1,3}"
    r"|(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w)|\s*\{#[^}]*\}$"
)
_NO_PARAGRAPH = re.compile(r"\s*$| {4}|\t| {0,3}(?:>|#{1,6}\s|[-*+]\s|\d{1,9}[.)]\s|\||```|~~~)")
_FRONT = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_PAIR = re.compile(r"^([A-Za-z_][\w-]*):[ \t]+(\S[^\n]*)$", re.MULTILINE)


def read_file(source: Source, options: ReadOptions, report: ReadReport) -> Iterator[Record | Skip]:
    """Yield the file as one record; simple front matter becomes metadata and is not part of the text."""
    text = read_text(source, options, report)
    metadata: dict[str, Scalar] = {}
    front = _FRONT.match(text)
    if front:
        metadata = {key: _plain(value) for key, value in _PAIR.findall(front[1])}
        text = text[front.end() :].lstrip("\n")
        if not text or text.isspace():
            raise SkipFileError("no-text", "nothing below the front matter")
    headings = markdown_headings(text)
    title = str(metadata.pop("title", "") or "") or next((name for _, level, name in headings if level == 1), "")
    yield Record(source.name or "stdin", text, title, metadata, headings, f"markdown/{VERSION}", source.name)


def markdown_headings(text: str) -> list[tuple[int, int, str]]:
    r"""Return ``(start, level, text)`` of each heading, ATX (``## x``) and setext (underlined).

    Examples
    --------
    >>> markdown_headings("Top\n===\n```\n# no heading\n```\n## Next ##\n")
    [(0, 1, 'Top'), (29, 2, 'Next')]
    """
    found: list[tuple[int, int, str]] = []
    fence = ""
    for match in _LINE.finditer(text):
        marks = match["fence"]
        if marks:
            if not fence:
                fence = "" if marks[0] == "`" and "`" in match["info"] else marks
            elif marks[0] == fence[0] and len(marks) >= len(fence) and not match["info"].strip():
                fence = ""
        elif fence:
            continue
        elif match["marks"]:
            name = _clean(_TAIL.sub("", match["text"] or ""))
            if name:
                found.append((match.start(), len(match["marks"]), name))
        else:
            _underlined(text, match, found)
    return found


def _underlined(text: str, match: re.Match[str], found: list[tuple[int, int, str]]) -> None:
    """Take the line above an underline as a heading, where it is a paragraph of its own."""
    end = match.start() - 1
    start = text.rfind("\n", 0, max(0, end)) + 1
    if end <= 0 or _NO_PARAGRAPH.match(text, start, end + 1) or (found and found[-1][0] >= start):
        return
    above = text.rfind("\n", 0, max(0, start - 1)) + 1
    if start and text[above : start - 1].strip() and not _NO_PARAGRAPH.match(text, above, start):
        return  # the last line of a longer paragraph: rare as a heading, common before a rule
    name = _clean(text[start:end])
    if name:
        found.append((start, 1 if match["under"][0] == "=" else 2, name))


def _clean(name: str) -> str:
    return _INLINE.sub(lambda match: match["code"] or match["link"] or "", name).strip()


def _plain(value: str) -> Scalar:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    return int(value) if re.fullmatch(r"-?(?:0|[1-9]\d{0,17})", value) else value
