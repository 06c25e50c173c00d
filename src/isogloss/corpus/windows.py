"""Texts as windows of words, and what a text consists of: shares of letters and digits."""

from __future__ import annotations

from collections.abc import Iterable

from isogloss.errors import UsageError


def word_windows(texts: Iterable[str], words: int = 100, *, most: int | None = None) -> list[str]:
    """Cut texts into windows of so many words, parted by blanks; what is left at the end stands alone from half of it.

    Parameters
    ----------
    texts
        Any texts; empty ones give nothing.
    words
        Words of a window.
    most
        At most so many windows of one text; None: all.

    Examples
    --------
    >>> word_windows(["a b c d e", "f", ""], 2)
    ['a b', 'c d', 'e', 'f']
    """
    if words < 1:
        raise UsageError("a window has at least one word", f"words = {words}", "ask for 100")
    found = []
    for text in texts:
        parts = text.split()
        last = max(1, len(parts) - (words - 1) // 2) if parts else 0
        windows = [" ".join(parts[start : start + words]) for start in range(0, last, words)]
        found += windows[:most]
    return found


def letter_share(text: str) -> float:
    """Return the share of letters among what is no white space; 0 for an empty text.

    Examples
    --------
    >>> letter_share("ab 12")
    0.5
    """
    solid = [character for character in text if not character.isspace()]
    return sum(map(str.isalpha, solid)) / max(1, len(solid))


def digit_share(text: str) -> float:
    """Return the share of digits among what is no white space; 0 for an empty text.

    Examples
    --------
    >>> digit_share("abc 1")
    0.25
    """
    solid = [character for character in text if not character.isspace()]
    return sum(map(str.isdecimal, solid)) / max(1, len(solid))
