"""Snippets: the cut of a chunk that holds most of the query's words."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
_VISIBLE = re.compile(r"\S+")

Words: TypeAlias = Callable[[str], Sequence[tuple[str, int, int]]]


def snippet(text: str, terms: set[str], words: Words, *, width: int = 240) -> tuple[str, list[list[int]], int]:
    """Cut ``text`` to about ``width`` characters around the window with most distinct matched terms.

    Parameters
    ----------
    text
        The chunk's text.
    terms
        Normalised words of the query.
    words
        Splits a text into ``(normalised word, start, end)``.
    width
        Greatest number of characters of the cut, ellipses apart.

    Returns
    -------
    tuple
        The snippet (white space collapsed), the matched spans in it, and where the cut starts in ``text``.

    Examples
    --------
    >>> plain = lambda text: [(found.group(), *found.span()) for found in re.finditer("[a-z]+", text)]
    >>> snippet("red fox", {"fox"}, plain)
    ('red fox', [[4, 7]], 0)
    """
    found = matches(text, terms, words)
    start, stop = _window(text, found, width)
    spans = [(max(a, start), min(b, stop)) for _, a, b in found if a >= start and b <= stop]
    body, moved = _collapse(text, start, stop, spans)
    lead = "… " if start > 0 else ""
    tail = " …" if stop < len(text.rstrip()) else ""
    return lead + body + tail, [[a + len(lead), b + len(lead)] for a, b in moved], start


def matches(text: str, terms: set[str], words: Words) -> list[tuple[str, int, int]]:
    """Return the words of ``text`` that are among ``terms``, as ``(normalised word, start, end)``.

    Plain text is narrowed to words that begin like a term before anything is normalised (stemmers cut ends, never the
    first letter), and each distinct word is normalised once in a process.
    """
    if not text.isascii():
        return [(word, start, end) for word, start, end in words(text) if word in terms]
    letters = "".join(
        sorted({letter for term in terms if term.isascii() for letter in (term[0].lower(), term[0].upper())})
    )
    if not letters:
        return []
    found: list[tuple[str, int, int]] = []
    for run in _beginning_with(letters).finditer(text):
        for word, start, end in _normalised(words, run.group()):
            if word in terms:
                found.append((word, run.start() + start, run.start() + end))
    return found


@lru_cache(1 << 16)
def _normalised(words: Words, raw: str) -> tuple[tuple[str, int, int], ...]:
    return tuple(words(raw))


@lru_cache(256)
def _beginning_with(letters: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9])[{letters}][A-Za-z0-9]*")


def _window(text: str, found: Sequence[tuple[str, int, int]], width: int) -> Span:
    """Choose the cut: the earliest of those with most distinct terms, then most matches."""
    if len(text) <= width:
        return 0, len(text)
    best, best_start = (-1, -1), 0
    last = 0
    for first in range(len(found)):
        last = max(last, first)
        while last < len(found) and found[last][2] - found[first][1] <= width:
            last += 1
        inside = found[first:last]
        score = (len({word for word, _, _ in inside}), len(inside))
        if score > best:
            spare = width - (inside[-1][2] - inside[0][1]) if inside else width
            best, best_start = score, max(0, found[first][1] - max(0, spare) // 3)
    return _to_words(text, best_start, width)


def _to_words(text: str, start: int, width: int) -> Span:
    """Move the ends of a cut to white space where there is some near by."""
    start = min(start, max(0, len(text) - width))
    if start:
        space = text.find(" ", start, start + 24)
        start = space + 1 if space >= 0 else start
    stop = min(len(text), start + width)
    if stop < len(text):
        space = text.rfind(" ", max(start + 1, stop - 24), stop)
        stop = space if space > start else stop
    return start, stop


def _collapse(text: str, start: int, stop: int, spans: Sequence[Span]) -> tuple[str, list[Span]]:
    """Collapse runs of white space in ``text[start:stop]`` and move the spans along."""
    out: list[str] = []
    starts: list[int] = []
    places: list[int] = []
    length = 0
    for match in _VISIBLE.finditer(text, start, stop):
        length += bool(out)
        starts.append(match.start())
        places.append(length)
        out.append(match.group())
        length += match.end() - match.start()
    moved = []
    for a, b in spans:
        first, last = bisect_right(starts, a) - 1, bisect_right(starts, b - 1) - 1
        moved.append((places[first] + a - starts[first], places[last] + b - starts[last]))
    return " ".join(out), moved
