"""Text laid out for a terminal: numbers, widths of wide characters, columns, wrapped lines with marked spans."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

# control characters, and the marks that reverse or hide what follows: a document must not steer the terminal
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_CONTROLS_BUT_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def clean(text: str) -> str:
    r"""Return ``text`` on one line, control characters as spaces.

    Examples
    --------
    >>> clean("a\tb\x1b[31m\nc")
    'a b [31m c'
    """
    return _CONTROLS.sub(" ", text)


def visible(text: str) -> str:
    """Return ``text`` with its lines and tabs, other control characters as spaces."""
    return _CONTROLS_BUT_LINES.sub(" ", text)


def count(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> count(1, "file"), count(1400, "file"), count(2, "index", "indexes")
    ('1 file', '1,400 files', '2 indexes')
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def duration(seconds: float) -> str:
    """Return a time as people say it.

    Examples
    --------
    >>> [duration(x) for x in (0.0042, 0.61, 12.3, 125)]
    ['4 ms', '0.6 s', '12 s', '2 min 5 s']
    """
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def size(number: int) -> str:
    """Return a number of bytes in powers of ten.

    Examples
    --------
    >>> [size(x) for x in (999, 1_500, 2_340_000, 5_000_000_000)]
    ['999 bytes', '1.5 kB', '2.3 MB', '5.0 GB']
    """
    if number < 1000:
        return f"{number} bytes"
    value = float(number)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95 or unit == "GB":
            break
    return f"{value:.1f} {unit}"


def shares(counts: Mapping[str, int], *, most: int = 5) -> str:
    """Return the largest parts of a whole with their shares.

    Examples
    --------
    >>> shares({"en": 97, "de": 2, "fr": 1}, most=2)
    'en 97 %, de 2 %, 1 other 1 %'
    """
    total = sum(counts.values())
    if not total:
        return ""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{name or 'unknown'} {percent(number / total)}" for name, number in ordered[:most]]
    rest = ordered[most:]
    if rest:
        parts.append(f"{len(rest)} other{'s' if len(rest) > 1 else ''} {percent(sum(n for _, n in rest) / total)}")
    return ", ".join(parts)


def percent(share: float) -> str:
    """Return a share in percent; never 0 % or 100 % for what is not.

    Examples
    --------
    >>> [percent(x) for x in (0, 0.0004, 0.296, 0.9999, 1)]
    ['0 %', '0.04 %', '30 %', '99.99 %', '100 %']
    """
    value = 100 * share
    for digits in (0, 1, 2):
        text = f"{value:.{digits}f}"
        if (value in (0, 100)) or float(text) not in (0, 100):
            return f"{text} %"
    return "< 0.01 %" if value < 50 else "> 99.99 %"


def names(items: Sequence[str], *, most: int = 3) -> str:
    """Return the first names of a list, and how many more there are.

    Examples
    --------
    >>> names(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    shown = ", ".join(clean(item) for item in items[:most])
    return f"{shown} and {len(items) - most:,} more" if len(items) > most else shown


def width(text: str) -> int:
    """Return the columns that ``text`` takes: two for wide characters, none for combining ones.

    Examples
    --------
    >>> width("abc"), width("日本"), width("e" + chr(0x301))
    (3, 4, 1)
    """
    if text.isascii():
        return len(text)
    import unicodedata

    total = 0
    for char in text:
        if not unicodedata.combining(char):
            total += 2 if unicodedata.east_asian_width(char) in "WF" else 1
    return total


def shorten(text: str, columns: int) -> str:
    """Return ``text`` cut to ``columns``, with an ellipsis where something is missing.

    Examples
    --------
    >>> shorten("abcdef", 4)
    'abc…'
    """
    if width(text) <= columns:
        return text
    used, kept = 1, []
    for char in text:
        used += width(char)
        if used > columns:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"


def columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), gap: int = 2) -> list[str]:
    """Return rows as lines of aligned columns; those numbered in ``right`` are flush right.

    Examples
    --------
    >>> columns([["a", "1"], ["bc", "10"]], right=[1])
    ['a    1', 'bc  10']
    """
    widths = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = []
        for i, (cell, columns_) in enumerate(zip(row, widths, strict=True)):
            space = " " * (columns_ - width(cell))
            cells.append(space + cell if i in right else cell + space)
        lines.append((" " * gap).join(cells).rstrip())
    return lines


def wrap(text: str, columns: int) -> list[tuple[int, int]]:
    """Cut ``text`` into lines of at most ``columns``; returns character spans, at spaces where there are some.

    Examples
    --------
    >>> text = "one two three"
    >>> [text[a:b] for a, b in wrap(text, 8)]
    ['one two', 'three']
    """
    lines, start, space, used, i = [], 0, -1, 0, 0
    while i < len(text):
        used += width(text[i])
        if text[i] == " ":
            space = i
        elif used > columns and i > start:
            stop = space if space > start else i
            lines.append((start, stop))
            start = stop + 1 if stop == space else stop
            i, space, used = start - 1, -1, 0
        i += 1
    if start < len(text):
        lines.append((start, len(text)))
    return lines


def mark(text: str, line: tuple[int, int], spans: Sequence[Sequence[int]], style: Callable[[str], str]) -> str:
    """Return ``text[line]`` with the parts that lie in ``spans`` styled.

    Examples
    --------
    >>> mark("red fox runs", (0, 7), [[4, 7]], str.upper)
    'red FOX'
    """
    start, stop = line
    out, at = [], start
    for a, b in spans:
        a, b = max(a, at), min(b, stop)
        if a < b:
            out += [text[at:a], style(text[a:b])]
            at = b
    return "".join([*out, text[at:stop]])


def terminal_width() -> int:
    """Return the columns of the terminal, between 40 and 120."""
    import shutil

    return max(40, min(120, shutil.get_terminal_size().columns))
