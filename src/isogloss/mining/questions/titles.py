"""The title as a question: what a searcher would type who knows what the document is about."""

from __future__ import annotations

from isogloss.mining.questions.draft import Draft, Page, repeats, verbatim
from isogloss.mining.questions.vocabulary import Vocabulary

FEWEST = 3
"""Words that say something which a title must have."""


def title_questions(page: Page, vocabulary: Vocabulary) -> list[Draft]:
    """Ask with the title; the title, and sentences that repeat it, are cut out of the document.

    A document without a title gives none, nor does a title of fewer than three words that say something: it names
    the document rather than asking for it.

    Examples
    --------
    >>> from isogloss.mining.questions.draft import read_page
    >>> from isogloss.protocols import Record
    >>> record = Record("a", "Heat conduction in slabs. The layers differ in density.", "Heat conduction in slabs")
    >>> vocabulary = Vocabulary([record.text, "Something else."])
    >>> [(draft.text, draft.cuts) for draft in title_questions(read_page(record, vocabulary), vocabulary)]
    [('Heat conduction in slabs', ((0, 24), (0, 26)))]
    """
    title = " ".join(page.record.title.split())
    words = vocabulary.content(title)
    if len(words) < FEWEST:
        return []
    return [
        Draft(
            title, "title", None, tuple(sorted({*repeats(page, words), *verbatim(page.record.text, title)})), title=True
        )
    ]
