"""HTML as readable text with its headings, by the standard library's parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

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
_META = frozenset({"author", "description", "keywords", "date"})
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
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
    page = _Page(_HIDDEN | {"nav"})
    page.feed(markup)
    page.close()
    if not page.text() and "<nav" in markup.lower():
        page = _Page(_HIDDEN)
        page.feed(markup)
        page.close()
    return page


class _Page(HTMLParser):
    """Gather text and headings while the parser walks through the markup."""

    def __init__(self, hidden: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._hidden_tags = hidden
        self._hidden: list[str] = []
        self._parts: list[str] = []
        self._length = 0
        self._gap = ""
        self._pre = 0
        self._in_title = False
        self._cells = 0
        self._heading: tuple[int, int, int] | None = None
        self.title = ""
        self.language = ""
        self.metadata: dict[str, Scalar] = {}
        self.headings: list[tuple[int, int, str]] = []

    def text(self) -> str:
        """Return the text so far."""
        return "".join(self._parts).rstrip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a block, a cell, a heading or something hidden."""
        if tag in ("meta", "html"):
            self._described(tag, dict(attrs))
        elif tag == "title":
            self._in_title = not self.title
        elif tag in self._hidden_tags:
            self._hidden.append(tag)
        elif self._hidden:
            if tag == "body":  # a head that was never closed
                self._hidden.clear()
        else:
            self._open(tag)

    def _open(self, tag: str) -> None:
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
        elif len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
            self._heading = (int(tag[1]), self._length, len(self._parts))

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened."""
        if tag == "title":
            self._in_title = False
        elif self._hidden:
            if tag in self._hidden:
                while self._hidden.pop() != tag:
                    pass
        else:
            self._close_tag(tag)

    def _close_tag(self, tag: str) -> None:
        if tag == "pre":
            self._pre = max(0, self._pre - 1)
        if self._heading and tag[0] == "h" and tag[1:] == str(self._heading[0]):
            self._end_heading()
        if tag in _BLOCKS:
            self._break("\n\n")
        elif tag in ("li", "tr"):
            self._break("\n")

    def _end_heading(self) -> None:
        level, start, first = self._heading or (0, 0, 0)
        self._heading = None
        raw = "".join(self._parts[first:])
        name = _SPACE.sub(" ", raw).strip(" ¶#")
        if name:
            self.headings.append((start + len(raw) - len(raw.lstrip()), level, name))

    def _described(self, tag: str, attributes: dict[str, str | None]) -> None:
        if tag == "html":
            self.language = attributes.get("lang") or ""
            return
        name = (attributes.get("name") or "").lower()
        if name in _META and attributes.get("content"):
            self.metadata[name] = attributes["content"]

    def handle_data(self, data: str) -> None:
        """Add text, white space folded outside of ``<pre>``."""
        if self._in_title:
            self.title += data
            return
        if self._hidden:
            return
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
