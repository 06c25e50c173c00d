"""The plots of a report: scores and differences with intervals, duels, quality against cost, reliability."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Literal

from isogloss.evaluation.report import wording
from isogloss.evaluation.report.content import Duel, Reliability, Report, difference_to, outcome
from isogloss.evaluation.report.svg import Scale, box, dot, fitted, framed, label, span, stroke, text_width
from isogloss.evaluation.results import Comparison

WIDE, NARROW = 812.0, 340.0
"""Widths that each plot is drawn for: beside text on a desk, and on a telephone."""
Mark = Literal["plain", "base", "better", "worse", "tied"]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of an interval plot: its label, the number with its interval, the text at the end, its look."""

    label: str
    value: float
    low: float
    high: float
    text: str
    mark: Mark = "plain"
    band: float = 0.0


def both(draw: Callable[[float], str]) -> str:
    """Return a plot twice, for wide and narrow pages; the style sheet shows one."""
    return f'<div class="wide">{draw(WIDE)}</div><div class="narrow">{draw(NARROW)}</div>'


def scores(comparison: Comparison, control: str, width: float = WIDE) -> str:
    """Return the scores with their intervals, best first; brackets join systems that cannot be told apart."""
    rows = [
        Row(
            s.system, s.value, s.interval.low, s.interval.high,
            f"{wording.number(s.value)} {wording.interval(s.interval)}", "base" if s.system == control else "plain",
        )
        for s in comparison.scores
    ]  # fmt: skip
    names = [row.label for row in rows]
    groups = [[names.index(name) for name in group if name in names] for group in comparison.ties]
    title = f"{comparison.metric} of {wording.counted(len(rows), 'system')}, with intervals"
    return _intervals(rows, width, title, groups=[group for group in groups if len(group) > 1])


def differences(comparison: Comparison, control: str, width: float = WIDE) -> str:
    """Return the paired differences to ``control`` with intervals; grey bands are too small for these questions."""
    rows = []
    for score in comparison.scores:
        pair = difference_to(comparison, score.system, control)
        if pair is not None:
            text = f"{wording.signed(pair.value)} {wording.p_value(pair.corrected)}"
            low, high = pair.interval.low, pair.interval.high
            rows.append(Row(score.system, pair.value, low, high, text, outcome(pair), pair.visible))
    return _intervals(rows, width, f"Difference in {comparison.metric} to {control}, paired, with intervals", zero=True)


def _intervals(
    rows: Sequence[Row], width: float, title: str, *, zero: bool = False, groups: Sequence[Sequence[int]] = ()
) -> str:
    narrow = width < 500
    step, top = (46.0, 6.0) if narrow else (30.0, 8.0)
    lanes = _lanes(groups)
    right = 12.0 + 9.0 * (max(lanes, default=-1) + 1)
    left = 0.0 if narrow else min(230.0, 16 + max((text_width(wording.line(r.label)) for r in rows), default=0.0))
    end = width - right - (8.0 if narrow else 24 + max((text_width(row.text) for row in rows), default=0.0))
    bounds = span([x for row in rows for x in (row.low, row.high, row.value)], zero=zero)
    scale = Scale(*bounds, max(left + 6, 16.0), end)
    bottom = top + step * len(rows)
    parts = _axis(scale, top, bottom, zero)
    for place, row in enumerate(rows):
        parts += _row(row, scale, top + step * place, step, width - right - 8, left, narrow)
    for group, lane in zip(groups, lanes, strict=True):
        x = width - right + 8 + 9 * lane
        first, last = top + step * min(group), top + step * (max(group) + 1)
        parts.append(stroke(x, first + 7, x, last - 7, "bracket"))
    said = "; ".join(f"{row.label}: {row.text}" for row in rows)
    return framed(width, bottom + 26, title, said, parts)


def _lanes(groups: Sequence[Sequence[int]]) -> list[int]:
    """Return for each bracket the first lane in which it touches no earlier one."""
    ends: list[int] = []
    lanes = []
    for group in groups:
        lane = next((i for i, end in enumerate(ends) if end < min(group)), len(ends))
        ends[lane : lane + 1] = [max(group)]
        lanes.append(lane)
    return lanes


