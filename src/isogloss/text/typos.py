"""Slips of the typing hand: one letter of a word dropped, doubled, changed for another, or swapped with the next."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_WORD = re.compile(r"[^\W\d_]+")


def typo(word: str, rng: np.random.Generator) -> str:
    """Return a word with one slip in it, never at its first letter; words of fewer than two letters stay as they are.

    Examples
    --------
    >>> word = typo("isogloss", np.random.default_rng(0))
    >>> word != "isogloss", word[0]
    (True, 'i')
    """
    if len(word) < 2:
        return word
    while True:  # a slip may give the word back, where equal letters are swapped
        at = int(rng.integers(1, len(word)))
        kind = int(rng.integers(4))
        letter = _LETTERS[int(rng.integers(26))]
        if kind == 0:
            found = word[:at] + word[at + 1 :]
        elif kind == 1:
            found = word[:at] + word[at] + word[at:]
        elif kind == 2:
            found = word[:at] + letter + word[at + 1 :]
        else:
            found = word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]
        if found != word:
            return found


def with_typos(texts: Sequence[str], rate: float, rng: np.random.Generator, *, shortest: int = 4) -> list[str]:
    """Return texts in which a share of the words has one slip each.

    Parameters
    ----------
    texts
        Any texts; what is no word stays as it is.
    rate
        Chance of a slip for each word.
    rng
        Draws the words and their slips.
    shortest
        Words of fewer letters are left alone.

    Examples
    --------
    >>> with_typos(["A wing in the wind."], 0.0, np.random.default_rng(0))
    ['A wing in the wind.']
    """

    def changed(match: re.Match[str]) -> str:
        word = match[0]
        return typo(word, rng) if len(word) >= shortest and rng.random() < rate else word

    return [_WORD.sub(changed, text) for text in texts]
