"""From measured effects to words: the rules of every finding, in one place, on numbers alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from isogloss.recipes._effects import Measured, seeds_needed

Word = Literal["holds", "other cause", "refuted here", "inconclusive", "not run", "stale"]
WORDS: tuple[Word, ...] = ("holds", "other cause", "refuted here", "inconclusive", "not run", "stale")
Judged = tuple[Word, str]
"""A verdict and why, in words."""


def gains(d: Measured, margin: float) -> bool:
    """Say whether ``d`` (treated - control) is a real gain of at least the margin.

    Examples
    --------
    >>> gains(Measured(0.05, 0.03, 0.07, 0.01, 0.0, 5), 0.01), gains(Measured(0.05, -0.01, 0.11, 0.03, 0.0, 5), 0.01)
    (True, False)
    """
    return d.value >= margin and d.low > 0


def no_gain(d: Measured, margin: float) -> Judged:
    """Judge a sabotaged claim that is no gain any more: surely below the margin, or not surely anything.

    Examples
    --------
    >>> no_gain(Measured(0.0, -0.01, 0.005, 0.01, 0.0, 5), 0.01)[0], no_gain(Measured(0.0, -0.1, 0.1, 0, 0, 5), 0.01)[0]
    ('refuted here', 'inconclusive')
    """
    if d.high < margin:
        return "refuted here", f"treated - control {span(d)} stays below the margin {margin:g}"
    return "inconclusive", f"treated - control {span(d)} is no real gain of {margin:g}"


def better(d: Measured, m: Measured, margin: float, control_seen: bool) -> Judged:
    """Judge a gain: ``d`` is treated - control, ``m`` is treated - placebo.

    Examples
    --------
    >>> gain = Measured(0.05, 0.03, 0.07, 0.01, 0.0, 5)
    >>> better(gain, gain, 0.01, False)[0], better(gain, Measured(0.0, -0.005, 0.005, 0, 0, 5), 0.01, False)[0]
    ('holds', 'other cause')
    """
    real = gains(d, margin)
    if real and m.high < margin:
        return "other cause", f"the gain is real, but the placebo reaches it: treated - placebo {span(m)}"
    if real and m.low > 0:
        return "holds", f"treated - control {span(d)}, treated - placebo {span(m)}, margin {margin:g}"
    if d.high < margin:
        if control_seen:
            return "refuted here", f"treated - control {span(d)} stays below the margin {margin:g}"
        return "inconclusive", f"treated - control {span(d)} stays below the margin, but no positive control was seen"
    name, open_one = ("treated - placebo", m) if real else ("treated - control", d)
    return "inconclusive", f"{name} {span(open_one)} decides nothing at margin {margin:g}; {settling(open_one, margin)}"


def no_loss(d: Measured, margin: float, control_seen: bool, *, both_ways: bool) -> Judged:
    """Judge a claim of no loss (``both_ways``: of no difference): the interval inside the margin, a planted loss seen.

    Examples
    --------
    >>> no_loss(Measured(0.0, -0.005, 0.005, 0, 0, 5), 0.01, True, both_ways=True)[0]
    'holds'
    """
    if d.high < -margin or (both_ways and d.low > margin):
        return "refuted here", f"treated - control {span(d)} lies outside the margin {margin:g}"
    inside = d.low > -margin and (not both_ways or d.high < margin)
    if inside and control_seen:
        return "holds", f"treated - control {span(d)} lies inside the margin {margin:g}, and a planted loss was seen"
    if inside:
        return "inconclusive", f"treated - control {span(d)} lies inside the margin, but a planted loss was not seen"
    said = f"treated - control {span(d)} crosses the margin {margin:g}"
    return "inconclusive", f"{said}; {settling(d, -margin if d.value < 0 or not both_ways else margin)}"


def ordered(whole: Measured, steps: Sequence[Measured], more: Measured | None, margin: float) -> Judged:
    """Judge a rising ladder: ``whole`` is last - first, ``steps`` neighbours, ``more`` arm's rise - placebo's rise.

    Examples
    --------
    >>> up = Measured(0.05, 0.03, 0.07, 0.01, 0.0, 5)
    >>> ordered(up, [up, up], None, 0.01)[0], ordered(up, [up, up.mirrored()], None, 0.01)[0]
    ('holds', 'refuted here')
    """
    back = [step for step in steps if step.high < 0]
    if back:
        return "refuted here", f"a step goes the wrong way: {span(back[0])}"
    if whole.high < margin:
        return "refuted here", f"from first to last {span(whole)}, below the margin {margin:g}"
    if not (whole.value >= margin and whole.low > 0):
        return "inconclusive", f"from first to last {span(whole)}; {settling(whole, margin)}"
    if not all(step.value > 0 for step in steps):
        return "inconclusive", "a step does not go up, though not surely down"
    return _beside_placebo(more, margin, f"from first to last {span(whole)}, every step in order")


def peaked(gains: tuple[Measured, Measured], more: Measured | None, margin: float) -> Judged:
    """Judge an inner optimum: ``gains`` are the best inner size over the first and over the last.

    Examples
    --------
    >>> up = Measured(0.05, 0.03, 0.07, 0.01, 0.0, 5)
    >>> peaked((up, up), None, 0.01)[0], peaked((up, up.mirrored()), None, 0.01)[0]
    ('holds', 'refuted here')
    """
    low = [gain for gain in gains if gain.high < margin]
    if low:
        return "refuted here", f"no inner size beats an end by the margin {margin:g}: {span(low[0])}"
    if not all(gain.value >= margin and gain.low > 0 for gain in gains):
        worst = min(gains, key=lambda gain: gain.low)
        return "inconclusive", f"an end is not surely worse: {span(worst)}; {settling(worst, margin)}"
    return _beside_placebo(more, margin, f"the best inner size beats the ends by {span(gains[0])} and {span(gains[1])}")


def _beside_placebo(more: Measured | None, margin: float, words: str) -> Judged:
    if more is None or more.low > 0:
        return "holds", words + ("" if more is None else f"; beyond the placebo {span(more)}")
    if more.high < margin:
        return "other cause", f"{words}; but the placebo does the same: {span(more)}"
    return "inconclusive", f"{words}; beyond the placebo {span(more)}; {settling(more, margin)}"


def interacts(here: Measured, more: Measured, m: Measured | None, margin: float) -> Judged:
    """Judge that a gain is there ``here`` and greater by a margin than elsewhere (``more``).

    Examples
    --------
    >>> up = Measured(0.05, 0.03, 0.07, 0.01, 0.0, 5)
    >>> interacts(up, up, None, 0.01)[0]
    'holds'
    """
    for effect, what in ((here, "the gain here"), (more, "here less there")):
        if effect.high < margin:
            return "refuted here", f"{what} {span(effect)} stays below the margin {margin:g}"
        if not (effect.value >= margin and effect.low > 0):
            return "inconclusive", f"{what} {span(effect)} decides nothing; {settling(effect, margin)}"
    return _beside_placebo(m, margin, f"the gain here {span(here)}, here less there {span(more)}")


def recovered(score: Measured, control: Measured, d: Measured, m: Measured | None, at_least: float) -> Judged:
    """Judge that a planted truth is found by the treated arm and not by the control (nor the placebo).

    Examples
    --------
    >>> found, missed = Measured(0.9, 0.85, 0.95, 0, 0, 5), Measured(0.2, 0.1, 0.3, 0, 0, 5)
    >>> recovered(found, missed, apart_of(0.7), None, 0.8)[0], recovered(missed, missed, apart_of(0.0), None, 0.8)[0]
    ('holds', 'refuted here')
    """
    if score.high < at_least:
        return "refuted here", f"the planted truth is not found: {span(score)}, {at_least:g} is asked for"
    if control.low >= at_least:
        return "refuted here", f"the control finds it too: {span(control)}"
    if not (score.low >= at_least and control.high < at_least and d.low > 0):
        return "inconclusive", f"treated {span(score)}, control {span(control)}, asked for {at_least:g}"
    return _beside_placebo(m, 0.0, f"found {span(score)}, control {span(control)}, asked for {at_least:g}")


def apart_of(value: float) -> Measured:
    """Return a certain difference; for examples."""
    return Measured(value, value, value, 0.0, 0.0, 5)


def cheap(d: Measured, ratios: Sequence[float], factor: float, margin: float, control_seen: bool) -> Judged:
    """Judge that the cost is ``factor`` times lower in every run and the quality not worse.

    Examples
    --------
    >>> same = Measured(0.0, -0.005, 0.005, 0, 0, 5)
    >>> cheap(same, [3.0, 3.1], 2.0, 0.01, True)[0], cheap(same, [1.0, 1.0], 2.0, 0.01, True)[0]
    ('holds', 'refuted here')
    """
    cost = f"{min(ratios):.3g} to {max(ratios):.3g} times cheaper, {factor:g} is claimed"
    if all(ratio < factor for ratio in ratios):
        return "refuted here", cost
    if not all(ratio >= factor for ratio in ratios):
        return "inconclusive", cost
    word, why = no_loss(d, margin, control_seen, both_ways=False)
    return word, f"{cost}; {why}"


def invariant(errors: Sequence[float], broken: Sequence[float] | None, within: float) -> Judged:
    """Judge an invariant by its greatest error, and that the broken arm breaks it.

    Examples
    --------
    >>> invariant([0.0, 1e-9], [0.3], 1e-6)[0], invariant([0.0], [0.0], 1e-6)[0], invariant([0.1], None, 1e-6)[0]
    ('holds', 'inconclusive', 'refuted here')
    """
    worst = max(errors, key=lambda error: math.inf if math.isnan(error) else error)  # no number is the worst
    if not worst <= within:
        return "refuted here", f"the greatest error is {worst:.3g}, {within:g} is allowed"
    if broken is not None and not min(broken) > within:
        return "inconclusive", f"the broken arm keeps the invariant too ({min(broken):.3g}): it cannot fail here"
    return "holds", f"the greatest error is {worst:.3g}, {within:g} is allowed"


def span(effect: Measured) -> str:
    """Return an effect in words.

    Examples
    --------
    >>> span(Measured(0.05, 0.03, 0.07, 0, 0, 5))
    '+0.0500 [+0.0300, +0.0700]'
    """
    return f"{effect.value:+.4f} [{effect.low:+.4f}, {effect.high:+.4f}]"


def settling(effect: Measured, margin: float) -> str:
    """Say how many seeds would settle on which side of the margin (or of zero) an effect lies, or that none can.

    An effect of at least a positive margin must leave zero behind, any other one must leave the margin.

    Examples
    --------
    >>> settling(Measured(0.0, -1, 1, 0.6, 0, 5, 0.6), 0.5)
    'no number of seeds settles it: more items are needed'
    """
    if not math.isfinite(effect.value):
        return "a score is no number"
    reached = effect.value >= margin > 0
    needed = seeds_needed(effect, effect.value if reached else abs(margin - effect.value))
    return f"about {needed} seeds settle it" if needed else "no number of seeds settles it: more items are needed"


def lowered(primary: Judged, guards: Sequence[tuple[str, Judged]]) -> Judged:
    """Return the verdict of the whole check: guards can only lower it.

    Examples
    --------
    >>> lowered(("holds", "x"), [("g", ("refuted here", "y"))])[0]
    'inconclusive'
    >>> lowered(("refuted here", "x"), [("g", ("holds", "y"))])[0]
    'refuted here'
    """
    if primary[0] != "holds":
        return primary
    failed = [(name, word) for name, (word, _) in guards if word != "holds"]
    if not failed:
        return primary
    word: Word = "other cause" if all(word == "other cause" for _, word in failed) else "inconclusive"
    said = ", ".join(f"{name} ({was})" for name, was in failed)
    return word, f"the primary finding holds, but not its guards: {said}"
