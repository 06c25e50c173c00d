"""Elements of the report's page; every text that comes from outside is escaped here or by the caller, once."""

from __future__ import annotations

from collections.abc import Sequence

from isogloss.evaluation.report.svg import escaped


def element(name: str, content: str, kind: str = "") -> str:
    """Return an element around ``content``, which is HTML already."""
    return f'<{name} class="{kind}">{content}</{name}>' if kind else f"<{name}>{content}</{name}>"


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph of plain text.

    Examples
    --------
    >>> paragraph("a < b", "soft")
    '<p class="soft">a &lt; b</p>'
    """
    return element("p", escaped(text), kind)


def section(title: str, parts: Sequence[str]) -> str:
    """Return a section: a heading of plain text, and its parts, which are HTML."""
    content = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{escaped(title)}</h2>\n{content}\n</section>"


def details(summary: str, parts: Sequence[str]) -> str:
    """Return something that is shown when it is asked for."""
    content = "\n".join(part for part in parts if part)
    return f"<details><summary>{escaped(summary)}</summary>\n{content}\n</details>"


def figure(drawing: str, caption: str) -> str:
    """Return a drawing with a caption of plain text."""
    return f"<figure>{drawing}<figcaption>{escaped(caption)}</figcaption></figure>"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int], name: str) -> str:
    """Return a table of plain texts that scrolls by itself where the page is narrow; the first column names the row.

    Examples
    --------
    >>> "<bdi>&lt;a&gt;</bdi>" in table(["system", "score"], [["<a>", ".5"]], [1], "scores")
    True
    """
    head = "".join(f'<th scope="col"{_side(i, right)}>{escaped(text)}</th>' for i, text in enumerate(headers))
    lines = []
    for row in rows:
        cells = "".join(f"<td{_side(i, right)}>{escaped(text)}</td>" for i, text in enumerate(row) if i)
        lines.append(f'<tr><th scope="row"><bdi>{escaped(row[0])}</bdi></th>{cells}</tr>')
    body = "\n".join(lines)
    inner = f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escaped(name)}">{inner}</div>'


def _side(column: int, right: Sequence[int]) -> str:
    return ' class="right"' if column in right else ""
