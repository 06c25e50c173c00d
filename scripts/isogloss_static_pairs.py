"""The pairs that isogloss-static can be trained on further, and which data sets choose and prove.

Decided before the first training, and fixed:

- **train**: ``SOURCES``, texts that belong together. The rule is that of the first fit: a data set whose README states
  public domain, CC0, CC BY or CC BY-SA, and never a part that an evaluation reads.
- **choose** (``CHOOSE``): rate, temperature, passes, objective and the share of the new weights. One collection that is
  searched and one of sentence pairs, neither of the kind of any source.
- **prove** (``PROVE``): read once, by the chosen model alone. Neither fitted to nor chosen with. A pair goes out of the
  training where one of its texts, or a sentence of it, equals a text of a set that chooses or proves, by letters and
  digits. SQuAD-like questions train, so ``squad-newwiki-retrieval`` and ``nq-oracle`` show the kind that was trained.
  Of the SemEval pairs those that are in STS-B's development or test part are left out: the one chooses, the other is a
  set of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from isogloss.seeding import generator
from isogloss_static_texts import EVALUATION, evaluation_keys, key, rows, sentences, untokenised

CHOOSE = ("climate-fever", "sts-b/dev")
PROVE = (
    "cranfield",
    "medline",
    "cacm",
    "scifact",
    "pubmedqa",
    "strategyqa",
    "nq-oracle",
    "squad-newwiki-retrieval",
    "sts-b/test",
    "sts-semeval/sts13.test",
    "sts-semeval/sts14.test",
    "stackoverflow-titles",
    "search-snippets",
    "banking77",
    "trec-questions",
)
JUDGED = sorted({*EVALUATION, "stackoverflow-titles", "search-snippets"})
"""Data sets of which no text, nor a sentence of one, may be trained on."""

Pair = tuple[str, str, str]
"""Two texts that belong together, and the document that they come from."""


@dataclass(frozen=True)
class PairSource:
    """One data set: which pairs it gives, at most how many, and under which terms."""

    name: str
    limit: int
    licence: str
    origin: str
    pairs: Callable[[Path], Iterator[Pair]]


def _questions(folder: Path) -> Iterator[Pair]:
    for row in rows(folder / "train.jsonl.gz"):
        answer = untokenised(row["positive"])
        yield untokenised(row["query"]), answer, answer


def _splits(folder: Path) -> Iterator[Pair]:
    for i, row in enumerate(rows(folder / "train.jsonl.gz")):
        yield untokenised(row["a"]), untokenised(row["b"]), str(i)


def _definitions(folder: Path) -> Iterator[Pair]:
    for row in rows(folder / "synsets.jsonl.gz"):
        if row["definition"]:
            yield ", ".join(row["members"]), row["definition"], row["id"]


def _titles(folder: Path) -> Iterator[Pair]:
    for row in rows(folder / "passages.jsonl.gz"):
        yield row["title"], " ".join(row["text"].split()), row["title"]


def _stretches(folder: Path) -> Iterator[Pair]:
    """A sentence and those that follow it in the same passage."""
    for row in rows(folder / "passages.jsonl.gz"):
        parts = sentences(row["text"])
        if len(parts) > 2:
            yield parts[1], " ".join([parts[0], *parts[2:]]), row["title"]


def _abstracts(folder: Path) -> Iterator[Pair]:
    """The title, which is the first sentence, and the abstract."""
    for i, row in enumerate(rows(folder / "train.jsonl.gz")):
        parts = sentences(row["text"])
        if len(parts) > 2:
            yield parts[0], " ".join(parts[1:5]), str(i)


def _sections(folder: Path) -> Iterator[Pair]:
    for row in rows(folder / "valid.articles.jsonl.gz"):
        title = untokenised(row["title"])
        for heading, paragraphs in row["sections"]:
            for paragraph in paragraphs:
                text = " ".join(sentences(untokenised(paragraph).replace("<unk>", ""))[:4])
                yield f"{title}: {heading}" if heading else title, text, title


def _captions(folder: Path) -> Iterator[Pair]:
    for row in rows(folder / "triples.train.jsonl.gz"):
        anchor = untokenised(row["anchor"])
        yield anchor, untokenised(row["positive"]), anchor


SOURCES = (
    PairSource("squad-sentence-pairs", 12_000, "CC BY-SA 4.0", "SQuAD 1.1: question, answer sentence", _questions),
    PairSource("wiki-split", 8_000, "CC BY-SA 4.0", "WikiSplit: a sentence, the same split in two", _splits),
    PairSource(
        "wordnet", 20_000, "CC BY 4.0 (WordNet licence)", "Open English WordNet: words, definition", _definitions
    ),
    PairSource("wiki-passages", 6_500, "CC BY-SA 3.0", "Wikipedia: title, lead passage", _titles),
    PairSource("wiki-passages", 6_500, "CC BY-SA 3.0", "Wikipedia: a sentence, those around it", _stretches),
    PairSource("medical-abstracts", 2_000, "CC BY-SA 3.0", "Medical abstracts: title, abstract", _abstracts),
    PairSource("wikitext2", 2_000, "CC BY-SA 3.0", "WikiText-2, validation: title and heading, paragraph", _sections),
    PairSource("snli", 3_000, "CC BY-SA 4.0", "SNLI: premise, what follows from it", _captions),
)


def training_pairs(data: Path, *, seed: int = 0) -> tuple[list[Pair], list[tuple[PairSource, int]], int]:
    """Return the pairs in a fixed shuffled order, how many each source gave, and how many were left out."""
    banned, left_out = evaluation_keys(data, JUDGED), 0
    pairs: list[Pair] = []
    counts: list[tuple[PairSource, int]] = []
    for place, source in enumerate(SOURCES):
        mine: list[Pair] = []
        for a, b, group in source.pairs(data / source.name):
            a, b = a[:800].strip(), b[:800].strip()
            if len(key(a)) < 3 or len(key(b)) < 12 or key(a) == key(b):
                continue
            if any(key(text) in banned for one in (a, b) for text in (one, *sentences(one))):
                left_out += 1
            else:
                mine.append((a, b, f"{source.name} {group}"))
        order = generator(seed, "static pairs", source.name, place).permutation(len(mine))[: source.limit]
        pairs += [mine[i] for i in order]
        counts.append((source, len(order)))
    shuffled = generator(seed, "static pairs").permutation(len(pairs))
    return [pairs[i] for i in shuffled], counts, left_out
