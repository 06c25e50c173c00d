"""Texts that are too short to hold a sentence out of, and their halves as lessons: one looks for the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isogloss.protocols import Record

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
    return middle_length(records) < SHORT


def middle_length(records: Sequence[Record]) -> float:
    """Return the median number of words of the texts, titles among them.

    Examples
    --------
    >>> middle_length([Record("a", "one two"), Record("b", "one two three four")])
    3.0
    """
    return float(np.median([len(f"{record.title} {record.text}".split()) for record in records]))


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
