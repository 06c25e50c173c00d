"""Measures the findings of a check and turns them into evidence."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isogloss.errors import IsoglossWarning, UsageError
from isogloss.evaluation.sample import Sample
from isogloss.recipes import _verdicts as rules
from isogloss.recipes._bench import Bench, Job
from isogloss.recipes._effects import Measured, apart, effect, own
from isogloss.recipes._findings import Finding
from isogloss.recipes._placebo import liveness
from isogloss.recipes._planting import planted_loss
from isogloss.recipes._run import Arm, Run
from isogloss.recipes._sabotage import sabotaged
from isogloss.recipes._swaps import Swap

DATA_SWAPS = frozenset({"shuffled", "labels"})
"""Sabotages of the data, which a check may be immune to for a reason."""


@dataclass(slots=True)
class Outcome:
    """What one finding came to.

    Attributes
    ----------
    kind, name
        Of the finding.
    verdict, reason
        In words.
    effects
        Differences with intervals by name (``treated - control`` ...).
    scores
        For each arm (and size) its score in every run.
    facts
        Numbers beside: costs, errors, liveness.
    """

    kind: str
    name: str
    verdict: rules.Word
    reason: str
    effects: dict[str, Measured] = field(default_factory=dict)
    scores: dict[str, list[float]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Evidence:
    """The outcome of a check: its verdict, and everything that led to it.

    Attributes
    ----------
    verdict, reason
        In words.
    primary, guards
        Outcomes of the findings; the verdict of ``primary`` is that of the claim alone.
    seeds
        Seeds that were run.
    seconds
        Time of the whole check.
    immune
        Sabotages that cannot touch the check, each with the reason.
    """

    verdict: rules.Word
    reason: str
    primary: Outcome
    guards: list[Outcome]
    seeds: list[int]
    seconds: float
    immune: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a Lab fixes for a check.

    Attributes
    ----------
    bench
        Where readings are.
    runs
        The first so many runs.
    seeds, most
        How many runs, and up to how many where the verdict is inconclusive.
    smoke
        One run, nothing judged.
    swap
        The sabotage that is played on the claim, or None.
    """

    bench: Bench
    runs: Callable[[int], list[Run]]
    seeds: int
    most: int
    smoke: bool = False
    swap: Swap | None = None


def weigh(lab: Setting, primary: Finding, guards: Sequence[Finding], immune: Mapping[str, str]) -> Evidence:
    """Measure and judge; up to ``lab.most`` seeds where the first ``lab.seeds`` decide nothing.

    Under sabotage the claim alone is judged: guards say nothing about its mechanism. Where it is no gain any more,
    neither placebo nor positive control is measured: nothing that they say could make the claim hold.
    """
    _check_plan(primary, immune)
    for number, finding in enumerate([primary, *guards]):
        _give_labels(lab.bench, finding, number)
    if lab.swap is None:
        return _weigh(lab, [primary, *guards], immune)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IsoglossWarning)  # noise and constants are meant to look broken
        return _weigh(lab, [sabotaged(primary, lab.swap, lab.bench)], immune)


def _weigh(lab: Setting, findings: list[Finding], immune: Mapping[str, str]) -> Evidence:
    began = time.monotonic()
    count = 1 if lab.smoke else lab.seeds
    outcomes, verdict = _judged(lab, findings, lab.runs(count))
    if verdict[0] == "inconclusive" and not lab.smoke and lab.most > count:
        count = lab.most
        outcomes, verdict = _judged(lab, findings, lab.runs(count))
    if lab.smoke:
        verdict = "inconclusive", "one seed shows that the check runs; nothing is judged"
    lab.bench.forget()
    seeds = [run.seed for run in lab.runs(count)]
    seconds = time.monotonic() - began
    return Evidence(verdict[0], verdict[1], outcomes[0], outcomes[1:], seeds, seconds, dict(immune))


def _check_plan(primary: Finding, immune: Mapping[str, str]) -> None:
    if primary.kind == "reported":
        raise UsageError("a reported number cannot be the claim", primary.name, "make it a guard")
    wrong = sorted(set(immune) - DATA_SWAPS)
    if wrong or not all(reason.strip() for reason in immune.values()):
        why = f"{', '.join(wrong)} always touch a check" if wrong else "a reason is empty"
        raise UsageError("only shuffled and labels can be without effect, each for a reason", why)


def _give_labels(bench: Bench, finding: Finding, number: int) -> None:
    for part, arm in finding.arms.items():
        bench.label(arm, f"{number}:{part}")
    for part, judge in finding.judges.items():
        bench.label(judge, f"{number}:{part}")
    for part in ("cost", "invariant"):
        if callable(finding.settings.get(part)):
            bench.label(finding.settings[part], f"{number}:{part}")


