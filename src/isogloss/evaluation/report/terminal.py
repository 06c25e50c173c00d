"""A report for a terminal: sections with the rows of ``Console.table`` and the lines below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from isogloss.evaluation.report import wording
from isogloss.evaluation.report.content import Reliability, Report, difference_to
from isogloss.evaluation.results import Comparison


@dataclass(frozen=True, slots=True)
class Section:
    """A table with a title above it and lines below it.

    Attributes
    ----------
    title
        Line above, or an empty string.
    headers, rows, right
        As ``Console.table`` takes them.
    lines
        Sentences below.
    """

    title: str = ""
    headers: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def sections(report: Report) -> list[Section]:
    """Return the sections of a report: one a comparison, then tasks, calibration and what the questions can decide.

    Parameters
    ----------
    report
        The report.

    Examples
    --------
    >>> from isogloss.evaluation.results import Interval, Score
    >>> scores = [Score("minilm", 0.4, Interval(0.36, 0.44), 225, 225)]
    >>> found = sections(Report("Cranfield", [Comparison("ndcg@10", scores, [], [["minilm"]], 1000, 0)]))
    >>> found[0].headers, found[0].rows
    (['ndcg@10', 'score', '95 % interval'], [['minilm', '.400', '[.360, .440]']])
    """
    found = [comparison_section(one, report) for one in report.comparisons]
    if report.tasks:
        found.append(_tasks(report))
    found += [reliability_section(one) for one in report.calibration]
    questions = report.questions
    if questions is not None:
        lines = [text for text in (wording.source(questions), questions.how, questions.verdict) if text]
        found.append(Section(lines=lines))
    return found


def comparison_section(comparison: Comparison, report: Report) -> Section:
    """Return the table of one comparison: columns that hold nothing are left out."""
    control = report.control(comparison)
    letters = wording.tie_letters(comparison)
    headers = [comparison.metric, "score", _level(comparison), "tied", f"vs {control} (paired)"]
    headers += ["docs/s", "bytes/doc", "ms/query"]
    rows = []
    for score in comparison.scores:
        pair = difference_to(comparison, score.system, control)
        against = wording.difference(pair) if pair else (wording.NOTHING if control else "")
        rows.append([
            score.system, wording.number(score.value), wording.interval(score.interval),
            letters.get(score.system, "") if control else "", against, *wording.costs(report.cost(score.system)),
        ])  # fmt: skip
    headers, rows, right = _drop_empty(headers, rows, right=[1, 5, 6, 7])
    lines = [wording.visible(comparison)]
    if control and len(comparison.scores) > 2:
        lines.insert(0, "systems that share a letter cannot be told apart; p values corrected over all pairs (Holm)")
    return Section("", headers, rows, right, [text for text in lines if text])


def reliability_section(one: Reliability) -> Section:
    """Return the reliability table of one system."""
    rows = [
        [f"{wording.number(b.low, 2)} to {wording.number(b.high, 2)}", f"{b.count:,}", wording.number(b.predicted),
         wording.number(b.observed), wording.interval(b.interval)]
        for b in one.bins
    ]  # fmt: skip
    error = f"expected calibration error {wording.number(one.error)} {wording.interval(one.error_interval)}".rstrip()
    brier = f"Brier score {wording.number(one.brier)} {wording.interval(one.brier_interval)}".rstrip()
    lines = [f"{one.system}: {error}, {brier}"]
    if one.synthetic:
        lines.append("synthetic: P for questions like these, made from the documents; judged questions may differ")
    lines += one.remarks
    headers = ["P said", "pairs", "mean P", "relevant", "95 % interval"]
    headers, rows, right = _drop_empty(headers, rows, right=[1, 2, 3])
    return Section(f"P(relevant), {one.system}", headers, rows, right, lines)


def _tasks(report: Report) -> Section:
    rows = []
    for task in report.tasks:
        result = task.result
        value = result.samples[result.main].value() if result.main in result.samples else None
        rows.append([
            task.system, result.task, result.kind, result.main, wording.number(value),
            wording.interval(task.intervals.get(result.main)), wording.amount(result.seconds or None),
        ])  # fmt: skip
    headers = ["system", "task", "kind", "metric", "score", "95 % interval", "seconds"]
    headers, rows, right = _drop_empty(headers, rows, right=[4, 6])
    return Section("", headers, rows, right, [])


def _level(comparison: Comparison) -> str:
    level = comparison.scores[0].interval.level if comparison.scores else 0.95
    return f"{100 * level:.3g} % interval"


def _drop_empty(
    headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]
) -> tuple[list[str], list[list[str]], list[int]]:
    """Leave out columns in which no row says anything, the first two apart: a score that is none is shown as none."""
    kept = [i for i in range(len(headers)) if i < 2 or any(row[i] not in ("", wording.NOTHING) for row in rows)]
    return (
        [headers[i] for i in kept],
        [[row[i] for i in kept] for row in rows],
        [kept.index(i) for i in right if i in kept],
    )
