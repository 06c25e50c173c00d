"""Conditions on scores that fail a build: ``ndcg@10 < words.ndcg@10``, ``hybrid.recall@100 < 0.8``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isogloss.errors import CheckFailed, UsageError
from isogloss.evaluation.report.content import difference_to
from isogloss.evaluation.results import Comparison, Interval

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_MARGIN = re.compile(r"(.*\S)\s*\s([+-])\s*(\d+\.?\d*|\.\d+)", re.DOTALL)
_METRIC = re.compile(r"(?:(.+)\.)?([A-Za-z][\w-]*(?:@\d+)?)", re.DOTALL)
_HELP = '"[SYSTEM.]METRIC < NUMBER" or "[SYSTEM.]METRIC < [SYSTEM.]METRIC - MARGIN"; also <=, >, >='


@dataclass(frozen=True, slots=True)
class Term:
    """One side of a condition: a number, or the metric of a system (empty: the last system named)."""

    metric: str = ""
    system: str = ""
    number: float = math.nan


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition that fails the check where it is true.

    Attributes
    ----------
    text
        As it was written.
    left, right
        What is compared.
    sign
        ``<``, ``<=``, ``>`` or ``>=``.
    margin
        Added to the right side.
    sure
        Whether the whole 95 % interval must lie on the failing side.
    """

    text: str
    left: Term
    sign: str
    right: Term
    margin: float = 0.0
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a gate: whether it fails the check, and the numbers in a sentence."""

    gate: Gate
    failed: bool
    found: str

    def to_dict(self) -> dict[str, str | bool]:
        """Return the verdict as plain data."""
        return {"condition": self.gate.text, "sure": self.gate.sure, "failed": self.failed, "found": self.found}


def parse_gate(text: str, *, sure: bool = False) -> Gate:
    """Read a condition.

    Raises
    ------
    UsageError
        Where it cannot be read.

    Examples
    --------
    >>> gate = parse_gate("hybrid.ndcg@10 < words.ndcg@10 - 0.01")
    >>> gate.left.system, gate.right.metric, gate.margin
    ('hybrid', 'ndcg@10', -0.01)
    """
    found = re.search(r"<=|>=|<|>", text)
    if found is None:
        raise UsageError(f"the condition {text!r} cannot be read", "it has none of <, <=, >, >=", f"write: {_HELP}")
    right, margin = text[found.end() :].strip(), 0.0
    with_margin = _MARGIN.fullmatch(right)
    if with_margin:
        right, margin = with_margin[1], float(with_margin[2] + with_margin[3])
    return Gate(text.strip(), _term(text, text[: found.start()]), found[0], _term(text, right), margin, sure)


def _term(text: str, side: str) -> Term:
    side = side.strip()
    try:
        number = float(side)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return Term(number=number)
    metric = _METRIC.fullmatch(side)
    if metric is None or side.lower() in ("nan", "inf", "infinity"):
        raise UsageError(f"the condition {text!r} cannot be read", f"{side!r} is no metric", f"write: {_HELP}")
    return Term(metric[2], metric[1] or "")


def judge(gate: Gate, comparisons: Sequence[Comparison], systems: Sequence[str]) -> Verdict:
    """Decide a gate by the scores of comparisons.

    Parameters
    ----------
    gate
        The condition.
    comparisons
        They hold the scores.
    systems
        The systems in the order they were named; a term without one means the last.

    Raises
    ------
    UsageError
        Where a system or metric was not measured.
    CheckFailed
        Where a score is no number.
    """
    left, right = (_value(gate, term, comparisons, systems) for term in (gate.left, gate.right))
    true = _OPERATORS[gate.sign](left[1], right[1] + gate.margin)
    interval = _interval(gate, comparisons, systems)
    margin = f" {'+' if gate.margin > 0 else '-'} {abs(gate.margin):g}" if gate.margin else ""
    found = f"{left[0]} is {left[1]:.4f}, {right[0]}{margin} is {right[1] + gate.margin:.4f}"
    if interval is not None:
        found += f"; difference {left[1] - right[1]:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
    if gate.sure and interval is None:
        raise UsageError(f"{gate.text!r} cannot be sure", "there is no interval of such a difference", "use --fail-if")
    if gate.sure and interval is not None:
        worst = interval.high if gate.sign.startswith("<") else interval.low
        true = true and _OPERATORS[gate.sign](worst, gate.margin)
    return Verdict(gate, true, found)


def check(
    gates: Sequence[Gate], comparisons: Sequence[Comparison], systems: Sequence[str]
) -> tuple[list[Verdict], CheckFailed | None]:
    """Judge all gates; the error (exit code 3) is there where one fails."""
    verdicts = [judge(gate, comparisons, systems) for gate in gates]
    failed = [verdict for verdict in verdicts if verdict.failed]
    if not failed:
        return verdicts, None
    what = f"{len(failed)} of {len(gates)} conditions failed" if len(gates) > 1 else "the condition failed"
    surely = " surely" if failed[0].gate.sure else ""
    why = "; ".join(f"{verdict.gate.text}{surely}: {verdict.found}" for verdict in failed)
    return verdicts, CheckFailed(f"{what}: {failed[0].gate.text}", why, "see the scores above")


def _value(gate: Gate, term: Term, comparisons: Sequence[Comparison], systems: Sequence[str]) -> tuple[str, float]:
    if not term.metric:
        return f"{term.number:g}", term.number
    comparison = _comparison(gate, term, comparisons)
    system = _system(gate, term, comparison, systems)
    value = comparison.score(system).value
    if not math.isfinite(value):
        raise CheckFailed(f"{gate.text!r} cannot be decided", f"{system}.{comparison.metric} is {value}", "")
    return f"{system}.{comparison.metric}", value


def _comparison(gate: Gate, term: Term, comparisons: Sequence[Comparison]) -> Comparison:
    found = [one for one in comparisons if one.metric == term.metric]
    found = found or [one for one in comparisons if one.metric.split(" ")[0] == term.metric]
    if not found:
        known = ", ".join(one.metric for one in comparisons)
        raise UsageError(
            f"{gate.text!r} names {term.metric!r}, which was not measured", f"measured were: {known}",
            f"add it: --metric {term.metric}",
        )  # fmt: skip
    return found[0]


def _system(gate: Gate, term: Term, comparison: Comparison, systems: Sequence[str]) -> str:
    known = [score.system for score in comparison.scores]
    if not term.system:
        named = [name for name in systems if name in known]
        return named[-1] if named else known[0]
    wanted = "words" if term.system == "bm25" and "bm25" not in known else term.system
    if wanted not in known:
        raise UsageError(
            f"{gate.text!r} names {term.system!r}, which was not evaluated", f"evaluated were: {', '.join(known)}",
            "add it to --compare",
        )  # fmt: skip
    return wanted


def _interval(gate: Gate, comparisons: Sequence[Comparison], systems: Sequence[str]) -> Interval | None:
    """Return the interval of left - right, where there is one: of two systems, or of a score and a number."""
    if not gate.left.metric:
        return None
    comparison = _comparison(gate, gate.left, comparisons)
    left = _system(gate, gate.left, comparison, systems)
    if not gate.right.metric:
        interval, number = comparison.score(left).interval, gate.right.number
        return Interval(interval.low - number, interval.high - number, interval.level)
    if _comparison(gate, gate.right, comparisons) is not comparison:
        return None
    found = difference_to(comparison, left, _system(gate, gate.right, comparison, systems))
    return None if found is None else found.interval
