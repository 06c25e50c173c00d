"""What a model's card and name tell: its languages, and the prefixes that its family was trained with."""

from __future__ import annotations

import re
from pathlib import Path

_CODE = re.compile(r"[a-z]{2,3}")

_RETRIEVAL = "Represent this sentence for searching relevant passages: "
FAMILIES: tuple[tuple[str, str, str], ...] = (
    # family by a pattern on the model's name, prefix of queries, prefix of documents
    (r"e5-.*-instruct", "Instruct: TASK\nQuery: ", ""),
    (r"(^|[/_-])e5-(small|base|large)", "query: ", "passage: "),
    (r"nomic-embed-text", "search_query: ", "search_document: "),
    (r"bge-(small|base|large)-zh", "为这个句子生成表示以用于检索相关文章：", ""),
    (r"bge-(small|base|large)-en", _RETRIEVAL, ""),
    (r"mxbai-embed", _RETRIEVAL, ""),
    (r"arctic-embed-.*v2", "query: ", ""),
    (r"arctic-embed", _RETRIEVAL, ""),
)


def known_prefixes(name: str) -> tuple[str, str] | None:
    """Return the query and document prefixes that the model's family was trained with, by its name.

    Examples
    --------
    >>> known_prefixes("intfloat/multilingual-e5-small")
    ('query: ', 'passage: ')
    >>> known_prefixes("all-MiniLM-L6-v2") is None
    True
    """
    for pattern, query, document in FAMILIES:
        if re.search(pattern, name.lower()):
            return query, document
    return None


def front_matter(folder: Path) -> list[str]:
    """Return the lines of the YAML block at the top of ``README.md``, or an empty list."""
    try:
        with open(folder / "README.md", encoding="utf-8", errors="replace") as file:
            text = file.read(200_000)
    except OSError:
        return []
    found = re.match(r"\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(\r?\n|$)", text, re.DOTALL)
    return found[1].splitlines() if found else []


def card_languages(folder: Path) -> frozenset[str] | None:
    """Return the languages that the card names as ISO 639 codes; ``None`` for none, or for "multilingual".

    Reads the three ways of writing a list that cards use: one value, ``[a, b]``, and one item a line.
    """
    lines = front_matter(folder)
    starts = [i for i, line in enumerate(lines) if line.startswith(("language:", "languages:"))]
    if not starts:
        return None
    first = lines[starts[0]].partition(":")[2].strip()
    items = first.strip("[]").split(",") if first else []
    for line in lines[starts[0] + 1 :]:
        item = re.match(r"\s*-\s+(.+)", line)
        if not item:
            break
        items.append(item[1])
    codes = [item.strip().strip("'\"").lower() for item in items]
    if "multilingual" in codes:
        return None
    return frozenset(code for code in codes if _CODE.fullmatch(code)) or None
