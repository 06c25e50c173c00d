"""The choice of questions: documents in random order, one question each, the kinds in their shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from isogloss.mining.questions.draft import Draft, Page, read_page
from isogloss.mining.questions.filters import judge
from isogloss.mining.questions.vocabulary import Vocabulary
from isogloss.protocols import Progress, Record
from isogloss.seeding import generator

Maker: TypeAlias = Callable[[Page, Vocabulary], list[Draft]]

SHARES: Mapping[str, float] = {
    "title": 3.0, "lead": 3.0, "heading": 2.0, "sentence": 3.0, "keyphrase": 1.0, "definition": 0.5, "term": 0.5,
    "written": 9.0,
}  # fmt: skip
"""How much of the set each kind should have, where the documents give it."""

ROUNDS = 6
"""Most questions about one document, where there are too few documents."""

_MAKER = {"term": "definition"}
_BALANCED = 4
_TRIES = 3


@dataclass(slots=True)
class Chosen:
    """Drafts by the position of their document, and how many were refused for which reason."""

    taken: dict[int, list[Draft]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return self.counts.total()


def collect(
    records: Sequence[Record], vocabulary: Vocabulary, makers: Mapping[str, Maker], copies: set[int], *,
    count: int, seed: int, filtered: bool, progress: Progress,
) -> Chosen:  # fmt: skip
    """Choose up to ``count`` questions, one a document, more only where the documents run out.

    The first four documents a question are read with each kind held to its share of ``SHARES`` (the kind that is
    furthest behind goes first); after them any kind is taken.

    Parameters
    ----------
    records, vocabulary
        The documents, and their words.
    makers
        Ways of making questions.
    copies
        Positions of documents that are left out, because they have near copies.
    count, seed, filtered, progress
        As in ``make_questions``.
    """
    order = [int(i) for i in generator(seed, "documents").permutation(len(records)) if int(i) not in copies]
    chosen = Chosen()
    if copies:
        chosen.refused["copied document"] = len(copies)
    quotas = _quotas(makers, count)
    progress.start("making questions", count, "questions")
    # first some documents with the kinds held to their shares, then all with any kind, then more questions a document
    passes = [(1, order[: _BALANCED * count], quotas), *((turn, order, {}) for turn in range(1, ROUNDS + 1))]
    for turn, positions, held in passes:
        for position in positions:
            if len(chosen) >= count:
                break
            if len(chosen.taken.get(position, [])) >= turn:
                continue
            draft = _one(records[position], position, vocabulary, (makers, held, chosen, seed, filtered))
            if draft is not None:
                chosen.taken.setdefault(position, []).append(draft)
                chosen.counts[draft.kind] += 1
                progress.advance(1)
    progress.finish()
    return chosen


def _quotas(makers: Mapping[str, Maker], count: int) -> dict[str, float]:
    names = _kinds(makers)
    total = sum(SHARES[name] for name in names)
    return {name: count * SHARES[name] / total for name in names}


def _kinds(makers: Mapping[str, Maker]) -> list[str]:
    """Return the kinds of question that the makers give, in their order."""
    return [kind for name in makers for kind in (("term", name) if name == "definition" else (name,))]


def _one(
    record: Record, position: int, vocabulary: Vocabulary,
    settings: tuple[Mapping[str, Maker], Mapping[str, float], Chosen, int, bool],
) -> Draft | None:  # fmt: skip
    """Return one more question about a document: of the kind that is furthest behind, drawn among the good ones."""
    makers, quotas, chosen, seed, filtered = settings
    page = read_page(record, vocabulary)
    had = chosen.taken.get(position, [])
    random = generator(seed, "question", position, len(had))
    read: dict[str, list[Draft]] = {}
    for kind in sorted(_kinds(makers), key=lambda kind: _behind(kind, chosen), reverse=True):
        if quotas and chosen.counts[kind] >= quotas[kind]:
            continue
        name = _MAKER.get(kind, kind)
        if name not in read:  # only what is wanted is made: a server may have to be asked
            read[name] = makers[name](page, vocabulary)
        drafts = [draft for draft in read[name] if draft.kind == kind and draft not in had]
        for number in random.permutation(len(drafts))[:_TRIES]:
            draft = drafts[int(number)]
            reason = judge(draft, record, position, vocabulary, had=had, strict=filtered)
            if not reason:
                return draft
            chosen.refused[reason] += 1
    return None


def _behind(kind: str, chosen: Chosen) -> float:
    return float(SHARES[kind] / (1.0 + chosen.counts[kind]))
