"""Pages about recipes, from card, docstring and evidence: what the site and ``isogloss recipes show`` say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from isogloss.recipes._catalogue import Entry
from isogloss.recipes._evidence import Standing, committed
from isogloss.recipes._headline import Headline, headline

EXPLAINED = {
    "holds": "the gain reaches the margin, is above 0, and above the placebo",
    "other cause": "the gain is real, but the placebo shows it too",
    "refuted here": "the gain stays below the margin, and a positive control was seen",
    "inconclusive": "the check decides nothing either way",
    "not run": "the check has not been run",
    "stale": "the code has changed since the check was run",
}


def fields_of(entry: Entry, stands: Standing) -> list[tuple[str, str]]:
    """Return what there is to say of a recipe, as names and values."""
    card = entry.card
    found = [
        ("verdict", f"{stands.verdict}: {EXPLAINED[stands.verdict]}"),
        ("claim", card.claim),
        ("regime", card.regime),
        ("baseline", card.baseline),
        ("placebo", card.placebo),
        ("margin", f"{card.margin:g}"),
        ("fidelity", card.fidelity),
        ("needs", ", ".join(f"{role}: {name}" for role, name in card.needs.items())),
        ("parts", ", ".join(entry.parts) or "none"),
        ("minutes", f"{card.minutes:g}"),
        ("paper", f"{card.title} ({card.year}), {card.url}"),
    ]
    if card.deviations:
        found.append(("deviations", "; ".join(card.deviations)))
    if stands.record is not None:
        found.insert(1, ("because", str(stands.record["reason"])))
        if stands.record["seen"]:
            found.insert(2, ("seen", f"in training: {', '.join(stands.record['seen'])}; no claim of generalisation"))
    return found


def effect_rows(record: dict[str, Any]) -> list[list[str]]:
    """Return the table of a record: a row an effect, of the primary finding first.

    Examples
    --------
    >>> one = {"name": "better", "verdict": "holds", "effects": {"d": {"value": 0.1, "low": 0.05, "high": 0.15}}}
    >>> effect_rows({"primary": one, "guards": []})
    [['better', 'd', '+0.1000', '+0.0500 to +0.1500', 'holds']]
    """
    rows = []
    for number, outcome in enumerate([record["primary"], *record["guards"]]):
        name = outcome["name"] if number == 0 else f"guard: {outcome['name']}"
        verdict = "reported" if outcome.get("kind") == "reported" else outcome["verdict"]
        effects = outcome["effects"] or {"": {"value": None, "low": None, "high": None}}
        for effect, numbers in effects.items():
            span = f"{_signed(numbers['low'])} to {_signed(numbers['high'])}" if numbers["low"] is not None else ""
            rows.append([name, effect, _signed(numbers["value"]), span, verdict])
            name, verdict = "", ""
    return rows


def _signed(number: float | None) -> str:
    return "" if number is None else f"{number:+.4f}"


def page(entry: Entry, stands: Standing) -> str:
    """Return the page of one recipe in Markdown."""
    lines = [f"# {entry.card.slug}", "", entry.docstring.strip(), "", "| | |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in fields_of(entry, stands)]
    if stands.record is not None:
        lines += ["", "## Evidence", "", *_evidence_lines(stands.record)]
    lines += ["", "## Run it", "", f"    isogloss check {entry.card.slug}", ""]
    return "\n".join(lines)


def _evidence_lines(record: dict[str, Any]) -> list[str]:
    stale = "The code has changed since; these are the numbers of then. " if record.get("stale") else ""
    seeds = f"{len(record['seeds'])} seeds, {record['minutes']:g} minutes."
    lines = [
        stale + seeds,
        "",
        *_table(["finding", "effect", "value", "interval (95 %)", "verdict"], effect_rows(record)),
    ]
    scores = [
        [outcome["name"], arm, " ".join(f"{one:.4f}" if one is not None else "-" for one in values)]
        for outcome in (record["primary"], *record["guards"])
        for arm, values in outcome["scores"].items()
    ]
    lines += ["", "Scores of each seed:", "", *_table(["finding", "arm", "scores"], scores)]
    if record["sabotage"]:
        rows = [[one["swap"], one["outcome"], one["why"]] for one in record["sabotage"]]
        lines += ["", "Sabotage (the mechanism taken out):", "", *_table(["swap", "outcome", "why"], rows)]
    if record["exposure"]:
        rows = [[one["model"], one["data"], one["how"]] for one in record["exposure"]]
        lines += ["", "What the models have seen in training:", "", *_table(["model", "data", "how near"], rows)]
    return lines


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(headers) + " |", "|" + "---|" * len(headers)]
    return lines + ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def index_page(found: Headline) -> str:
    """Return the page that lists all recipes."""
    rows = [
        [f"[{row['slug']}]({row['slug']}.md)", row["family"], row["verdict"] + (" (seen data)" if row["seen"] else ""),
         row["claim"]]
        for row in found.rows
    ]  # fmt: skip
    lines = ["# Systems", "", "Published systems as recipes of parts; how a claim is checked stands in", ""]
    lines[2] += " [The Lab](../lab.md)."
    lines += [f"{len(found.rows)} recipes: {found.sentence()}." if found.rows else "There is none yet.", ""]
    return "\n".join([*lines, *_table(["recipe", "family", "verdict", "claim"], rows), ""])


def pages(entries: Sequence[Entry]) -> dict[str, str]:
    """Return every page by file name: ``index.md``, and ``SLUG.md`` for each recipe, from committed evidence only."""
    made = {f"{entry.card.slug}.md": page(entry, committed(entry)) for entry in entries}
    return {"index.md": index_page(headline(entries, committed)), **made}
