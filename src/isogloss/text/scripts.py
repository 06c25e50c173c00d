"""Classes of characters for the word search: marks, and scripts that are written without spaces."""

from __future__ import annotations

import functools
import re
import unicodedata

UNSPACED = (
    # Han with radicals, numerals and iteration marks; kana; Bopomofo; enclosed and squared East Asian signs
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3200-\u33ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U0001aff0-\U0001b16f\U00020000-\U000323af"
    # Hangul: spaced, but its words carry their particles, so that pairs of syllables find more
    "\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb\uffa0-\uffdc"
    # Thai, Lao, Myanmar, Khmer, without their digits and punctuation
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u109a-\u109d\ua9e0-\ua9ef\ua9fa-\ua9fe"
    "\uaa60-\uaa76\uaa7a-\uaa7f\u1780-\u17d3\u17d7\u17dc\u17dd"
)
"""Scripts whose words are not parted by spaces, as the inside of a character class."""

_MARK_BLOCKS = (
    (0x0300, 0x1E00),
    (0x20D0, 0x2100),
    (0x2CEF, 0x3100),
    (0xA660, 0xAC00),
    (0xFB1E, 0xFB1F),
    (0xFE00, 0xFE30),
    (0x10100, 0x12000),
    (0x16A00, 0x17000),
    (0x1BC90, 0x1BCA0),
    (0x1CF00, 0x1D250),
    (0x1DA00, 0x1DAB0),
    (0x1E000, 0x1E900),
    (0xE0100, 0xE01F0),
)
_JOINERS = "\u00ad\u200c\u200d\u2060"
ASCII_WORD = re.compile("[A-Za-z0-9]+")


@functools.cache
def marks() -> str:
    """Return all combining marks, soft hyphens and joiners as the inside of a character class.

    They continue a word; the ``w`` class of ``re`` leaves marks out, which would cut Hindi words at each vowel sign.
    The blocks that hold marks are looked through once, at the first text that is not ASCII.
    """
    found: list[list[int]] = []
    for first, stop in _MARK_BLOCKS:
        for code in range(first, stop):
            if unicodedata.category(chr(code))[0] == "M":
                if found and found[-1][1] == code - 1:
                    found[-1][1] = code
                else:
                    found.append([code, code])
    return _JOINERS + "".join(f"{chr(a)}-{chr(b)}" for a, b in found)


@functools.cache
def word_pattern() -> re.Pattern[str]:
    """Return the pattern of a raw word: a run of an unspaced script (group 1), or of other letters and digits.

    The underscore parts words, so that ``read_file`` is found by ``file``.
    """
    return re.compile(f"([{UNSPACED}][{UNSPACED}{marks()}]*+)|(?:[^\\W_{UNSPACED}]++[{marks()}]*+)++")


@functools.cache
def cluster_pattern() -> re.Pattern[str]:
    """Return the pattern of what a reader sees as one character of an unspaced script: a base with its marks."""
    follows = f"{marks()}\uff9e\uff9f\u1160-\u11ff\ud7b0-\ud7fb"
    return re.compile(f".[{follows}]*+", re.DOTALL)


@functools.cache
def composed_pattern() -> re.Pattern[str]:
    """Return the pattern of characters that call for ``cluster_pattern``; without them each character is a cluster."""
    return re.compile(f"[{marks()}\u1100-\u11ff\ud7b0-\ud7fb\u3200-\u33ff\uff66-\uffdc]")
