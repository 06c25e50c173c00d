"""Which questions cannot be asked fairly: answered word by word elsewhere, by many documents, or by nothing left."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isogloss.corpus.dedup import near_groups, sketch
from isogloss.mining.questions.draft import Draft, without
from isogloss.mining.questions.vocabulary import Vocabulary
from isogloss.protocols import Record

LEFT = 5
"""Distinct words, function words apart, that must be left in a document."""

COPIED = 0.9
"""Share of a question's words, weighted by rarity, from which a document is taken to hold a copy of it."""

MANY = 5
"""So many other documents that hold all of a question's words make it ambiguous."""

ALL = 0.999
LONG = 6
"""Words from which a text that another document holds is a copy and not a coincidence."""

REASONS = {
    "little left": "too little of the document is left without it",
    "near copy": "another document holds it nearly word by word",
    "ambiguous": f"at least {MANY} other documents hold all its words",
    "copied document": "its document has a near copy",
}


def near_copies(texts: list[str]) -> set[int]:
    """Return the positions of documents that have a near copy among the others."""
    return set(np.flatnonzero(near_groups(sketch(texts)) >= 0).tolist())


def judge(
    draft: Draft,
    record: Record,
    position: int,
    vocabulary: Vocabulary,
    *,
    had: Sequence[Draft] = (),
    strict: bool = True,
) -> str:
    """Return the reason, a key of ``REASONS``, why a question cannot be asked; an empty string where it can.

    Parameters
    ----------
    draft, record, position
        The question, its document, and the document's position in the vocabulary.
    vocabulary
        Of all documents, as they were before anything was cut.
    had
        Other questions about the document, whose parts will be missing too.
    strict
        False leaves out the filters for copies and ambiguity (to measure what they do).
    """
    every = [draft, *had]
    left = without(record.text, [cut for one in every for cut in one.cuts])
    title = "" if any(one.title for one in every) else record.title
    if len(vocabulary.lexical(f"{title} {left}")) < LEFT:
        return "little left"
    if not strict:
        return ""
    coverage = vocabulary.coverage(draft.text)
    coverage[position] = 0.0
    if len(vocabulary.lexical(draft.text)) >= LONG and bool((coverage >= COPIED).any()):
        return "near copy"
    return "ambiguous" if int((coverage >= ALL).sum()) >= MANY else ""
