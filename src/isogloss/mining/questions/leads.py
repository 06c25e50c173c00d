"""The first sentence as a question for the rest of its document: most texts open with what they are about."""

from __future__ import annotations

from isogloss.mining.questions.draft import Draft, Page, repeats
from isogloss.mining.questions.held_out import FEWEST, MOST
from isogloss.mining.questions.vocabulary import Vocabulary

SENTENCES = 3
"""Sentences that a document must have: of two, the first is no opening."""


def lead_questions(page: Page, vocabulary: Vocabulary) -> list[Draft]:
    """Ask with the first sentence that has four to 25 words that say something; it and its repetitions are cut out.

    A document with a title gives none: its title says what it is about.

    Examples
    --------
    >>> from isogloss.mining.questions.draft import read_page
    >>> from isogloss.protocols import Record
    >>> record = Record("a", "Composite slabs conduct heat badly. They are light. They are cheap.")
    >>> vocabulary = Vocabulary([record.text, "Something else."])
    >>> [draft.text for draft in lead_questions(read_page(record, vocabulary), vocabulary)]
    ['Composite slabs conduct heat badly.']
    """
    if page.record.title.strip() or len(page.spans) < SENTENCES:
        return []
    words = page.words[0]
    if not FEWEST <= len(words) <= MOST:
        return []
    cuts = {page.spans[0], *repeats(page, words)}
    return [Draft(page.sentence(0), "lead", page.spans[0], tuple(sorted(cuts)))]
