"""Questions for texts that are too short to hold a sentence out of: one half of the words looks for the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isogloss.errors import CorpusError
from isogloss.mining.questions.question import Question, QuestionSet
from isogloss.mining.questions.related import related_documents
from isogloss.mining.questions.vocabulary import Vocabulary
from isogloss.protocols import Record
from isogloss.seeding import generator

SHORT = 25
"""Words below which a text is short."""
LEAST = 3
"""Words that each half needs."""


def short_texts(records: Sequence[Record]) -> bool:
    """Say whether most texts are too short to hold something out of.

    Examples
    --------
    >>> short_texts([Record("a", "how to sort a list in place")] * 3)
    True
    """
    lengths = [len(f"{record.title} {record.text}".split()) for record in records]
    return bool(np.median(lengths) < SHORT)


def halves(text: str, draw: np.random.Generator) -> tuple[str, str] | None:
    """Part the words of a text by lot into two halves, in their order; None where it has too few.

    Words that stand twice go to one half, so that the halves share none.

    Examples
    --------
    >>> sorted(" ".join(halves("a b c d e f", np.random.default_rng(0))).split())
    ['a', 'b', 'c', 'd', 'e', 'f']
    """
    words = text.split()
    distinct = list(dict.fromkeys(word.lower() for word in words))
    if len(distinct) < 2 * LEAST:
        return None
    order = draw.permutation(len(distinct))
    first = {distinct[i] for i in order[: len(distinct) // 2]}
    parts = [" ".join(word for word in words if (word.lower() in first) == side) for side in (True, False)]
    return parts[0], parts[1]


def half_questions(records: Sequence[Record], count: int, seed: int) -> QuestionSet:
    """Ask with one half of the words of some texts; the other half is what is searched.

    Parameters
    ----------
    records
        The documents.
    count
        How many questions, one a document.
    seed
        Of the choice and of the halves.

    Raises
    ------
    CorpusError
        Where no text has words enough.
    """
    texts = [f"{record.title} {record.text}".strip() for record in records]
    vocabulary = Vocabulary(texts)
    order = generator(seed, "half questions").permutation(len(records))
    questions: list[Question] = []
    held_out: dict[str, str] = {}
    titles: dict[str, str] = {}
    for position in order.tolist():
        record = records[position]
        parted = halves(texts[position], generator(seed, "half", record.id))
        if parted is None or len(questions) >= count:
            continue
        near = related_documents(vocabulary, texts, position, parted[0])
        related = tuple(records[other].id for other in near)
        questions.append(Question(f"half-{len(questions) + 1}", parted[0], record.id, "half", None, 0.0, 1.0, related))
        held_out[record.id] = parted[1]
        titles[record.id] = ""
    if not questions:
        raise CorpusError("no text is long enough", f"none has {2 * LEAST} different words", "give longer documents")
    note = f"{len(questions)} questions: halves of the texts, which are too short to hold a sentence out of"
    return QuestionSet(questions, held_out, titles, [note], seed)
