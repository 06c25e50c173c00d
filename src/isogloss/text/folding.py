"""Normal forms of words: one form for what readers hold to be the same letters."""

from __future__ import annotations

import re
import unicodedata

_IGNORED = re.compile("[\u00ad\u034f\u180b-\u180f\u200c\u200d\u2060\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# accents of Latin and Greek (and loose ones anywhere), Hebrew points, Arabic vowel signs and hamzas
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]"
)
_LETTERS = str.maketrans(
    {
        # letters with a stroke and ligatures, which have no decomposition
        **{"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ƶ": "z", "æ": "ae", "œ": "oe", "ı": "i"},
        # Russian texts write е for ё as often as not
        "ё": "е",
        # Arabic and Persian forms of one letter, and the stretching sign
        **{"ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه", "ـ": ""},
    }
)
# the vowel am of Thai and Lao, which NFKC would take apart into a mark and a letter
_VOWELS = (("\u0e4d\u0e32", "\u0e33"), ("\u0ecd\u0eb2", "\u0eb3"))


def normal_form(raw: str) -> str:
    """Return a raw word in compatibility form (NFKC), case-folded, without invisible signs, with digits 0-9.

    Equivalent spellings give one form: ``Ａ`` and ``a``, composed and decomposed accents, ``ß`` and ``ss``, ``٣`` and
    ``3``. Accents stay (stemmers read them); ``fold_accents`` takes them off.

    Examples
    --------
    >>> normal_form("ＧＡＲÇＯＮ"), normal_form("Straße"), normal_form("٣")
    ('garçon', 'strasse', '3')
    """
    if raw.isascii():
        return raw.lower()
    word = unicodedata.normalize("NFKC", _IGNORED.sub("", raw))
    word = unicodedata.normalize("NFKC", word.casefold())
    for two, one in _VOWELS:
        word = word.replace(two, one)
    if any(char.isdecimal() and not char.isascii() for char in word):
        word = "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in word)
    return word


def fold_accents(word: str) -> str:
    """Take the accents off a word in normal form.

    Latin and Greek lose all accents, and letters with a stroke become plain (ø, ł, đ, æ, œ); Cyrillic keeps й, ї, ў and
    the like, which are letters of their own, only ё becomes е; Hebrew loses its points, Arabic its vowel signs and the
    forms of alef and yeh. Marks of other scripts (Hindi, kana, Thai) are part of the word and stay.

    Examples
    --------
    >>> fold_accents("naïve"), fold_accents("smørrebrød"), fold_accents("край")
    ('naive', 'smorrebrod', 'край')
    """
    if word.isascii():
        return word
    parts = (c if "\u0400" <= c <= "\u052f" else unicodedata.normalize("NFD", c) for c in word)
    return unicodedata.normalize("NFC", _ACCENTS.sub("", "".join(parts)).translate(_LETTERS))
