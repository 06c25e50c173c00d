"""A heading inside a document as a question for the document that holds its section."""

from __future__ import annotations

from isogloss.mining.questions.draft import Draft, Page
from isogloss.mining.questions.vocabulary import Vocabulary

FEWEST = 2
"""Words that say something which a heading must have."""


def heading_questions(page: Page, vocabulary: Vocabulary) -> list[Draft]:
    r"""Ask with each heading but the one that is the title; the heading's own line is cut out.

    Headings of fewer than two words that say something (``Introduction``) are left out.

    Examples
    --------
    >>> from isogloss.mining.questions.draft import read_page
    >>> from isogloss.protocols import Record
    >>> text = "Intro\n\nWords.\n\nReset the pump pressure\n\nHold the button."
    >>> record = Record("a", text, headings=[(0, 1, "Intro"), (15, 1, "Reset the pump pressure")])
    >>> vocabulary = Vocabulary([text, "Something else."])
    >>> [draft.text for draft in heading_questions(read_page(record, vocabulary), vocabulary)]
    ['Reset the pump pressure']
    """
    record, found = page.record, []
    for start, _, heading in record.headings:
        text = " ".join(heading.split())
        if len(vocabulary.content(text)) < FEWEST or text == " ".join(record.title.split()):
            continue
        at = record.text.find(heading, start)
        end = (at if at >= 0 else start) + len(heading)
        found.append(Draft(text, "heading", (start, end), ((start, end),)))
    return found