def _axis(scale: Scale, top: float, bottom: float, zero: bool) -> list[str]:
    ticks = scale.ticks(max(2, int((scale.stop - scale.start) // 60)))
    digits = _digits(ticks)
    parts = []
    for tick in ticks:
        x = scale.at(tick)
        parts.append(stroke(x, top, x, bottom, "zero" if zero and tick == 0 else "grid"))
        text = wording.signed(tick, digits) if zero else wording.number(tick, digits)
        parts.append(label(x, bottom + 18, "0" if tick == 0 else text, "tick", "middle"))
    return parts


def _digits(ticks: Sequence[float]) -> int:
    """Return the decimals that tell the ticks apart."""
    gaps = [b - a for a, b in pairwise(ticks)]
    return max(0, math.ceil(-math.log10(min(gaps)) - 1e-9)) if gaps else 2


def _row(row: Row, scale: Scale, top: float, step: float, end: float, left: float, narrow: bool) -> list[str]:
    y = top + (32.0 if narrow else step / 2)
    words_y = top + 16 if narrow else y + 4.5
    room = end - 16 - text_width(row.text) if narrow else left - 14
    parts = [label(0, words_y, fitted(row.label, room), f"name {row.mark}")]
    parts.append(label(end, words_y, row.text, "value", "end"))
    if row.band and math.isfinite(row.band):
        start, stop = scale.at(-row.band), scale.at(row.band)
        parts.append(box(start, y - 6, stop - start, 12, "band", 2))
    if math.isfinite(row.low) and math.isfinite(row.high):
        parts.append(stroke(scale.at(row.low), y, scale.at(row.high), y, f"interval {row.mark}"))
    if math.isfinite(row.value):
        parts.append(dot(scale.at(row.value), y, 5, f"point {row.mark}", f"{row.label}: {row.text}"))
    return parts


def duels(found: Sequence[Duel], width: float = WIDE) -> str:
    """Return a bar a pair of systems: questions won, equal and lost."""
    parts = []
    for place, one in enumerate(found):
        y = 8.0 + 54 * place
        total = max(1, one.wins + one.ties + one.losses)
        name = f"{one.system} against {one.control}"
        parts.append(label(0, y + 12, fitted(name, width - 8), "name"))
        x = 0.0
        for count, kind in ((one.wins, "better"), (one.ties, "tied"), (one.losses, "worse")):
            length = width * count / total
            parts.append(box(x, y + 20, length - 1, 20, f"bar {kind}"))
            if length > 10 + text_width(f"{count:,}"):
                parts.append(label(x + 6, y + 34.5, f"{count:,}", "in-bar"))
            x += length
    said = "; ".join(
        f"{one.system} against {one.control}: {one.wins} won, {one.ties} equal, {one.losses} lost" for one in found
    )
    return framed(width, 10 + 54.0 * len(found), "Questions won, equal and lost", said, parts)


@dataclass(frozen=True, slots=True)
class Point:
    """A system in the plane of cost and quality."""

    label: str
    x: float
    y: float
    low: float
    high: float


def cost_points(report: Report, comparison: Comparison, name: str) -> list[Point]:
    """Return the systems whose cost ``name`` and score are known; a cost of 0 has no place on a logarithmic axis."""
    found = []
    for score in comparison.scores:
        cost = getattr(report.cost(score.system), name)
        if cost is not None and math.isfinite(cost) and cost > 0 and math.isfinite(score.value):
            found.append(Point(score.system, float(cost), score.value, score.interval.low, score.interval.high))
    return found


def quality_against_cost(points: Sequence[Point], metric: str, cost: str, more_is_better: bool, width: float) -> str:
    """Return scores over a logarithmic cost axis; a line joins the systems that no other beats in both."""
    height, left, bottom = min(320.0, 0.9 * width), 52.0, 44.0
    lows = [point.low if math.isfinite(point.low) else point.y for point in points]
    highs = [point.high if math.isfinite(point.high) else point.y for point in points]
    costs = [point.x for point in points]
    across = Scale(min(costs) / 1.6, max(costs) * 1.6, left, width - 12, log=True)
    up = Scale(*span([*lows, *highs]), height - bottom, 12)
    parts = []
    digits = _digits(up.ticks(5))
    for tick in up.ticks(5):
        parts += [stroke(left, up.at(tick), width - 12, up.at(tick), "grid")]
        parts += [label(left - 8, up.at(tick) + 4, wording.number(tick, digits), "tick", "end")]
    for tick in across.ticks(max(3, int(width // 90))):
        parts += [stroke(across.at(tick), 12, across.at(tick), height - bottom, "grid")]
        parts += [label(across.at(tick), height - bottom + 17, wording.amount(tick), "tick", "middle")]
    parts.append(label((left + width) / 2, height - 6, cost, "axis", "middle"))
    front = frontier(points, more_is_better)
    parts += [stroke(across.at(a.x), up.at(a.y), across.at(b.x), up.at(b.y), "front") for a, b in pairwise(front)]
    for point, low, high in zip(points, lows, highs, strict=True):
        x, mark = across.at(point.x), "better" if point in front else "tied"
        parts.append(stroke(x, up.at(low), x, up.at(high), f"interval {mark}"))
        said = f"{point.label}: {wording.number(point.y)} at {wording.amount(point.x)} {cost}"
        parts.append(dot(x, up.at(point.y), 5, f"point {mark}", said))
    parts += _names(points, across, up, width)
    said = "; ".join(f"{p.label}: {wording.number(p.y)} at {wording.amount(p.x)}" for p in points)
    return framed(width, height, f"{metric} against {cost}", said, parts)


def frontier(points: Sequence[Point], more_is_better: bool) -> list[Point]:
    """Return the points that no other beats in quality and cost, cheapest first.

    Examples
    --------
    >>> points = [Point("a", 1.0, 0.3, 0, 1), Point("b", 2.0, 0.5, 0, 1), Point("c", 3.0, 0.4, 0, 1)]
    >>> [point.label for point in frontier(points, more_is_better=False)]
    ['a', 'b']
    """
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (-p.x if more_is_better else p.x, -p.y)):
        if not front or point.y > front[-1].y:
            front.append(point)
    return front


def _names(points: Sequence[Point], across: Scale, up: Scale, width: float) -> list[str]:
    """Return names beside the points, moved up or down where they would cover each other or another point."""
    taken = [(across.at(p.x) - 6, up.at(p.y) - 7, across.at(p.x) + 6, up.at(p.y) + 7) for p in points]
    lines = [(across.at(p.x) - 2, up.at(p.high), across.at(p.x) + 2, up.at(p.low)) for p in points]
    parts = []
    for point in points:
        x, y = across.at(point.x), up.at(point.y)
        text = fitted(point.label, min(150.0, 0.4 * width))
        long = text_width(text)
        best = None
        for shift, side in product((0, -15, 15, -29, 29), (x + 9, x - 9 - long)):
            area = (side, y + shift - 9, side + long, y + shift + 5)
            inside = area[0] >= 50 and area[2] <= width - 2 and area[1] >= 2
            if not inside or any(_meet(area, other) for other in taken):
                continue
            best = best or area
            if not any(_meet(area, line) for line in lines):
                best = area
                break
        if best is not None:
            taken.append(best)
            parts.append(label(best[0], best[1] + 13.5, text, "name small"))
    return parts


def _meet(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def reliability(one: Reliability) -> str:
    """Return observed against predicted relevance, with intervals, and how many pairs each bin holds."""
    width, left, top, side, foot = 326.0, 44.0, 10.0, 264.0, 46.0
    across, up = Scale(0.0, 1.0, left, left + side), Scale(0.0, 1.0, top + side, top)
    base = top + side + 24 + foot
    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts += [stroke(left, up.at(tick), left + side, up.at(tick), "grid")]
        parts += [stroke(across.at(tick), top, across.at(tick), top + side, "grid")]
        parts += [label(left - 7, up.at(tick) + 4, wording.number(tick, 2), "tick", "end")]
        parts += [label(across.at(tick), top + side + 16, wording.number(tick, 2), "tick", "middle")]
    parts.append(stroke(across.at(0), up.at(0), across.at(1), up.at(1), "diagonal"))
    density = [b.count / max(b.high - b.low, 0.01) for b in one.bins]  # so that an area stands for pairs
    most = max(density, default=0) or 1
    for b, thick in zip(one.bins, density, strict=True):
        start, stop = across.at(b.low), across.at(b.high)
        tall = foot * thick / most
        parts.append(box(start + 1, base - tall, max(1.0, stop - start - 2), tall, "bar count"))
        if not (b.count and math.isfinite(b.observed) and math.isfinite(b.predicted)):
            continue
        x = across.at(b.predicted)
        if b.interval is not None:
            parts.append(stroke(x, up.at(b.interval.low), x, up.at(b.interval.high), "interval plain"))
        said = f"P {wording.number(b.predicted)}: {wording.number(b.observed)} relevant of {b.count:,} pairs"
        parts.append(dot(x, up.at(b.observed), 4.5, "point plain", said))
    parts.append(label(left + side / 2, base + 16, "P(relevant) said; areas: pairs", "axis", "middle"))
    said = "; ".join(f"said {wording.number(b.predicted)}, relevant {wording.number(b.observed)}" for b in one.bins)
    return framed(width, base + 22, f"Reliability of P(relevant) by {one.system}", said, parts)
