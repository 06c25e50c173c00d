"""HTML as readable text with its headings, through selectolax (the Lexbor engine: parses as browsers do).

The standard library's parser takes minutes for 60 kB of unclosed tags, so that one bad page would stop a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from isogloss.corpus.encodings import read_text
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.source import SkipFileError, Source
from isogloss.protocols import Record, Scalar, Skip

SUFFIXES = (".html", ".htm", ".xhtml")
VERSION = "1"

_HIDDEN_WORDS = "script style noscript template svg math iframe object canvas head"
_HIDDEN = frozenset(_HIDDEN_WORDS.split())
_BLOCKS_WORDS = (
    "address article aside blockquote body caption dd details dialog div dl dt fieldset figcaption figure footer form "
    "h1 h2 h3 h4 h5 h6 header hgroup hr html legend main nav ol p pre section summary table tbody tfoot thead ul"
)
_BLOCKS = frozenset(_BLOCKS_WORDS.split())
_LINES = frozenset({"li", "tr", "br", "option"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_META = frozenset({"author", "description", "keywords", "date"})
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_CONTAINER = re.compile(
    r"<(/?)(?:div|section|article|blockquote|ul|ol|dl|center|main|aside|details|fieldset|span)\b", re.IGNORECASE
)
_DEEPEST = 5_000
_SPACE = re.compile(r"[ \t\r\n\f\u00a0]+")


def read_file(source: Source, options: ReadOptions, report: ReadReport) -> Iterator[Record | Skip]:
    """Yield the page as one record; the title is ``<title>``, else the first heading.

    Scripts, styles and navigation are left out (navigation stays where nothing else is there). Each table row is one
    line, cells parted by `` | ``.
    """
    page = _parse(read_text(source, options, report, declared=_declared(source)))
    text = page.text()
    if not text:
        raise SkipFileError("no-text", "markup without text")
    if page.language:
        page.metadata.setdefault("html_lang", page.language)
    title = _SPACE.sub(" ", page.title).strip() or next((name for _, _, name in page.headings), "")
    yield Record(source.name or "stdin", text, title, page.metadata, page.headings, f"html/{VERSION}", source.name)


def _declared(source: Source) -> str:
    head = source.head()
    try:
        head.decode("utf-8")
        return ""
    except UnicodeDecodeError as error:
        if error.start > len(head) - 4:
            return ""
    match = _CHARSET.search(head[:4096])
    if match is None or match[1].lower() in (b"utf-8", b"utf8"):
        return ""
    name = match[1].decode("ascii")
    # browsers read these names as Windows-1252 (WHATWG Encoding Standard)
    return "cp1252" if name.lower() in ("iso-8859-1", "latin1", "us-ascii", "ascii") else name


def _parse(markup: str) -> _Page:
    from selectolax.lexbor import LexborHTMLParser

    _refuse_depth(markup)
    tree = LexborHTMLParser(markup)
    page = _Page(_HIDDEN | {"nav"})
    page.walk(tree.root)
    if not page.text():
        page = _Page(_HIDDEN)
        page.walk(tree.root)
    title = tree.css_first("title")
    page.title = title.text() if title is not None else ""
    if tree.root is not None:
        page.language = tree.root.attributes.get("lang") or ""
    for node in tree.css("meta[name][content]"):
        name = (node.attributes.get("name") or "").lower()
        if name in _META and node.attributes.get("content"):
            page.metadata[name] = node.attributes["content"]
    return page


def _refuse_depth(markup: str) -> None:
    """Refuse pages with thousands of blocks inside each other: parsing them takes the square of the depth."""
    if len(markup) < 100_000:
        return
    depth = 0
    for match in _CONTAINER.finditer(markup):
        depth += -1 if match[1] else 1
        if depth > _DEEPEST:
            raise SkipFileError("broken", f"more than {_DEEPEST:,} blocks inside each other")
        depth = max(depth, 0)


class _Page:
    """Gather text and headings on a walk through the tree."""

    def __init__(self, hidden: frozenset[str]) -> None:
        self._hidden = hidden
        self._parts: list[str] = []
        self._length = 0
        self._gap = ""
        self._pre = 0
        self._cells = 0
        self._heading: tuple[int, int, int] | None = None
        self.title = ""
        self.language = ""
        self.metadata: dict[str, Scalar] = {}
        self.headings: list[tuple[int, int, str]] = []

    def text(self) -> str:
        """Return the text so far."""
        return "".join(self._parts).rstrip()

    def walk(self, root: Any) -> None:
        """Visit all nodes in order, without recursion."""
        stack: list[tuple[Any, str]] = [(root, "")]
        while stack:
            node, tag = stack.pop()
            if node is None:
                continue
            if tag:
                self._leave(tag)
                continue
            stack.append((node.next, ""))
            tag = node.tag
            if tag == "-text":
                self._data(node.text_content or "")
            elif tag is not None and tag[0] not in "-!" and tag not in self._hidden:
                self._enter(tag)
                stack.append((node, tag))
                stack.append((node.first_child, ""))

    def _enter(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._break("\n\n")
        elif tag in _LINES:
            self._break("\n")
            if tag == "li":
                self._add("- ")
            elif tag == "tr":
                self._cells = 0
        elif tag in ("td", "th"):
            if self._cells:
                self._gap = ""
                self._add(" | ")
            self._cells += 1
        if tag == "pre":
            self._pre += 1
        elif tag in _HEADINGS:
            self._heading = (int(tag[1]), self._length, len(self._parts))

    def _leave(self, tag: str) -> None:
        if tag == "pre":
            self._pre -= 1
        elif tag in _HEADINGS:
            self._end_heading()
        if tag in _BLOCKS:
            self._break("\n\n")
        elif tag in ("li", "tr"):
            self._break("\n")

    def _end_heading(self) -> None:
        if self._heading is None:
            return
        level, start, first = self._heading
        self._heading = None
        raw = "".join(self._parts[first:])
        name = _SPACE.sub(" ", raw).strip(" ¶#")
        if name:
            self.headings.append((start + len(raw) - len(raw.lstrip()), level, name))

    def _data(self, data: str) -> None:
        """Add text, white space folded outside of ``<pre>``."""
        if self._pre:
            self._add(data)
            return
        folded = _SPACE.sub(" ", data)
        if folded.startswith(" "):
            folded = folded[1:]
            self._gap = self._gap or " "
        if folded:
            trailing = folded.endswith(" ")
            self._add(folded[:-1] if trailing else folded)
            if trailing:
                self._gap = " "

    def _break(self, gap: str) -> None:
        if len(gap) > len(self._gap) or self._gap == " ":
            self._gap = gap

    def _add(self, text: str) -> None:
        if self._gap and self._length and not (self._gap == " " and self._parts[-1][-1:].isspace()):
            text = self._gap + text
        self._gap = ""
        if text:
            self._parts.append(text)
            self._length += len(text)
