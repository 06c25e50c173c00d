"""Questions that a language model writes, through a function that the user names; never used unasked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from isogloss.mining.questions.draft import Draft, Page
from isogloss.mining.questions.vocabulary import Vocabulary
from isogloss.seeding import generator

Ask: TypeAlias = Callable[[str], str]
"""From a prompt to the model's answer."""

LONGEST = 1500
"""Characters of a document that are shown to the model."""

_PROMPT = (
    "Here is a passage from a collection of documents.\n\n{passage}\n\n"
    "Write one question that somebody who has not seen this passage could ask and that it answers. Use other words "
    "than the passage where you can, in the language of the passage. Reply with the question alone, on one line."
)


def written_questions(page: Page, vocabulary: Vocabulary, *, ask: Ask, seed: int = 0) -> list[Draft]:
    """Let a model write one question about a document; nothing is cut out, since the words are the model's own.

    An answer without a word, or of more than 300 characters, gives none.
    """
    text = " ".join(page.record.text.split())
    start = 0
    if len(text) > LONGEST:
        start = int(generator(seed, "passage", page.record.id).integers(0, len(text) - LONGEST))
    passage = f"{page.record.title}\n{text[start : start + LONGEST]}".strip()
    lines = [line.strip(" \t\"'*-") for line in ask(_PROMPT.format(passage=passage)).splitlines()]
    asked = next((line for line in lines if line), "")
    if not vocabulary.rules.terms(asked) or len(asked) > 300:
        return []
    return [Draft(asked, "written", None)]
