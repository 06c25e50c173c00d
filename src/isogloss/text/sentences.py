"""Sentences by rules: fast, without a model, with exact offsets, for prose, lists, code and unspaced scripts."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 400
"""Spans longer than this many characters are cut further, at lines, clauses, spaces, or by length."""

_ABBREVIATIONS_WORDS = (
    "mr mrs ms mx dr prof rev fr hon pres gov sen rep gen col maj capt cmdr lt sgt st mt ft vs viz cf al ca "
    "approx eg ie e.g i.e p pp par paras para ch chap sec sect art fig figs eq eqs eqn tab ref refs ed eds vol "
    "vols nr no nos op cit ibid ex est dept univ jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu "
    "fri abb kap bzw bspw evtl ggf vgl sog usw z.b d.h u.a z.t o.ä str tel abs aufl hrsg hr fr dipl ing geb mme "
    "mlle mm av env sr sra srta dra ud uds pág págs núm sig sigg dott avv arq exmo dhr mevr drs bijv"
)
_ABBREVIATIONS = frozenset(_ABBREVIATIONS_WORDS.split())
_STARTERS_WORDS = (
    "The A An In On At It He She We They This That These Those There But And If When While After Before However I You "
    "Our His Her Its Their As For From To Der Die Das Ein Eine Es Er Sie Le La Les Un Une Il Elle El Los"
)
_STARTERS = frozenset(_STARTERS_WORDS.split())
_CLOSERS = r"\"'”’»›)\]}*_`」』）】》〉］"
_STOPS = r".!?…‽⁇⁈⁉"
_WIDE = r"。！？｡．।॥።։؟۔၊။"
_CANDIDATE = re.compile(
    # each run is taken whole and possessively, so that a million dots cost a million steps
    rf"[{_STOPS}{_WIDE}\n](?:(?<=\n)\s*+"
    rf"|(?<=[{_STOPS}])[{_STOPS}]*+[{_CLOSERS}]*+\s*+"
    rf"|(?<=[{_WIDE}])[{_WIDE}{_STOPS}]*+[{_CLOSERS}]*+\s*+)"
)
# what opens a line of its own: a list item, a heading, a fence, a table row, a quotation
_LINE_START = re.compile(r"(?:[-*+•‣◦▪·]\s|\(?(?:\d{1,3}|[a-zA-Z])[.)]\s|#{1,6}\s|```|~~~|\||>)")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_CUTS = (
    re.compile(r"\n\s*"),
    re.compile(r"[;:，、；：،,]\s+|[，、；：،]|[–—]\s"),
    re.compile(r"\s+"),
)


def sentences(text: str, *, longest: int = LONGEST) -> list[tuple[int, int]]:
    """Cut a text into sentences by rules.

    Spans are contiguous and cover the text: each owns the white space that follows it, and the joined
    slices give the text back. A full stop ends a sentence unless it follows an abbreviation, an initial
    or a list number, or stands before a lower-case letter; Chinese, Japanese, Devanagari, Ethiopic,
    Armenian, Arabic and Burmese stops need no space after them. Blank lines, list items, headings,
    indented and quoted lines end a span too. Spans longer than ``longest`` (Thai, tables, minified code)
    are cut at lines, else clauses, else spaces, else by length.

    Parameters
    ----------
    text
        Any text.
    longest
        Longest span in characters, at least 1.

    Returns
    -------
    list of (int, int)
        Start and end offsets in characters; empty for an empty text.

    Examples
    --------
    >>> text = "Dr. Wu paid 3.50 dollars. Why? 他走了。她也走了。"
    >>> [text[start:end] for start, end in sentences(text)]
    ['Dr. Wu paid 3.50 dollars. ', 'Why? ', '他走了。', '她也走了。']
    """
    spans: list[tuple[int, int]] = []
    start, length = 0, len(text)
    for match in _CANDIDATE.finditer(text):
        end = match.end()
        if end < length and _ends(text, match.start(), end):
            _append(spans, text, start, end, longest)
            start = end
    if start < length:
        _append(spans, text, start, length, longest)
    return spans


def _append(spans: list[tuple[int, int]], text: str, start: int, end: int, longest: int) -> None:
    if end - start <= longest:
        spans.append((start, end))
    else:
        spans.extend(_cut(text, start, end, max(1, longest)))


def _ends(text: str, at: int, end: int) -> bool:
    """Say whether the candidate ``text[at:end]`` ends a sentence."""
    stop = text[at]
    if stop == "\n":
        return _line_ends(text, at, end)
    if stop not in _STOPS:
        return True
    if not text[end - 1].isspace():
        return False
    following = text[end]
    if "\n" in text[at:end] and (text.count("\n", at, end) > 1 or _LINE_START.match(text, end)):
        return True
    if following.islower():
        return False
    return stop != "." or not _abbreviated(text, at, end)


def _line_ends(text: str, at: int, end: int) -> bool:
    if text.count("\n", at, end) > 1:
        return True
    blank = text[at + 1 : end]
    return "\t" in blank or len(blank) > 3 or _LINE_START.match(text, end) is not None


def _abbreviated(text: str, at: int, end: int) -> bool:
    """Say whether the full stop at ``at`` belongs to the word before it."""
    if text[at + 1] == ".":
        return False
    left = at
    while left > max(0, at - 12) and not text[left - 1].isspace():
        left -= 1
    word = text[left:at].lstrip("([{\"'“‘«„*_")
    if not word or len(word) > 8:
        return False
    if word.isdecimal():  # a list number opens its line
        return left == 0 or text[left - 1] == "\n"
    if len(word) == 1:
        return word.isupper() and word.isalpha() and word.isascii()
    if word.lower() in _ABBREVIATIONS:
        return True
    if _DOTTED.fullmatch(word):
        return re.split(r"\W", text[end : end + 12], maxsplit=1)[0] not in _STARTERS
    return False


def _cut(text: str, start: int, end: int, longest: int) -> list[tuple[int, int]]:
    """Cut a long span at the last line, clause or space inside each window, else by length."""
    spans = []
    while end - start > longest:
        stop = start + longest
        cut = 0
        for pattern in _CUTS:
            for match in pattern.finditer(text, start + longest // 4, stop):
                cut = match.end()
            if cut:
                break
        if not cut:
            cut = stop
            while cut > stop - 8 and cut > start + 1 and unicodedata.category(text[cut])[0] == "M":
                cut -= 1  # a mark stays with its letter
        spans.append((start, cut))
        start = cut
    spans.append((start, end))
    return spans
