"""The answer to a question as text: rank, document, place, passage with the matched words, near duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isogloss.cli import layout

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.collection.results import Hit, SearchResult


def print_answer(answer: SearchResult, console: Console, *, several: bool = False) -> None:
    """Print one answer: laid out for a terminal, or a line a hit with tabs (the query in front where ``several``)."""
    if console.terminal:
        if several:
            console.line(console.style(layout.clean(answer.query), "bold", "cyan"))
        for hit in answer.hits:
            _print_hit(hit, console)
        _print_footer(answer, console)
    else:
        for hit in answer.hits:
            percentile = "" if hit.percentile is None else f"{hit.percentile:.2f}"
            cells = [str(hit.rank), hit.document, f"{hit.score:.6g}", percentile, hit.title, hit.snippet]
            cells += [] if hit.p is None else [f"{hit.p:.3f}"]
            console.line("\t".join(layout.clean(cell) for cell in [answer.query, *cells][0 if several else 1 :]))
    if not answer.hits and not answer.notes:
        console.note(f"no document answers: {answer.query}")
    for note in answer.notes:
        console.note(note)


def _print_hit(hit: Hit, console: Console) -> None:
    title = layout.clean(hit.title) if hit.title != hit.document else ""
    said = "" if hit.p is None else f"P={_probability(hit.p)}  "
    room = max(10, console.width - layout.width(hit.document) - 7 - len(said))
    head = console.style(layout.clean(hit.document), "bold")
    console.line(f"{hit.rank:>2}  {said}{head}  {layout.shorten(title, room)}".rstrip())
    place = _place(hit)
    for start, stop in layout.wrap(place, console.width - 4):
        console.line("    " + console.style(place[start:stop], "dim"))
    text = layout.clean(hit.snippet)
    for line in layout.wrap(text, console.width - 4):
        console.line("    " + layout.mark(text, line, hit.matches, lambda part: console.style(part, "bold", "yellow")))
    if hit.also:
        console.line("    " + console.style(f"also: {layout.names(hit.also)}", "dim"))


def _place(hit: Hit) -> str:
    """Say where in the document the passage stands, under which headings, and how it compares."""
    heading = [layout.clean(part) for part in hit.heading if part != hit.title]
    parts = [" › ".join(heading)] if heading else []
    if hit.chunks > 1:
        parts.append(f"part {hit.ordinal} of {hit.chunks}, at {layout.percent(hit.start / max(1, hit.length))}")
    if hit.p is not None and hit.p_low is not None and hit.p_high is not None:
        low, high = _probability(hit.p_low), _probability(hit.p_high)
        parts.append(f"relevant with P {_probability(hit.p)} [{low}, {high}]")
    elif hit.percentile is not None:
        parts.append(f"closer than {hit.percentile:.4g} % of random pairs")
    return " · ".join(parts) or f"{layout.count(hit.length, 'character')}"


def _probability(p: float) -> str:
    """Return P with two digits; never 0 or 1 for what is not known for sure."""
    return f"{min(0.99, max(0.01, p)):.2f}".lstrip("0")


def _print_footer(answer: SearchResult, console: Console) -> None:
    found = layout.count(len(answer.hits), "document")
    by = f" by {' + '.join(answer.encoders)}" if answer.encoders else ""
    likely = f"; P calibrated on {answer.p_by}" if answer.p_by else ""
    console.line(console.style(f"{found}{by} in {layout.duration(answer.seconds)}{likely}", "dim"))
