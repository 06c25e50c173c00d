"""A question before it is judged: what is asked, and what must be cut out of its document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from isogloss.mining.questions.vocabulary import Vocabulary
from isogloss.protocols import Record
from isogloss.text.sentences import sentences

Span = tuple[int, int]
_LOOSE_STOP = re.compile(r"\s[.!?]\s+")
REPEATED = 0.75
"""Share of a text's words from which a sentence is taken to repeat it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A candidate question.

    Attributes
    ----------
    text
        What is asked.
    kind
        How it was made.
    span
        Where it came from in the text, or ``None``.
    cuts
        Parts of the document's text that must not be searched.
    title
        Whether the document's title must not be searched.
    """

    text: str
    kind: str
    span: Span | None
    cuts: tuple[Span, ...] = ()
    title: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A document cut into sentences, so that every way of making questions reads it once.

    Attributes
    ----------
    record
        The document.
    spans
        Its sentences, contiguous.
    words
        The distinct words of each sentence that say something.
    """

    record: Record
    spans: list[Span]
    words: list[list[str]]

    def sentence(self, number: int) -> str:
        """Return a sentence without the white space around it, inner line ends as spaces."""
        start, end = self.spans[number]
        return " ".join(self.record.text[start:end].split())


def read_page(record: Record, vocabulary: Vocabulary) -> Page:
    """Cut a document into sentences and their words.

    In texts that a tokeniser has been over, where stops stand between spaces (``slabs . the layers``), each such stop
    ends a sentence, whatever letter follows.
    """
    spans = [part for start, end in sentences(record.text) for part in _at_loose_stops(record.text, start, end)]
    return Page(record, spans, [vocabulary.content(record.text[start:end]) for start, end in spans])


def _at_loose_stops(text: str, start: int, end: int) -> list[Span]:
    bounds = [start, *(match.end() for match in _LOOSE_STOP.finditer(text, start, end) if match.end() < end), end]
    return list(pairwise(bounds))


def verbatim(text: str, part: str) -> tuple[Span, ...]:
    """Return where a part occurs word by word in a text, whatever the white space and case."""
    words = part.split()
    if not words:
        return ()
    pattern = re.compile(r"\s+".join(map(re.escape, words)), re.IGNORECASE)
    return tuple(match.span() for match in pattern.finditer(text))


def repeats(page: Page, words: Sequence[str]) -> tuple[Span, ...]:
    """Return the sentences of a document that say nearly the same words as a text: most of its, and little else."""
    wanted = set(words)
    found = []
    for span, said in zip(page.spans, page.words, strict=True):
        both = len(wanted.intersection(said))
        if wanted and both >= REPEATED * len(wanted) and both >= 0.5 * len(said):
            found.append(span)
    return tuple(found)


def without(text: str, cuts: Iterable[Span]) -> str:
    """Return a text without some of its parts; parts may overlap.

    Examples
    --------
    >>> without("one two three", [(4, 8), (0, 2), (1, 4)])
    'three'
    """
    kept, at = [], 0
    for start, end in sorted(cuts):
        kept.append(text[at : max(at, start)])
        at = max(at, end)
    return "".join([*kept, text[at:]]).strip()