def _judged(lab: Setting, findings: Sequence[Finding], runs: list[Run]) -> tuple[list[Outcome], rules.Judged]:
    brief = lab.swap is not None
    wanted = [job for finding in findings for job in jobs(finding, brief=brief)]
    lab.bench.measure(wanted, runs)
    outcomes = [_Judging(lab.bench, finding, runs, brief).outcome() for finding in findings]
    guards = [(one.name, (one.verdict, one.reason)) for one in outcomes[1:] if one.kind != "reported"]
    return outcomes, rules.lowered((outcomes[0].verdict, outcomes[0].reason), guards)


def jobs(finding: Finding, *, brief: bool = False) -> list[Job]:
    """Return every reading that a finding surely needs; ``brief``: to see that a gain is none."""
    sizes = finding.settings.get("sizes", (None,))
    readers = list(finding.judges.values())
    cost = finding.settings.get("cost")
    if callable(cost):
        readers.append(cost)
    if "invariant" in finding.settings:
        readers.append(finding.settings["invariant"])
    first = ("treated", "control") if brief and finding.kind == "better" else tuple(finding.arms)
    return [Job(finding.arms[part], reader, size) for size in sizes for part in first for reader in readers]


class _Judging:
    """One finding with its readings; a method a kind."""

    def __init__(self, bench: Bench, finding: Finding, runs: list[Run], brief: bool = False) -> None:
        self.bench, self.finding, self.runs, self.brief = bench, finding, runs, brief
        self.made = Outcome(finding.kind, finding.name, "inconclusive", "")

    def outcome(self) -> Outcome:
        rule: Callable[[], rules.Judged] = getattr(self, f"_{self.finding.kind}")
        self.made.verdict, self.made.reason = rule()
        return self.made

    # -- readings ----------------------------------------------------------------------------------------------

    def samples(self, part: str, judge: str = "main", size: float | None = None) -> list[Sample]:
        job = Job(self.finding.arms[part], self.finding.judges[judge], size)
        found = [reading.sample for reading in self.bench.all(job, self.runs)]
        where = part + ("" if judge == "main" else f" {judge}") + ("" if size is None else f" {size:g}")
        self.made.scores[where] = [sample.value() for sample in found]
        return found

    def effect(self, name: str, first: list[Sample], second: list[Sample]) -> Measured:
        self.made.effects[name] = effect(first, second)
        return self.made.effects[name]

    def numbers(self, part: str, reader: Any) -> list[float]:
        return [reading.value for reading in self.bench.all(Job(self.finding.arms[part], reader), self.runs)]

    def control_seen(self) -> bool:
        """Say whether a positive control, given or planted, is seen by this judge on these items."""
        arms, margin = self.finding.arms, self.finding.margin
        control = self.samples("control")
        if "positive" in arms:
            return self.effect("positive - control", self.samples("positive"), control).low > 0
        planted = arms.get("planted")
        if planted is None:
            planted, why = planted_loss(self.bench, arms["control"], self.finding.judges["main"], margin, self.runs[0])
            if planted is None:
                self.made.facts["positive control"] = why
                return False
        readings = self.bench.all(Job(planted, self.finding.judges["main"]), self.runs)
        loss = self.effect("planted - control", [one.sample for one in readings], control)
        return loss.high < 0

    def dead_placebo(self, size: float | None = None) -> str:
        """Say what is wrong with the placebo, or nothing; the control of a ladder is its first step."""
        arms, judge = self.finding.arms, self.finding.judges["main"]
        other: Arm = arms.get("control", arms["treated"])
        found = liveness(self.bench, arms["placebo"], other, judge, self.runs[0], size)
        self.made.facts["placebo"] = found
        return "" if found["live"] else f"the placebo is not live: {found['why']}"

    # -- kinds -------------------------------------------------------------------------------------------------

    def _better(self) -> rules.Judged:
        treated, control = self.samples("treated"), self.samples("control")
        d = self.effect("treated - control", treated, control)
        if self.brief and not rules.gains(d, self.finding.margin):
            return rules.no_gain(d, self.finding.margin)
        m = self.effect("treated - placebo", treated, self.samples("placebo"))
        if dead := self.dead_placebo():
            return "inconclusive", dead
        return rules.better(d, m, self.finding.margin, d.high < self.finding.margin and self.control_seen())

    def _not_worse(self, both_ways: bool = False) -> rules.Judged:
        d = self.effect("treated - control", self.samples("treated"), self.samples("control"))
        return rules.no_loss(d, self.finding.margin, self.control_seen(), both_ways=both_ways)

    def _same(self) -> rules.Judged:
        return self._not_worse(both_ways=True)

    def _trend(self) -> rules.Judged:
        sizes: tuple[float, ...] = self.finding.settings["sizes"]
        ladder = [self.samples("treated", size=size) for size in sizes]
        if self.finding.settings["direction"] == "peak":
            return self._peak(sizes, ladder)
        falling = self.finding.settings["direction"] == "falling"
        whole = self._way("last - first", ladder[-1], ladder[0], falling)
        pairs = zip(sizes[1:], ladder[1:], ladder[:-1], strict=True)
        steps = [self._way(f"up to {size:g}", later, earlier, falling) for size, later, earlier in pairs]
        more = None
        if "placebo" in self.finding.arms:
            last, first = self.samples("placebo", size=sizes[-1]), self.samples("placebo", size=sizes[0])
            flat = self._way("placebo last - first", last, first, falling)
            more = self.made.effects["beyond the placebo"] = apart(whole, flat)
            if dead := self.dead_placebo(sizes[-1]):
                return "inconclusive", dead
        return rules.ordered(whole, steps, more, self.finding.margin)

    def _way(self, name: str, later: list[Sample], earlier: list[Sample], falling: bool) -> Measured:
        found = self.effect(name, later, earlier)
        return found.mirrored() if falling else found

    def _peak(self, sizes: tuple[float, ...], ladder: list[list[Sample]]) -> rules.Judged:
        means = [sum(sample.value() for sample in step) / len(step) for step in ladder]
        best = max(range(1, len(sizes) - 1), key=lambda i: means[i])
        self.made.facts["best size"] = sizes[best]
        gains = (
            self.effect(f"at {sizes[best]:g} - first", ladder[best], ladder[0]),
            self.effect(f"at {sizes[best]:g} - last", ladder[best], ladder[-1]),
        )
        more = None
        if "placebo" in self.finding.arms:
            there = self.effect(
                "placebo there - first",
                self.samples("placebo", size=sizes[best]), self.samples("placebo", size=sizes[0]),
            )  # fmt: skip
            more = self.made.effects["beyond the placebo"] = apart(gains[0], there)
            if dead := self.dead_placebo(sizes[best]):
                return "inconclusive", dead
        return rules.peaked(gains, more, self.finding.margin)

    def _interaction(self) -> rules.Judged:
        treated = self.samples("treated")
        here = self.effect("here: treated - control", treated, self.samples("control"))
        there = self.effect(
            "there: treated - control", self.samples("treated", "there"), self.samples("control", "there")
        )
        more = self.made.effects["here - there"] = apart(here, there)
        m = None
        if "placebo" in self.finding.arms:
            m = self.effect("here: treated - placebo", treated, self.samples("placebo"))
            if dead := self.dead_placebo():
                return "inconclusive", dead
        return rules.interacts(here, more, m, self.finding.margin)

    def _recovers(self) -> rules.Judged:
        treated, control = self.samples("treated"), self.samples("control")
        score = self.made.effects["treated"] = own(treated)
        base = self.made.effects["control"] = own(control)
        d, m = self.effect("treated - control", treated, control), None
        if "placebo" in self.finding.arms:
            m = self.effect("treated - placebo", treated, self.samples("placebo"))
        return rules.recovered(score, base, d, m, self.finding.settings["at_least"])

    def _cheaper(self) -> rules.Judged:
        d = self.effect("treated - control", self.samples("treated"), self.samples("control"))
        ours, theirs = self._costs("treated"), self._costs("control")
        self.made.facts |= {"cost of treated": ours, "cost of control": theirs}
        if min(ours) <= 0 or min(theirs) <= 0:
            return "inconclusive", "no cost was counted: does the part charge the ledger?"
        ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
        return rules.cheap(d, ratios, self.finding.settings["factor"], self.finding.margin, self.control_seen())

    def _costs(self, part: str) -> list[float]:
        cost = self.finding.settings["cost"]
        if callable(cost):
            return self.numbers(part, cost)
        readings = self.bench.all(Job(self.finding.arms[part], self.finding.judges["main"]), self.runs)
        if cost not in readings[0].ledger:
            raise UsageError(f"the ledger has no {cost!r}", f"it counts {', '.join(readings[0].ledger)}")
        return [float(reading.ledger[cost]) for reading in readings]

    def _exact(self) -> rules.Judged:
        reader, within = self.finding.settings["invariant"], self.finding.settings["within"]
        errors = self.made.scores["error"] = self.numbers("treated", reader)
        broken = self.numbers("broken", reader) if "broken" in self.finding.arms else None
        if broken is not None:
            self.made.scores["error of the broken arm"] = broken
        return rules.invariant(errors, broken, within)

    def _reported(self) -> rules.Judged:
        self.made.effects["value"] = own(self.samples("treated"))
        return "holds", "reported, not judged"
