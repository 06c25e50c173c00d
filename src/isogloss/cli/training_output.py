"""How the training commands show what they did: two columns, base and model, on own rows and on general questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isogloss.cli import layout

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.workflows.training.distilling import Distilled
    from isogloss.workflows.training.mixing import Merged
    from isogloss.workflows.training.recipe import Made
    from isogloss.workflows.training.run import Trained
    from isogloss.workflows.training.writing import Measured, Written


def show_trained(made: Trained, console: Console) -> None:
    """Print what ``isogloss train`` did."""
    results = [one for one in (made.own, made.general) if one is not None]
    if console.wants_data:
        _data("train", made.written, results, {"facts": made.facts, "notes": made.notes}, console)
        return
    for note in made.notes:
        console.note(note)
    _table(results, console)
    for one in results:
        console.line(verdict(one))
    facts = made.facts
    rate = facts["items"] / max(1e-9, facts["seconds"])
    console.line(
        f"{facts['steps']:,} steps, {facts['items']:,} rows, {layout.duration(facts['seconds'])} ({rate:.0f}/s)"
    )
    _place(made.written, console)


def verdict(one: Measured) -> str:
    """Say in a sentence whether the model gained or lost on these questions, or that they cannot tell."""
    found = one.gain()
    if found is None:
        return ""
    _, low, high = found
    if low > 0:
        return f"{one.name}: a real gain, at least {low:.3f} (95 %)"
    if high < 0:
        return f"{one.name}: a real loss, at least {-high:.3f} (95 %)"
    return f"{one.name}: no difference that these questions show; a loss would be at most {max(0.0, -low):.3f} (95 %)"


def show_plan(plan: Mapping[str, Any], console: Console) -> None:
    """Print what a dry run found."""
    if console.wants_data:
        console.data("train-plan", plan)
        return
    for note in plan["notes"]:
        console.line(note)
    for objective, said in zip(plan["objectives"], plan["said"], strict=True):
        console.line(f"{objective}: {said}")


def show_distilled(made: Distilled, console: Console) -> None:
    """Print what ``isogloss distill`` did."""
    results = [made.agreement, made.general]
    if console.wants_data:
        more = {"facts": made.facts, "notes": made.notes, "sentences": made.sentences}
        _data("distill", made.written, results, more, console)
        return
    for note in made.notes:
        console.note(note)
    _table(results, console)
    console.line(f"learned from {made.sentences:,} sentences; " + facts_line(made.facts))
    _place(made.written, console)


def show_merged(made: Merged, console: Console) -> None:
    """Print what ``isogloss merge`` did."""
    results = [one for one in (made.own, made.general) if one is not None]
    if console.wants_data:
        _data("merge", made.written, results, {"weights": made.weights, "tried": made.tried}, console)
        return
    for row in made.tried:
        console.note(f"shares {', '.join(f'{one:.2f}' for one in row['weights'])}: {row['score']:.4f}")
    _table(results, console)
    for one in results:
        console.line(verdict(one))
    console.line("weights: " + ", ".join(f"{name} {share:.2f}" for name, share in made.weights.items()))
    _place(made.written, console)


def show_made(made: Made, console: Console) -> None:
    """Print what ``isogloss train KEY`` did."""
    if console.wants_data:
        console.data("train-recipe", made.to_dict())
        return
    for note in made.notes:
        console.note(note)
    console.line(console.style(f"{made.key}: {made.title}", "bold"))
    console.line(", ".join(f"{name}={value!r}" for name, value in made.settings.items()) or "the paper's settings")
    if made.written is None:
        console.line("dry run: nothing was made")
        return
    _table(made.results, console)
    _place(made.written, console)


def facts_line(facts: Mapping[str, Any]) -> str:
    """Return plain facts as one line.

    Examples
    --------
    >>> facts_line({"tokens": 29191, "dimensions": 256})
    'tokens 29,191, dimensions 256'
    """
    return ", ".join(f"{k} {v:,}" if isinstance(v, int) else f"{k} {v}" for k, v in facts.items())


def _table(results: Sequence[Measured], console: Console) -> None:
    from isogloss.workflows.training.writing import HEAD

    console.table(HEAD, [row for one in results for row in one.rows()], right=[3])


def _place(written: Written, console: Console) -> None:
    console.line(f"saved {written.folder} ({layout.size(written.size)}; the card has these numbers)")


def _data(name: str, written: Written, results: Sequence[Measured], more: Mapping[str, Any], console: Console) -> None:
    content = {"folder": str(written.folder), "bytes": written.size, "results": [one.to_dict() for one in results]}
    console.data(name, {**content, **more})
