"""The text that base models learn from and are tested on, and tokenizers made from it."""

from __future__ import annotations

from collections.abc import Sequence

from isogloss.errors import CorpusError
from isogloss.text.sentences import sentences
from isogloss.training.base_models._plan import Material

LEARNED = (("wikitext2", "valid.articles"), ("wiki-passages", None))
"""Plain text of encyclopedias, 4 MB: more than a tiny model reads in half a minute."""
HELD_OUT = ("wikitext2", "test.articles")
DATA = ("wikitext2", "wiki-passages")
SHORTEST = 40
"""Characters of a passage; shorter lines are headings."""
LONGEST = 400
"""Characters of a passage, about 120 tokens of our own."""
TESTED = 100
"""Passages of the held-out text that a model is admitted by."""
VOCABULARY = 2048
"""Of own tokenizers. A tied head over the 30,522 rows of MiniLM's table would take nine tenths of a tiny model's
weights and of its time, most of it for words that a million tokens show too rarely to be learned; over 8,192 rows still
half of both."""


def passages(texts: Sequence[str]) -> list[str]:
    r"""Return passages of whole sentences, in order: as many sentences as fit :data:`LONGEST` characters.

    A sentence that is longer stands alone; passages shorter than :data:`SHORTEST` are left out.

    Examples
    --------
    >>> passages(["= Heading =\n" + "A line that has more than forty characters in it."])
    ['A line that has more than forty characters in it.']
    """
    found: list[str] = []
    for line in (line.strip() for text in texts for line in text.splitlines()):
        start = end = 0
        for _, stop in sentences(line):
            if stop - start > LONGEST and end > start:
                found.append(line[start:end].strip())
                start = end
            end = stop
        found.append(line[start:].strip())
    return [one for one in found if len(one) >= SHORTEST]


def learned(material: Material) -> list[str]:
    """Return the passages that base models learn from."""
    return [one for name, part in LEARNED for one in passages(material.texts(name, part))]


def held_out(material: Material, most: int = TESTED) -> list[str]:
    """Return passages of articles that no base model learns from: every n-th, so that all articles are there."""
    found = passages(material.texts(*HELD_OUT))
    if not found:
        raise CorpusError("there is no held-out text", f"{HELD_OUT[0]} has no passages in {HELD_OUT[1]}")
    return found[:: max(1, len(found) // most)][:most]
