"""Definitions ("X is a ..."), asked in both directions: the term for its definition, the definition for its term."""

from __future__ import annotations

import re

from isogloss.mining.questions.draft import Draft, Page
from isogloss.mining.questions.vocabulary import Vocabulary

_COPULAS = (
    r"(?:is|are|was|were) (?:an?|the|one of)|ist (?:eine?|der|die|das)|est (?:une?|l['’]|le |la )|"
    r"es (?:una?|el|la)|è (?:una?|un['’]|il|la)|é (?:uma?|o|a)|is een|är ett?|(?:refers?|referred) to|"
    r"is defined as|means"
)
_DEFINITION = re.compile(
    rf"^(?P<term>[^,;:.()\[\]]{{2,60}}?)(?: ?\([^)]*\))?,? (?P<body>(?:{_COPULAS})\b.{{15,}})$", re.S
)
_POINTERS = frozenset(
    (
        "this",
        "that",
        "these",
        "those",
        "it",
        "he",
        "she",
        "they",
        "there",
        "here",
        "which",
        "what",
        "who",
        "we",
        "i",
        "you",
    )
)
_LONGEST = 5


def definition_questions(page: Page, vocabulary: Vocabulary) -> list[Draft]:
    """Ask for what a sentence defines: by its term alone (``term``) and by the definition without the term.

    The defining sentence is cut out for the second direction, so that only the rest of the document can answer; for
    the first it stays, because the definition is the answer. English, German, French, Spanish, Italian, Portuguese,
    Dutch and Swedish patterns; other languages give none.

    Examples
    --------
    >>> from isogloss.mining.questions.draft import read_page
    >>> from isogloss.protocols import Record
    >>> record = Record("a", "A thermistor is a resistor whose value falls as it is heated. Use it in probes.")
    >>> vocabulary = Vocabulary([record.text, "Something else."])
    >>> [(d.kind, d.text) for d in definition_questions(read_page(record, vocabulary), vocabulary)][1]
    ('definition', 'a resistor whose value falls as it is heated.')
    """
    found: list[Draft] = []
    for number, span in enumerate(page.spans):
        sentence = page.sentence(number)
        match = _DEFINITION.match(sentence)
        if match is None:
            continue
        term, body = match["term"].strip(), match["body"].split(" ", 1)[1]
        words = vocabulary.rules.terms(term)
        if not words or len(words) > _LONGEST or words[0] in _POINTERS or not vocabulary.content(term):
            continue
        asked = f"What is {term[:1].lower() + term[1:]}?" if vocabulary.language == "en" else term
        found.append(Draft(asked, "term", span))
        if len(vocabulary.content(body)) >= 4:
            found.append(Draft(body, "definition", span, (span,)))
    return found
