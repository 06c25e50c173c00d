"""How ``isogloss adapt`` shows what it did: base and candidate on both sets of questions, and which is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isogloss.cli import layout
from isogloss.cli.training_output import verdict

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.workflows.adapting.run import Adapted

SHOWN = 12
"""Candidates that the table of what was tried shows."""


def show_adapted(made: Adapted, switched: Mapping[str, Any] | None, console: Console) -> None:
    """Print what an adaptation gave."""
    if console.wants_data:
        console.data("adapt", {**made.to_dict(), "use": dict(switched) if switched else None})
        return
    for note in made.notes:
        console.note(note)
    for name, why in made.choice.left_out.items():
        console.note(f"{name}: not tried, {why}" if name != "words" else f"words are not let in: {why}")
    _tried(made, console)
    from isogloss.workflows.training.writing import HEAD

    results = made.proof.results()
    console.table(HEAD, [row for one in results for row in one.rows()], right=[3])
    for one in results:
        console.line(verdict(one))
    kinds = ", ".join(f"{name} {gap:+.3f} ({count:.0f})" for name, (count, gap, _) in made.proof.kinds.items())
    console.line(f"by kind of question, difference (questions): {kinds}")
    _end(made, switched, console)


def _tried(made: Adapted, console: Console) -> None:
    best = sorted(made.choice.tried, key=lambda row: -row["gain"])[:SHOWN]
    rows = [
        [row["name"], f"{row['gain']:+.3f}", f"± {1.96 * row['error']:.3f}", layout.duration(row["seconds"])]
        for row in best
    ]
    console.line(
        f"tried {layout.count(len(made.choice.tried), 'candidate')}, on questions that choose (not the proof):"
    )
    console.table(["candidate", "gain", "95 %", "trained"], rows, right=[1, 2, 3])


def _end(made: Adapted, switched: Mapping[str, Any] | None, console: Console) -> None:
    spent, budget = layout.duration(made.facts["seconds"]), layout.duration(made.facts["budget"])
    proved = f"{made.facts['proved_by']} questions of {layout.count(made.facts['documents'], 'document')}"
    if made.written is None:
        console.line(console.style(f"kept: {made.order.base}, as it is", "bold") + f"; {made.proof.reason}")
        console.line(f"nothing was written; {proved} proved it, {spent} of {budget}")
        return
    console.line(console.style(f"kept: {made.choice.best.name}", "bold") + f"; {made.proof.reason}")
    console.line(f"saved {made.written.folder} ({layout.size(made.written.size)}; the card has these numbers)")
    console.line(f"{proved} proved it, {spent} of {budget}")
    if switched is not None:
        console.line(f"{switched['index']} searches with it now ({switched['model']})")
    else:
        console.line(f"let an index search with it: isogloss adapt {made.written.folder} --use INDEX")


def show_adapting_plan(plan: Mapping[str, Any], console: Console) -> None:
    """Print what would be tried."""
    if console.wants_data:
        console.data("adapt-plan", plan)
        return
    for line in plan["lines"]:
        console.line(line)
    console.table(["would try", "what", "share"], [[row["name"], row["about"], row["share"]] for row in plan["rows"]])
    for name, why in plan["left_out"].items():
        console.line(f"would not try {name}: {why}")
