"""Real passages and questions for the speed benchmarks, from the folder ``$ISOGLOSS_DATA``; standard library only."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# in this order until there are enough: encyclopaedia, science, medicine, then the tokenised paragraphs of WikiText
SOURCES = (
    "wiki-passages/passages.jsonl.gz",
    "scifact/corpus.jsonl.gz",
    "squad-newwiki-retrieval/corpus.jsonl.gz",
    "nq-oracle/corpus.jsonl.gz",
    "pubmedqa/corpus.jsonl.gz",
    "medical-abstracts/train.jsonl.gz",
    "medical-abstracts/test.jsonl.gz",
    "cranfield/corpus.jsonl.gz",
    "medline/corpus.jsonl.gz",
    "xquad/en/corpus.jsonl.gz",
    "cacm/corpus.jsonl.gz",
    "wikitext2/valid.articles.jsonl.gz",
    "wikitext2/test.articles.jsonl.gz",
)
QUESTIONS = ("nq-oracle/queries.jsonl.gz", "squad-newwiki-retrieval/queries.jsonl.gz", "scifact/queries.jsonl.gz")
LONGEST = 1800  # characters; longer texts are cut at sentence ends into passages of about this size


def data_folder() -> Path:
    """Return ``$ISOGLOSS_DATA``, or stop with what to do."""
    root = os.environ.get("ISOGLOSS_DATA", "")
    if not root or not Path(root).is_dir():
        raise SystemExit("set ISOGLOSS_DATA to the folder with the data sets")
    return Path(root)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a ``.jsonl`` or ``.jsonl.gz`` file."""
    content = path.read_bytes()
    for line in (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines():
        if line.strip():
            yield json.loads(line)


def _texts(source: str, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    title = str(row.get("title", "") or "")
    if "sections" in row:
        for heading, paragraphs in row["sections"]:
            for paragraph in paragraphs:
                yield f"{title}: {heading}" if heading else title, paragraph
    else:
        yield title, str(row.get("text", "") or "")


def _cut(text: str) -> Iterator[str]:
    if len(text) <= LONGEST:
        yield text
        return
    piece = ""
    for sentence in re.split(r"(?<=[.!?])\s+", text):
        if piece and len(piece) + len(sentence) > LONGEST:
            yield piece
            piece = ""
        piece = f"{piece} {sentence}".strip()
    yield piece


def passages(count: int) -> list[dict[str, str]]:
    """Return ``count`` distinct passages as ``{"id", "title", "text"}``, the same ones every time.

    Texts of fewer than 80 characters are left out, texts equal up to case and spaces kept once, and texts of more
    than 1,800 characters cut at sentence ends.
    """
    folder, seen, found = data_folder(), set[str](), list[dict[str, str]]()
    for source in SOURCES:
        for row in rows(folder / source):
            for title, text in _texts(source, row):
                for piece in _cut(text.strip()):
                    key = " ".join(piece.lower().split())
                    if len(key) < 80 or key in seen:
                        continue
                    seen.add(key)
                    found.append({"id": f"{source.split('/')[0]}-{len(found)}", "title": title, "text": piece})
                    if len(found) == count:
                        return found
    raise SystemExit(f"only {len(found):,} distinct passages are in {folder}, {count:,} were asked for")


def questions(count: int) -> list[str]:
    """Return ``count`` real questions, taken in turn from the sets of ``QUESTIONS``."""
    folder = data_folder()
    sets = [[str(row["text"]) for row in rows(folder / source)] for source in QUESTIONS]
    mixed = [one[i] for i in range(max(map(len, sets))) for one in sets if i < len(one)]
    if count > len(mixed):
        raise SystemExit(f"only {len(mixed):,} questions are there, {count:,} were asked for")
    return mixed[:count]
