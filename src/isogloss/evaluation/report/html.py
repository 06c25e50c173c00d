"""A report as one HTML page that stands alone: its own style, hand-written SVG, no script, no request to anybody."""

from __future__ import annotations

from importlib.resources import files

from isogloss.evaluation.report import markdown, plots, settings_html, wording
from isogloss.evaluation.report.content import Report
from isogloss.evaluation.report.markup import details, element, figure, paragraph, section, table
from isogloss.evaluation.report.svg import escaped
from isogloss.evaluation.report.terminal import comparison_section, reliability_section, sections
from isogloss.evaluation.results import Comparison

MOST_PAIRS = 300
"""Rows of the table of all pairs; more are in the JSON."""
COSTS = (
    ("bytes_per_document", "bytes a document", False),
    ("documents_per_second", "documents a second", True),
    ("milliseconds_per_query", "milliseconds a question", False),
)
"""Field of a cost, the name of its axis, whether more of it is better."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What the page may load: nothing but its own style."""


def render(report: Report) -> str:
    """Return the page.

    Parameters
    ----------
    report
        The report; what was not measured has no place on the page.

    Examples
    --------
    >>> page = render(Report("Cranfield <1400>"))
    >>> "Cranfield &lt;1400&gt;" in page, "<script" in page, "http" in page.replace("http-equiv", "")
    (True, False, False)
    """
    body = [_head(report)]
    for place, comparison in enumerate(report.comparisons):
        body.append(_comparison(comparison, report, first=place == 0))
    body += [_costs(report), _duels(report), _tasks(report), _calibration(report), _questions(report)]
    body += [settings_html.settings(report), _again(report)]
    style = files("isogloss.evaluation.report").joinpath("page.css").read_text("utf-8")
    title = escaped(wording.heading(report))
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{title}</title><style>{style}</style>"
    )
    content = "\n".join(part for part in body if part)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body><main>\n{content}\n</main></body></html>\n'


def _head(report: Report) -> str:
    parts = [element("h1", escaped(wording.heading(report)))]
    if report.comparisons:
        parts.append(element("p", escaped(wording.conclusion(report.comparisons[0])), "lede"))
    parts += [paragraph(text, "soft") for text in (wording.source(report.questions),) if text]
    if not (report.comparisons or report.tasks or report.calibration):
        parts.append(paragraph("This report holds no scores.", "lede"))
    notes = "".join(element("li", escaped(note)) for note in report.all_notes())
    if notes:
        parts.append(element("ul", notes, "notes"))
    return "\n".join(parts)


def _comparison(comparison: Comparison, report: Report, *, first: bool) -> str:
    control = report.control(comparison)
    shown = comparison_section(comparison, report)
    level = f"{100 * comparison.scores[0].interval.level:.3g} %" if comparison.scores else "95 %"
    if not comparison.scores:
        return section(comparison.metric, [paragraph("No system was scored.")])
    rows = table(shown.headers, shown.rows, shown.right, f"{comparison.metric}: scores")
    drawn = wording.counted(wording.units(comparison), "group")
    caption = f"Dots are scores, lines {level} intervals (bootstrap over {drawn}, {comparison.draws:,} draws)."
    if any(len(group) > 1 for group in comparison.ties):
        caption += " A bracket on the right joins systems that cannot be told apart."
    if control:
        caption += f" The hollow dot is the baseline, {control}."
    parts = [figure(plots.both(lambda width: plots.scores(comparison, control, width)), caption), rows]
    if control:
        parts += _against(comparison, control)
    parts += [paragraph(wording.sentence(text), "soft") for text in shown.lines]
    parts.append(_pairs(comparison))
    if first:
        return section(f"How good: {comparison.metric}", parts)
    return details(f"{comparison.metric}: scores and differences", parts)


def _against(comparison: Comparison, control: str) -> list[str]:
    caption = (
        "Filled: better (blue) or worse (orange) with p < .05 after Holm's correction; hollow: not told apart. "
        "The grey band is what these questions cannot show at 80 % power: a true difference inside it would be missed "
        "more often than one time in five."
    )
    drawing = plots.both(lambda width: plots.differences(comparison, control, width))
    return [element("h3", f"Difference to {escaped(control)}, question by question"), figure(drawing, caption)]


