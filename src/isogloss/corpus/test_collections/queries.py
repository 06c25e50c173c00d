"""Questions of a test collection: TREC topics (SGML and XML), SMART files, tables and JSON Lines."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from isogloss.corpus.test_collections.tables import Layout, fault, identifier, read_columns, text, text_lines

ID = ("_id", "id", "query-id", "query_id", "queryid", "qid", "num", "number", "topic", "question-id", "question_id")
TEXT = ("text", "query", "question", "title", "content")
LAYOUT = Layout(
    {"id": ID, "text": TEXT},
    {2: (0, 1)},
    "id<TAB>text, TREC topics (<top>), JSON Lines, or a header that names id and text",
)

_BLOCK = re.compile(r"<top(?:ic)?(\s[^>]*)?>(.*?)</top(?:ic)?\s*>", re.IGNORECASE | re.DOTALL)
_FIELD = re.compile(r"<(\w+)[^>/]*>([^<]*)")
_NUMBER = re.compile(r"(?:number|id)\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
_LABEL = re.compile(r"^\s*(?:Number|Topic|Description|Narrative|Title)\s*:\s*", re.IGNORECASE)
_ALIASES = {"description": "desc", "narrative": "narr", "number": "num", "query": "title"}


def read_queries(path: str | Path, field: str = "title") -> dict[str, str]:
    r"""Read questions by their id.

    Parameters
    ----------
    path
        TREC topics (``<top>`` in SGML without end tags, in XML, or ``<topic number=...>``), SMART (``.I`` and ``.W``),
        TSV ``id<TAB>text``, or CSV, TSV or JSON Lines with a header; plain or gzip.
    field
        Part of a TREC topic that is the question: ``title`` (``query`` in newer topics), ``desc`` or ``narr``.

    Returns
    -------
    dict
        The text of each question, blanks at its ends taken off, in the order of the file.

    Raises
    ------
    CorpusError
        For an empty file, an id that stands twice, a question without text, or other columns; the message names file
        and line (of the topic's first line) and what was expected.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "topics"
    >>> _ = file.write_text("<top>\n<num> Number: 7\n<title> heat in wings\n<desc> Description:\nWhy?\n</top>\n")
    >>> read_queries(file), read_queries(file, "desc")
    ({'7': 'heat in wings'}, {'7': 'Why?'})
    """
    queries: dict[str, str] = {}
    for line, id, asked in _rows(path, field):
        if id in queries:
            raise fault(path, line, f"the question id {id} stands twice", "each id once")
        queries[id] = text(asked, path, line, f"text of question {id}").strip()
    if not queries:
        raise fault(path, 0, "no questions", LAYOUT.expected)
    return queries


def _rows(path: str | Path, field: str) -> Iterator[tuple[int, str, str]]:
    lines = text_lines(path)
    start = list(itertools.islice(((number, line) for number, line in lines if line.strip()), 1))
    if not start:
        raise fault(path, 0, "no questions: the file is empty", LAYOUT.expected)
    first = start[0][1].lstrip()
    if first.startswith("<"):
        return _topics(path, field)
    if re.match(r"\.I\s+\S", first):
        return _smart(path)
    return _table(path)


def _table(path: str | Path) -> Iterator[tuple[int, str, str]]:
    for line, (id, asked) in read_columns(path, LAYOUT):
        yield line, identifier(id, path, line, "question"), asked


def _topics(path: str | Path, field: str) -> Iterator[tuple[int, str, str]]:
    whole = "\n".join(line for _, line in text_lines(path))
    wanted = _ALIASES.get(field, field)
    found = False
    for block in _BLOCK.finditer(whole):
        found = True
        line = whole.count("\n", 0, block.start()) + 1
        fields: dict[str, str] = {}
        for match in _FIELD.finditer(block[2]):
            name = match[1].lower()
            value = html.unescape(_LABEL.sub("", match[2])).strip()
            fields.setdefault(_ALIASES.get(name, name), " ".join(value.split()))
        named = _NUMBER.search(block[1] or "")
        id = named[1] if named else fields.get("num", "")
        if not id:
            raise fault(path, line, "a topic without a number", "<num> or <topic number=...>")
        if wanted not in fields:
            raise fault(path, line, f"topic {id} has no <{wanted}>, only {', '.join(sorted(fields))}", f"<{wanted}>")
        yield line, identifier(id.split()[0], path, line, "question"), fields[wanted]
    if not found:
        raise fault(path, 0, "no <top> ... </top> in it", "TREC topics")


def _smart(path: str | Path) -> Iterator[tuple[int, str, str]]:
    at, id, section = 0, "", ""
    kept: list[str] = []
    for number, line in text_lines(path):
        mark = re.match(r"\.([A-Z])(?:\s+(\S+))?\s*$", line)
        if mark and mark[1] == "I" and mark[2]:
            if id:
                yield at, id, " ".join(kept)
            at, id, section, kept = number, mark[2].lstrip("0") or "0", "", []
        elif mark:
            section = mark[1]
        elif section == "W":
            kept.extend(line.split())
    yield at, id, " ".join(kept)
