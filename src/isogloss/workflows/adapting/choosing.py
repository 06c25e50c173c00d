"""The way from the base to the one candidate that is proved, by the questions that choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from isogloss.mining.questions.decide import SURE
from isogloss.workflows.adapting.fitting import weighted_by_rarity
from isogloss.workflows.adapting.fusing import NEAR, smallest, try_words, words_can_be_trusted
from isogloss.workflows.adapting.halving import LEAST, halve
from isogloss.workflows.adapting.linear_maps import MAPS
from isogloss.workflows.adapting.portfolio import FAMILIES, ROWS, Row, usable
from isogloss.workflows.adapting.workbench import Candidate, Workbench, kinds_of

if TYPE_CHECKING:
    from isogloss.workflows.adapting.courses import Course

SHARES = (1.0, 0.75, 0.5, 0.25)
"""Shares of the trained weights that a merge with the base is tried with."""
BEGINNING = 0.25
"""Share of the budget without which no course is begun: loading torch and making pairs would eat what is left."""
SURER = 1.0
"""Standard errors by which a further step must be better: else the simpler candidate stays."""


@dataclass(slots=True)
class Choice:
    """What was tried, and what is to be proved.

    Attributes
    ----------
    best
        The candidate; the base itself where nothing was better.
    tried
        Every candidate in its order, as plain data for tables.
    left_out
        Rows of the portfolio that were not tried, and why.
    """

    best: Candidate
    tried: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def tell(self, bench: Workbench, found: Sequence[Candidate]) -> None:
        """Note what candidates reached."""
        for one in found:
            gap = bench.gain(one, bench.base)
            self.tried.append({
                "name": one.name, "family": one.family, "score": one.value, "gain": gap.value, "error": gap.error,
                "seconds": round(one.seconds, 1), "facts": one.facts, "remembers": bench.remembers(one),
                "kinds": kinds_of(bench.room, one.marks, bench.base.marks),
            })  # fmt: skip


def choose(bench: Workbench) -> Choice:
    """Try the portfolio, then merge, map and fuse the best of it."""
    choice = Choice(bench.base)
    rows, choice.left_out = usable(ROWS, bench.order.families, bench.is_static, bench.order.budget)
    fitted: list[Candidate] = []
    for row in rows:
        if row.fit is not None:
            found = row.fit(bench)
            choice.tell(bench, found)
            fitted += found
    trained = _train(bench, [row for row in rows if row.course], choice)
    choice.best = _better(bench, bench.base, [*fitted, *trained])
    _finish(bench, choice)
    return choice


def _finish(bench: Workbench, choice: Choice) -> None:
    """Let the best go through what it has not been through: rarity, maps, words."""
    asked = set(bench.order.families or FAMILIES)
    best = choice.best
    further: list[Candidate] = []
    if "rarity" in asked and best.encoder is not None and best.family not in ("base", "rarity", "maps", "learned"):
        further += weighted_by_rarity(bench, best)
    if "maps" in asked and best.family not in ("base", "maps", "learned"):
        further += [bench.mapped(best, name) for name in MAPS]
    choice.tell(bench, further)
    choice.best = _better(bench, best, further)
    if "words" in asked:
        _fuse(bench, choice)


def _train(bench: Workbench, rows: Sequence[Row], choice: Choice) -> list[Candidate]:
    """Begin the courses, halve them, and merge the best with the base; nothing where the time is too short."""
    merges = len(SHARES) if bench.order.merge else 0
    reading = bench.reading_seconds()
    seconds = bench.clock.left() - (merges + 1) * reading
    if rows and seconds < len(rows) * (LEAST + reading):
        fitting = int(seconds // (LEAST + reading))
        for row in rows[max(0, fitting) :]:
            choice.left_out[row.name] = "the budget is too short for it"
        rows = rows[: max(0, fitting)]
    if not rows:
        return []
    from isogloss.training.hardware import use_threads
    from isogloss.workflows.adapting import courses as makers

    use_threads(bench.threads)
    courses: list[Course] = []
    for row in rows:
        if bench.clock.left() < max((merges + 2) * reading + LEAST, BEGINNING * bench.clock.budget):
            choice.left_out[row.name] = "the budget is too short for it"
            continue
        begun: Course | None = getattr(makers, row.course)(bench)
        courses += [begun] if begun is not None else []
    told = halve(bench, courses, bench.clock.left() - (merges + 1) * reading)
    choice.tell(bench, told)
    done = [course for course in courses if course.best is not None]
    choice.left_out |= {one.name: "the budget is too short for it" for one in courses if one.best is None}
    if not done:
        return []
    best = max(done, key=lambda course: course.best.value if course.best else 0.0)
    assert best.best is not None
    if not bench.order.merge:
        return [best.best]
    mixed = makers.merged(bench, best, SHARES)
    choice.tell(bench, mixed)
    kept = [one for one in mixed if bench.remembers(one)]
    return [smallest(bench, kept, lambda one: float(one.facts["share"]), SURE)] if kept else mixed or [best.best]


def _better(bench: Workbench, now: Candidate, found: Sequence[Candidate]) -> Candidate:
    """Return the best of some candidates where it is surely enough better than what there is, else that.

    Candidates that forget too much of what has nothing to do with the documents are passed over.
    """
    kept = [one for one in found if bench.remembers(one)]
    if not kept:
        return now
    best = max(kept, key=lambda one: one.value)
    gap = bench.gain(best, now)
    return best if gap.value > SURER * gap.error else now


def _fuse(bench: Workbench, choice: Choice) -> None:
    """Let the words in where the questions can decide it."""
    found = try_words(bench, choice.best)
    choice.tell(bench, found)
    best = smallest(bench, found, lambda one: one.words, NEAR)
    trusted, why = words_can_be_trusted(bench, best, choice.best)
    if trusted:
        choice.best = best
    else:
        choice.left_out["words"] = why
