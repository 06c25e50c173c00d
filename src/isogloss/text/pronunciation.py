"""How English words sound, by rules from their letters, and how far two sounds lie apart.

The rules are rough (English spelling has no good ones) and serve noise that imitates a listener: what counts is that
``their`` and ``there`` are near and ``their`` and ``table`` far, not the exact phoneme.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Phonemes = tuple[str, ...]

# longest spelling first; a space parts two phonemes, an empty right side is silent
_RULES: tuple[tuple[str, str], ...] = (
    ("tion", "S @ n"), ("sion", "Z @ n"), ("ture", "tS R"), ("ough", "oU"), ("augh", "O"), ("eigh", "eI"),
    ("igh", "aI"), ("tch", "tS"), ("sch", "s k"), ("dge", "dZ"), ("cia", "S @"), ("ear", "I R"), ("eer", "I R"),
    ("air", "E R"), ("are$", "E R"),
    ("ere$", "E R"), ("eir$", "E R"), ("eau", "oU"), ("our", "O R"), ("oor", "O R"), ("ght", "t"),
    ("ch", "tS"), ("sh", "S"), ("th", "T"), ("ph", "f"), ("wh", "w"), ("ck", "k"), ("ng", "N"), ("qu", "k w"),
    ("kn", "n"), ("wr", "R"), ("gn", "n"), ("mb$", "m"), ("gh", "g"), ("sc(?=[eiy])", "s"), ("x", "k s"),
    ("ee", "i"), ("ea", "i"), ("ie", "i"), ("ei", "eI"), ("ey$", "i"), ("ey", "eI"), ("ai", "eI"), ("ay", "eI"),
    ("oa", "oU"), ("ow", "oU"), ("oo", "u"), ("ou", "aU"), ("oi", "OI"), ("oy", "OI"), ("au", "O"), ("aw", "O"),
    ("ew", "u"), ("ue", "u"), ("ar", "A R"), ("or", "O R"), ("er", "R"), ("ir", "R"), ("ur", "R"),
    ("a(?=[bcdfgklmnprstvz]e$)", "eI"), ("e(?=[bcdfgklmnprstvz]e$)", "i"), ("i(?=[bcdfgklmnprstvz]e$)", "aI"),
    ("o(?=[bcdfgklmnprstvz]e$)", "oU"), ("u(?=[bcdfgklmnprstvz]e$)", "u"), ("(?<=..)es$", "z"), ("(?<=..)ed$", "d"),
    ("(?<=..)e$", ""), ("^y", "j"), ("y$", "i"), ("c(?=[eiy])", "s"), ("g(?=[eiy])", "dZ"),
    ("a", "{"), ("b", "b"), ("c", "k"), ("d", "d"), ("e", "E"), ("f", "f"), ("g", "g"), ("h", "h"), ("i", "I"),
    ("j", "dZ"), ("k", "k"), ("l", "l"), ("m", "m"), ("n", "n"), ("o", "A"), ("p", "p"), ("q", "k"), ("r", "R"),
    ("s", "s"), ("t", "t"), ("u", "V"), ("v", "v"), ("w", "w"), ("y", "I"), ("z", "z"),
)  # fmt: skip
_DOUBLED = re.compile(r"([b-df-hj-np-tv-z])\1")

# consonant (1) or vowel (0), voiced, then for consonants place (lips 0 to throat 1) and openness (stop 0 to glide 1),
# for vowels height (low 0 to high 1) and backness; and whether it hisses or, for vowels, glides
_SOUNDS: dict[str, tuple[float, float, float, float, float]] = {
    "p": (1, 0, 0, 0, 0), "b": (1, 1, 0, 0, 0), "t": (1, 0, 0.4, 0, 0), "d": (1, 1, 0.4, 0, 0),
    "k": (1, 0, 0.8, 0, 0), "g": (1, 1, 0.8, 0, 0), "f": (1, 0, 0.1, 0.5, 0.5), "v": (1, 1, 0.1, 0.5, 0.5),
    "T": (1, 0, 0.3, 0.5, 0.5), "s": (1, 0, 0.4, 0.5, 1), "z": (1, 1, 0.4, 0.5, 1), "S": (1, 0, 0.5, 0.5, 1),
    "Z": (1, 1, 0.5, 0.5, 1), "h": (1, 0, 1, 0.5, 0), "tS": (1, 0, 0.5, 0.25, 1), "dZ": (1, 1, 0.5, 0.25, 1),
    "m": (1, 1, 0, 0.7, 0), "n": (1, 1, 0.4, 0.7, 0), "N": (1, 1, 0.8, 0.7, 0), "l": (1, 1, 0.4, 0.85, 0),
    "R": (1, 1, 0.5, 0.85, 0), "w": (1, 1, 0, 1, 0), "j": (1, 1, 0.6, 1, 0),
    "i": (0, 1, 1, 0, 0), "I": (0, 1, 0.85, 0.1, 0), "E": (0, 1, 0.5, 0.1, 0), "{": (0, 1, 0.1, 0.1, 0),
    "A": (0, 1, 0, 0.8, 0), "O": (0, 1, 0.4, 1, 0), "V": (0, 1, 0.3, 0.6, 0), "@": (0, 1, 0.5, 0.5, 0),
    "u": (0, 1, 1, 1, 0), "eI": (0, 1, 0.6, 0, 1), "aI": (0, 1, 0.2, 0.3, 1), "OI": (0, 1, 0.4, 0.9, 1),
    "oU": (0, 1, 0.5, 1, 1), "aU": (0, 1, 0.2, 0.7, 1),
}  # fmt: skip
_NUMBER = {sound: number for number, sound in enumerate(_SOUNDS)}


@lru_cache(maxsize=1)
def _costs() -> NDArray[np.float64]:
    """Return what each phoneme costs in the place of each other one, 0 to 1."""
    table = np.array(list(_SOUNDS.values()))
    weights = np.array([1.0, 0.3, 0.5, 0.5, 0.4])
    gaps = (np.abs(table[:, None] - table[None]) * weights).sum(2)
    gaps[table[:, 0][:, None] != table[:, 0][None]] = weights.sum()  # a vowel is never nearly a consonant
    return np.asarray(gaps / weights.sum(), np.float64)


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    return re.compile("|".join(f"({spelling})" for spelling, _ in _RULES))


@lru_cache(maxsize=100_000)
def phonemes(word: str) -> Phonemes:
    """Return the sounds of a word by rules from its letters; letters outside a to z are skipped.

    Examples
    --------
    >>> phonemes("there"), phonemes("night")
    (('T', 'E', 'R'), ('n', 'aI', 't'))
    """
    plain = _DOUBLED.sub(r"\1", word.lower())
    found: list[str] = []
    for match in _pattern().finditer(plain):
        found.extend(_RULES[(match.lastindex or 1) - 1][1].split())
    return tuple(found)


def sound_distances(word: str, others: Sequence[str]) -> NDArray[np.float64]:
    """Return how far each other word sounds from a word: the cheapest edit of phonemes, over the longer's length.

    Putting one phoneme for another costs the share of their features that differ, leaving out or adding one costs .7.
    0 is the same sound, 1 nothing alike.

    Parameters
    ----------
    word, others
        Words; those without any sound are infinitely far.

    Examples
    --------
    >>> near, far = sound_distances("night", ["knight", "table"])
    >>> bool(near == 0 and far > 0.3)
    True
    """
    own = np.array([_NUMBER[sound] for sound in phonemes(word)], np.int64)
    sounds = [phonemes(other) for other in others]
    lengths = np.array([len(one) for one in sounds], np.int64)
    longest = int(lengths.max(initial=0))
    if not len(own) or not longest:
        return np.full(len(others), np.inf)
    codes = np.zeros((len(others), longest), np.int64)
    for row, one in enumerate(sounds):
        codes[row, : len(one)] = [_NUMBER[sound] for sound in one]
    costs, gap = _costs(), 0.7
    # all words at once, one phoneme of ours after the other: (others, longest + 1)
    above = np.broadcast_to(gap * np.arange(longest + 1), (len(others), longest + 1)).copy()
    for number, sound in enumerate(own, 1):
        here = np.empty_like(above)
        here[:, 0] = gap * number
        for j in range(1, longest + 1):
            swapped = above[:, j - 1] + costs[sound, codes[:, j - 1]]
            here[:, j] = np.minimum(np.minimum(above[:, j], here[:, j - 1]) + gap, swapped)
        above = here
    total = above[np.arange(len(others)), lengths]
    return np.where(lengths > 0, total / np.maximum(lengths, len(own)), np.inf)