def _pairs(comparison: Comparison) -> str:
    if not comparison.differences:
        return ""
    rows = [
        [f"{d.system} − {d.control}", wording.signed(d.value), f"{wording.signed(d.interval.low)} to "
         f"{wording.signed(d.interval.high)}", wording.p_value(d.p), wording.p_value(d.corrected),
         wording.number(d.visible), wording.verdict_of(d)]
        for d in comparison.differences[:MOST_PAIRS]
    ]  # fmt: skip
    headers = ["pair", "difference", "interval", "p", "corrected (Holm)", "smallest visible", "shows"]
    parts = [table(headers, rows, [1, 2, 5], f"{comparison.metric}: all pairs")]
    if len(comparison.differences) > MOST_PAIRS:
        left = len(comparison.differences) - MOST_PAIRS
        parts.append(paragraph(f"{left:,} more pairs are in the JSON form of this report.", "soft"))
    return details(f"all {wording.counted(len(comparison.differences), 'pair')} of {comparison.metric}", parts)


def _costs(report: Report) -> str:
    if not report.comparisons:
        return ""
    main = report.comparisons[0]
    found = [(plots.cost_points(report, main, name), cost, more) for name, cost, more in COSTS]
    found = [one for one in found if len(one[0]) > 1]
    kind, width = ("third", 264.0) if len(found) > 2 else ("half", 390.0)
    drawings = [
        f'<figure class="{kind}">{plots.quality_against_cost(points, main.metric, cost, more, width)}</figure>'
        for points, cost, more in found
    ]
    if not drawings:
        return ""
    how = "The dotted line joins the systems that no other beats in both. The cost axes are logarithmic."
    return section("Quality against cost", [paragraph(how, "how"), element("div", "".join(drawings), "row")])


def _duels(report: Report) -> str:
    if not report.duels:
        return ""
    caption = "Blue: questions on which the first system is better. Grey: equal. Orange: worse."
    parts = [figure(plots.both(lambda width: plots.duels(report.duels, width)), caption)]
    rows = [
        [f"{one.system} against {one.control}", one.metric, f"{one.wins:,}", f"{one.ties:,}", f"{one.losses:,}"]
        for one in report.duels
    ]
    headers = ["pair", "metric", "won", "equal", "lost"]
    parts.append(details("as a table", [table(headers, rows, [2, 3, 4], "questions won, equal and lost")]))
    for one in report.duels:
        rows = [[text, wording.signed(gap)] for text, gap in [*one.best, *one.worst]]
        if rows:
            name = f"where {one.system} gains and loses most against {one.control}"
            parts.append(details(name, [table(["question", f"difference in {one.metric}"], rows, [1], name)]))
    return section("Question by question", parts)


def _tasks(report: Report) -> str:
    if not report.tasks:
        return ""
    shown = sections(Report("", tasks=report.tasks))[0]
    return section("Tasks", [table(shown.headers, shown.rows, shown.right, "scores on tasks")])


def _calibration(report: Report) -> str:
    if not report.calibration:
        return ""
    drawings, tables = [], []
    for one in report.calibration:
        shown = reliability_section(one)
        caption = " ".join(wording.sentence(text) for text in (shown.lines[0], *one.remarks))
        drawings.append(figure(plots.reliability(one), caption))
        tables.append(details(f"{one.system}: the table", [table(shown.headers, shown.rows, shown.right, shown.title)]))
    how = "Points on the diagonal: of the pairs that are said to be relevant with P = .7, 70 % are."
    if any(one.synthetic for one in report.calibration):
        how += " Synthetic: this holds for questions like these, which were made from the documents."
    return section("What a score means", [paragraph(how, "how"), element("div", "".join(drawings), "row"), *tables])


def _questions(report: Report) -> str:
    questions = report.questions
    if questions is None:
        return ""
    parts = [paragraph(wording.sentence(text)) for text in (questions.how, questions.verdict) if text]
    if questions.by_kind:
        parts.append(paragraph(f"By kind: {wording.shares(questions.by_kind)}.", "soft"))
    if questions.examples:
        items = "".join(element("li", escaped(text)) for text in questions.examples)
        parts.append(details("a few of them", [element("ul", items, "examples")]))
    return section(f"The questions: {wording.source(questions)}", parts)


def _again(report: Report) -> str:
    parts: list[str] = []
    if report.command:
        parts.append(f"<pre><code>{escaped(report.command)}</code></pre>")
    parts.append(details("this report as Markdown", [f"<pre>{_lines(markdown.render(report))}</pre>"]))
    foot = element("footer", "Made by Isogloss. This page loads nothing: keep it, mail it, print it.")
    return section("Make it again", parts) + foot


def _lines(text: str) -> str:
    return "\n".join(escaped(line) for line in text.split("\n"))
