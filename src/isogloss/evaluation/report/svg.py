"""Pieces of hand-written SVG: escaped text that fits, scales, ticks, and the frame that names a plot."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import combining, east_asian_width

from isogloss.evaluation.report import wording

FONT = 13.0
"""Size of text in the plots; they are drawn at the size at which they are shown."""
CHAR = 0.56
"""Mean width of a character of a sans-serif face, in sizes."""


def escaped(text: str) -> str:
    """Return a text that is safe in HTML and SVG, in elements and in quoted attributes.

    Examples
    --------
    >>> escaped('<script>"')
    '&lt;script&gt;&quot;'
    """
    return html.escape(wording.line(text), quote=True)


def text_width(text: str, size: float = FONT) -> float:
    """Return about how wide a text is drawn: wide characters count double, combining ones nothing."""
    units = sum(0 if combining(char) else 1.8 if east_asian_width(char) in "WF" else 1 for char in text)
    return CHAR * size * units


def fitted(text: str, room: float, size: float = FONT) -> str:
    """Return a text cut to ``room``, with an ellipsis where something is missing.

    Examples
    --------
    >>> fitted("a very long name of a system", 80.0)
    'a very lo…'
    """
    text = wording.line(text)
    if text_width(text, size) <= room:
        return text
    while text and text_width(text + "…", size) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def coordinate(value: float) -> str:
    """Return a coordinate with one decimal at most."""
    return f"{round(value, 1):g}"


def label(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    """Return a text element; ``kind`` is its class, ``anchor`` says which end ``x`` is."""
    style = f' class="{kind}"' if kind else ""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{coordinate(x)}" y="{coordinate(y)}"{style}{place}>{escaped(text)}</text>'


def stroke(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a line of the class ``kind``."""
    a, b, c, d = (coordinate(value) for value in (x1, y1, x2, y2))
    return f'<line x1="{a}" y1="{b}" x2="{c}" y2="{d}" class="{kind}"/>'


def box(x: float, y: float, width: float, height: float, kind: str, round_by: float = 0.0) -> str:
    """Return a rectangle of the class ``kind``; no width is too small to be drawn, none is negative."""
    a, b, c, d = (coordinate(value) for value in (x, y, max(0.0, width), max(0.0, height)))
    corner = f' rx="{coordinate(round_by)}"' if round_by else ""
    return f'<rect x="{a}" y="{b}" width="{c}" height="{d}"{corner} class="{kind}"/>'


def dot(x: float, y: float, radius: float, kind: str, title: str = "") -> str:
    """Return a circle, with what is shown when it is pointed at."""
    inside = f"<title>{escaped(title)}</title>" if title else ""
    place = f'cx="{coordinate(x)}" cy="{coordinate(y)}" r="{coordinate(radius)}"'
    return f'<circle {place} class="{kind}">{inside}</circle>'


def framed(width: float, height: float, title: str, description: str, parts: Sequence[str]) -> str:
    """Return a whole drawing with a title and a description for those who do not see it."""
    size = f'viewBox="0 0 {coordinate(width)} {coordinate(height)}" style="max-width:{coordinate(width)}px"'
    name = f"<title>{escaped(title)}</title><desc>{escaped(description)}</desc>"
    return f'<svg {size} role="img" aria-label="{escaped(title)}">{name}{"".join(parts)}</svg>'


@dataclass(frozen=True, slots=True)
class Scale:
    """From values ``low ... high`` to pixels ``start ... stop``, linear or by powers of ten.

    Examples
    --------
    >>> Scale(0.0, 1.0, 100.0, 200.0).at(0.5), Scale(1.0, 100.0, 0.0, 10.0, log=True).at(10.0)
    (150.0, 5.0)
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def at(self, value: float) -> float:
        """Return the pixel of a value; those outside stop at the edge."""
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        share = ((math.log10(value) if self.log else value) - low) / ((high - low) or 1.0)
        return self.start + min(1.0, max(0.0, share)) * (self.stop - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Return round values inside, ``most`` of them or fewer."""
        return _powers(self.low, self.high, most) if self.log else _rounds(self.low, self.high, most)


def _rounds(low: float, high: float, most: int) -> list[float]:
    span = high - low
    if span <= 0:
        return [low]
    step = 10.0 ** math.floor(math.log10(span / most))
    step = next(step * factor for factor in (1, 2, 5, 10, 20, 50) if span / (step * factor) <= most)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _powers(low: float, high: float, most: int) -> list[float]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [f * 10.0**e for e in exponents for f in factors if low <= f * 10.0**e <= high]
        if len(found) <= most:
            return found
    return found[:: math.ceil(len(found) / most)]


def span(values: Sequence[float], *, zero: bool = False, room: float = 0.06) -> tuple[float, float]:
    """Return bounds that hold all finite values with room at both ends, and 0 where it is asked for.

    Examples
    --------
    >>> span([0.5, float("nan")]), span([0.0, 1.0], room=0.0)
    ((0.45, 0.55), (0.0, 1.0))
    """
    known = [value for value in values if math.isfinite(value)] + ([0.0] if zero else [])
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    if high - low < 1e-9:
        pad = 0.1 * abs(low) or 0.1
        return round(low - pad, 10), round(high + pad, 10)
    pad = room * (high - low)
    return low - pad, high + pad
