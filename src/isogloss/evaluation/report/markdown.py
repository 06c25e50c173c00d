"""A report as Markdown: the terminal's tables in pipes, then how to get the numbers again."""

from __future__ import annotations

import re
from collections.abc import Sequence

from isogloss.evaluation.report import wording
from isogloss.evaluation.report.content import Report
from isogloss.evaluation.report.terminal import sections

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#&~!])")


def escape(text: str) -> str:
    r"""Return a text in which no character means anything to Markdown or HTML.

    Examples
    --------
    >>> escape("<b>|*")
    '\\<b\\>\\|\\*'
    """
    return _SPECIAL.sub(r"\\\1", wording.line(text))


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    r"""Return a table with pipes; columns in ``right`` are flush right.

    Examples
    --------
    >>> print(table(["system", "score"], [["a|b", ".5"]], right=[1]))
    | system | score |
    |---|---:|
    | a\|b | .5 |
    """
    marks = "|".join("---:" if i in right else "---" for i in range(len(headers)))
    lines = ["| " + " | ".join(escape(cell) for cell in row) + " |" for row in [list(headers), *rows]]
    return "\n".join([lines[0], f"|{marks}|", *lines[1:]])


def render(report: Report) -> str:
    """Return a report as Markdown.

    Examples
    --------
    >>> print(render(Report("Empty", notes=["nothing was asked"])))
    # Empty
    <BLANKLINE>
    > nothing was asked
    <BLANKLINE>
    """
    parts = [f"# {escape(wording.heading(report))}"]
    parts += [escape(wording.conclusion(one)) for one in report.comparisons[:1]]
    parts += [f"> {escape(note)}" for note in report.all_notes()]
    for section in sections(report):
        if section.title:
            parts.append(f"## {escape(section.title)}")
        if section.rows:
            parts.append(table(section.headers, section.rows, section.right))
        parts += [escape(text) for text in section.lines]
    parts += _settings(report)
    return "\n\n".join(parts) + "\n"


def _settings(report: Report) -> list[str]:
    parts = []
    if report.command:
        parts.append("Made by:\n\n" + _code(report.command))
    run = report.run
    if run is not None:
        parts += [f"- {escape(name)}: {escape(text)}" for name, text in run.metrics.items()]
        versions = ", ".join(f"{name} {version}" for name, version in sorted(run.versions.items()))
        parts.append(f"seed {run.seed}, {run.draws:,} draws; {escape(versions)}")
    return parts


def _code(text: str) -> str:
    """Return a code block whose fence no text can close."""
    runs = re.findall("`+", text)
    fence = "`" * max(3, 1 + max((len(run) for run in runs), default=0))
    return f"{fence}\n{wording.line(text)}\n{fence}"
