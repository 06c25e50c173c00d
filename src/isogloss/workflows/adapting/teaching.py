"""What trained candidates learn from: made questions and their passages, two stretches of one document, negatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isogloss.arrays import Dense
from isogloss.corpus.span_pairs import span_pairs
from isogloss.errors import CorpusError
from isogloss.mining.candidates import source_of
from isogloss.mining.hard_negatives import Pairs, mine_hard_negatives
from isogloss.mining.questions.make import make_questions
from isogloss.mining.rules import Limits
from isogloss.protocols import Record
from isogloss.seeding import generator
from isogloss.workflows.adapting.halves import halves
from isogloss.workflows.adapting.material import Material

MOST_PAIRS, MOST_DOCUMENTS = 6000, 3000
"""Pairs that are made, and documents that they are made from: more would not be seen in minutes."""
EACH = 3
"""Questions a document."""
LONG = 72
"""Words of a passage that is learned from."""
RELATIVE = 0.05
"""A mined negative is at least so much less like the question than the right passage (as NV-Retriever's 95 %)."""
COMMON = 0.5
"""Share of the pairs that must have a negative for the column to be worth it."""


@dataclass(slots=True)
class Lessons:
    """Columns of texts that belong together, and the document of each row.

    Attributes
    ----------
    columns
        Queries, passages, and perhaps negatives.
    groups
        Ids: rows of one document never share a batch, so that a right answer is no negative.
    kinds
        How many rows are of which kind.
    rejected
        Share of the mined candidates that the rules took for right answers; None where nothing was mined.
    """

    columns: list[list[str]]
    groups: list[str]
    kinds: dict[str, int]
    rejected: float | None = None

    def __len__(self) -> int:
        return len(self.groups)


def made_lessons(material: Material, seed: int, most: int = MOST_PAIRS) -> Lessons:
    """Make questions from the documents that teach, in the same ways as those that choose and prove.

    Parameters
    ----------
    material, seed
        The documents; of all choices.
    most
        Most questions.

    Raises
    ------
    CorpusError
        Where none can be made.
    """
    if material.halved:
        return half_lessons(material.train, seed)
    order = generator(seed, "teachers").permutation(len(material.train))[:MOST_DOCUMENTS]
    some = [material.train[i] for i in np.sort(order).tolist()]
    made = make_questions(some, count=max(EACH, min(MOST_PAIRS, most, EACH * len(some))), seed=seed + 1)
    left = {record.id: record for record in made.searched(some)}
    whole = {record.id: record for record in some}
    lessons = Lessons([[], []], [], {})
    for question in made.questions:
        place = 0.0 if question.span is None else question.span[0] / max(1, len(whole[question.document].text))
        lessons.columns[0].append(question.text)
        lessons.columns[1].append(around(left[question.document], place))
        lessons.groups.append(question.document)
        lessons.kinds[question.kind] = lessons.kinds.get(question.kind, 0) + 1
    return lessons


def around(record: Record, place: float, long: int = LONG) -> str:
    """Return the words around a place of a document (a share of its length), with its title in front.

    Examples
    --------
    >>> around(Record("a", "one two three four five six", "T"), 0.5, long=3)
    'T three four five'
    """
    words = record.text.split()
    start = min(max(0, round(place * len(words)) - long // 2), max(0, len(words) - long))
    return " ".join([*record.title.split(), *words[start : start + long]])


def half_lessons(records: Sequence[Record], seed: int) -> Lessons:
    """Part the words of short texts by lot, several times each."""
    lessons = Lessons([[], []], [], {})
    for turn in range(EACH):
        for record in records[: MOST_PAIRS // EACH * 2]:
            parted = halves(f"{record.title} {record.text}".strip(), generator(seed, "lesson", turn, record.id))
            if parted is not None:
                lessons.columns[0].append(parted[0])
                lessons.columns[1].append(parted[1])
                lessons.groups.append(record.id)
    if not lessons.groups:
        raise CorpusError("no text is long enough to learn from", f"{len(records):,} texts", "give longer documents")
    lessons.kinds = {"half": len(lessons)}
    return lessons


def span_lessons(material: Material, seed: int) -> Lessons:
    """Crop two stretches out of each document, as the inverse cloze task and independent cropping do."""
    texts = [f"{record.title} {record.text}".strip() for record in material.train]
    texts = [" ".join(text.split()[: 4 * LONG]) for text in texts]
    first, second = span_pairs(texts, min(MOST_PAIRS, EACH * len(texts)), shortest=0.1, longest=0.4, seed=seed)
    shortened = [[" ".join(text.split()[:LONG]) for text in column] for column in (first, second)]
    return Lessons(shortened, list(map(str, range(len(first)))), {"stretch": len(first)})


def with_negatives(lessons: Lessons, questions: Dense, passages: Dense, seed: int) -> Lessons | None:
    """Add a mined negative to each pair that has one, and leave the others out; None where too few have.

    Parameters
    ----------
    lessons
        Pairs.
    questions, passages
        The base's vectors of both columns.
    seed
        Of the choice.
    """
    rows = np.arange(len(lessons), dtype=np.int64)
    pairs = Pairs(queries=lessons.columns[0], positives=rows, corpus=lessons.columns[1], groups=lessons.groups)
    mined = mine_hard_negatives(
        pairs, [source_of(questions, passages)], limits=Limits(first=2, last=50, relative=RELATIVE), per_query=1,
        sampling="random", seed=seed,
    )  # fmt: skip
    chosen = [i for i, found in enumerate(mined.negatives) if found]
    if len(chosen) < COMMON * len(lessons):
        return None
    columns = [[column[i] for i in chosen] for column in lessons.columns]
    columns.append([lessons.columns[1][mined.negatives[i][0]] for i in chosen])
    rejected = float((mined.reason >= 0).mean())
    return Lessons(columns, [lessons.groups[i] for i in chosen], {"mined": len(chosen)}, rejected)
