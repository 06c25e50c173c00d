"""The texts that isogloss-static is fitted to: open licences only, and nothing that an evaluation set holds.

Every source is a data set below ``ISOGLOSS_DATA`` whose README states public domain, CC0, CC BY or CC BY-SA.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isogloss.seeding import generator

EVALUATION = [
    "sts-b",
    "sts-semeval",
    "cranfield",
    "medline",
    "cacm",
    "scifact",
    "squad-newwiki-retrieval",
    "squad-dev-sentence-retrieval",
    "xquad",
    "nq-oracle",
    "banking77",
    "tatoeba",
    "udhr",
    "pubmedqa",
    "strategyqa",
    "climate-fever",
    "quora-pairs",
    "trecqa",
    "trec-questions",
]
"""Data sets that quality is measured on; no training text may equal one of their texts."""

_ENDS = re.compile(r"(?<=[.?!])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9])")
_TREEBANK = (
    (re.compile(r"\s+@([-,.])@\s+"), r"\1"),
    (re.compile(r"-[lr][rsc]b-", re.I), " "),
    (re.compile(r"``|''"), '"'),
    (re.compile(r"\s+(n't|'(?:s|re|ve|ll|d|m))\b"), r"\1"),
    (re.compile(r"\s+([.,;:?!%)\]])"), r"\1"),
    (re.compile(r"([(\[$])\s+"), r"\1"),
)


@dataclass(frozen=True)
class Source:
    """One data set: which texts it gives, at most how many, and under which terms."""

    name: str
    limit: int
    licence: str
    origin: str
    texts: Callable[[Path], Iterator[str]]


def lines(path: Path) -> list[str]:
    """Return the lines of a text file, gzip-compressed or not."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        return file.read().rstrip("\n").split("\n")


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSON-lines file, gzip-compressed or not."""
    yield from map(json.loads, lines(path))


def sentences(text: str) -> list[str]:
    """Cut running text at sentence ends that a capital letter or a digit follows."""
    return _ENDS.split(" ".join(text.split()))


def untokenised(text: str) -> str:
    """Undo the spaces and escapes of Penn-treebank tokenisation."""
    for pattern, replacement in _TREEBANK:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


def _fields(file: str, *names: str, treebank: bool = False, split: bool = False) -> Callable[[Path], Iterator[str]]:
    def read(folder: Path) -> Iterator[str]:
        for row in rows(folder / file):
            for name in names:
                value = row[name]
                for text in value if isinstance(value, list) else [value]:
                    text = untokenised(text) if treebank else text
                    yield from sentences(text) if split else [text]

    return read


def _passages(folder: Path) -> Iterator[str]:
    for row in rows(folder / "passages.jsonl.gz"):
        parts = sentences(row["text"])
        yield from parts
        yield f"{row['title']}. {' '.join(parts[:3])}"


def _synsets(folder: Path) -> Iterator[str]:
    for i, row in enumerate(rows(folder / "synsets.jsonl.gz")):
        yield from row["examples"]
        if row["definition"] and i % 2:
            yield f"{row['members'][0]}: {row['definition']}" if i % 4 == 1 else row["definition"]
        if i % 8 == 0:
            yield ", ".join(row["members"])


def _articles(folder: Path) -> Iterator[str]:
    for row in rows(folder / "valid.articles.jsonl.gz"):
        for _, paragraphs in row["sections"]:
            for paragraph in paragraphs:
                yield from (s for s in sentences(untokenised(paragraph)) if "<unk>" not in s)


def _books(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.txt.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for paragraph in file.read().split("\n\n"):
                yield from sentences(paragraph)


def _genesis(folder: Path) -> Iterator[str]:
    for row in rows(folder / "genesis.jsonl.gz"):
        if row["id"] in ("english-kjv", "english-web"):
            yield from sentences(row["text"])


def _reviews(folder: Path) -> Iterator[str]:
    for row in rows(folder / "train.jsonl.gz"):
        yield from (untokenised(line) for line in row["text"].split("\n"))


def _pairs_of_squad(folder: Path) -> Iterator[str]:
    yield from _fields("train.jsonl.gz", "query", "positive", treebank=True)(folder)


def _shift_questions(folder: Path) -> Iterator[str]:
    for domain in ("amazon_reviews", "reddit"):
        yield from _fields(f"{domain}.train.jsonl.gz", "query")(folder)


SOURCES = (
    Source(
        "wordnet",
        60_000,
        "CC BY 4.0 (WordNet licence)",
        "Open English WordNet: definitions, examples, members",
        _synsets,
    ),
    Source("wiki-passages", 40_000, "CC BY-SA 3.0", "Wikipedia lead passages, collected by 2WikiMultiHopQA", _passages),
    Source(
        "wiki-split",
        20_000,
        "CC BY-SA 4.0",
        "WikiSplit (Wikipedia), tune and test files",
        _fields("train.jsonl.gz", "a", "b", treebank=True),
    ),
    Source("wikitext2", 10_000, "CC BY-SA 3.0", "WikiText-2 (Wikipedia), validation file", _articles),
    Source(
        "squad-sentence-pairs",
        22_000,
        "CC BY-SA 4.0",
        "SQuAD 1.1 training articles: questions and answer sentences",
        _pairs_of_squad,
    ),
    Source(
        "query-wellformedness",
        18_000,
        "CC BY-SA 4.0",
        "Query well-formedness, training part",
        _fields("train.jsonl.gz", "text", treebank=True),
    ),
    Source(
        "squadshifts-train", 14_000, "CC BY 4.0", "SquadShifts: crowd-written questions (no passages)", _shift_questions
    ),
    Source(
        "canard",
        3_000,
        "CC BY-SA 4.0",
        "CANARD / QuAC questions, own training part",
        _fields("train.jsonl.gz", "rewrite"),
    ),
    Source(
        "wiki-table-questions",
        3_000,
        "CC BY-SA 4.0",
        "WikiTableQuestions, training questions",
        _fields("train.questions.jsonl.gz", "question"),
    ),
    Source(
        "medical-abstracts",
        15_000,
        "CC BY-SA 3.0",
        "Medical abstracts corpus, own training part",
        _fields("train.jsonl.gz", "text", split=True),
    ),
    Source("movie-reviews", 18_000, "CC BY 4.0", "Movie review polarity 2.0, own training part", _reviews),
    Source("gutenberg", 14_000, "public domain", "nine novels of Project Gutenberg, headers removed", _books),
    Source(
        "state-of-the-union",
        9_000,
        "public domain",
        "State of the Union addresses 1945-2006",
        _fields("speeches.jsonl.gz", "text", split=True),
    ),
    Source(
        "inaugural",
        3_000,
        "public domain",
        "US inaugural addresses 1789-2021",
        _fields("speeches.jsonl.gz", "text", split=True),
    ),
    Source("genesis", 2_000, "public domain", "Book of Genesis, King James and World English Bible", _genesis),
)


def key(text: str) -> str:
    """Reduce a text to lower-case letters and digits, so that equal sentences are seen as equal."""
    return re.sub(r"[\W_]+", " ", text.lower()).strip()


def evaluation_keys(data: Path, names: Sequence[str] = EVALUATION) -> set[str]:
    """Return the keys of every text (and of its sentences) in the evaluation sets that are there."""
    found: set[str] = set()
    for name in names:
        for path in sorted((data / name).rglob("*.jsonl*")):
            for row in rows(path):
                for value in row.values():
                    if isinstance(value, str) and len(value) > 20:
                        found.update(map(key, [value, *sentences(value)]))
        for path in sorted((data / name).rglob("*-eng.tsv*")):
            found.update(key(part) for line in lines(path) for part in line.split("\t"))
    return found


def training_texts(data: Path, *, seed: int = 0) -> tuple[list[str], list[tuple[Source, int]], int]:
    """Return the texts in a fixed shuffled order, how many each source gave, and how many were left out."""
    banned, seen, left_out = evaluation_keys(data), set(), 0
    texts: list[str] = []
    counts: list[tuple[Source, int]] = []
    for source in SOURCES:
        mine: list[str] = []
        for text in source.texts(data / source.name):
            k = key(text)
            if not 8 <= len(text) <= 600 or len(k) < 5 or k in seen:
                continue
            seen.add(k)
            if k in banned:
                left_out += 1
            else:
                mine.append(text)
        order = generator(seed, "static texts", source.name).permutation(len(mine))[: source.limit]
        texts += [mine[i] for i in order]
        counts.append((source, len(order)))
    shuffled = generator(seed, "static texts").permutation(len(texts))
    return [texts[i] for i in shuffled], counts, left_out
