"""``isogloss recipes``: published systems as recipes, with their claims and what their checks found."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from isogloss.cli import layout

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.recipes._catalogue import Entry

HELP = "list published systems as recipes, with their claims and what their checks found"
EPILOG = "isogloss recipes show KEY shows one recipe whole; isogloss check KEY runs its check."


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("action", nargs="?", choices=["show"], help="show: one recipe whole")
    parser.add_argument("key", nargs="?", help="the recipe's key, such as late-chunking")
    parser.add_argument("--family", metavar="F", help="only recipes of this family")
    parser.add_argument("--needs", metavar="DATA", help="only recipes that need this data set or model")
    parser.add_argument("--part", metavar="PART", help="only recipes that use a part whose name contains PART")


def run(options: Namespace, console: Console) -> int:
    """List recipes, or show one."""
    from isogloss.errors import UsageError
    from isogloss.recipes._catalogue import entries, find

    if options.action == "show":
        if options.key is None:
            raise UsageError("which recipe?", "isogloss recipes show needs a key", "list them with: isogloss recipes")
        return _show(find(options.key), console)
    return _list([entry for entry in entries() if _wanted(entry, options)], console)


def _wanted(entry: Entry, options: Namespace) -> bool:
    return (
        options.family in (None, entry.card.family)
        and (options.needs is None or options.needs in entry.card.needs.values())
        and (options.part is None or any(options.part in part for part in entry.parts))
    )


def _list(found: list[Entry], console: Console) -> int:
    from isogloss.recipes._headline import headline

    shown = headline(found)
    if console.wants_data:
        console.data("recipes", {"count": len(found), **shown.to_dict()}, rows=shown.rows)
        return 0
    rows = [[row["slug"], row["family"], row["sort"], row["verdict"], row["claim"]] for row in shown.rows]
    console.table(["recipe", "family", "sort", "verdict", "claim"], rows)
    if console.terminal:
        console.line(f"{layout.count(len(found), 'recipe')}: {shown.sentence()}")
    return 0


def _show(entry: Entry, console: Console) -> int:
    from isogloss.recipes._evidence import standing
    from isogloss.recipes._pages import fields_of

    found = standing(entry)
    content: dict[str, Any] = {**entry.to_dict(), "verdict": found.verdict}
    if console.wants_data:
        console.data("recipe", {**content, "docstring": entry.docstring, "evidence": found.record})
        return 0
    console.line(console.style(entry.card.title, "bold"))
    console.line(entry.docstring)
    console.line()
    for name, value in fields_of(entry, found):
        for number, (start, stop) in enumerate(layout.wrap(value, max(30, console.width - 14))):
            console.line(f"{name if number == 0 else '':<13} {value[start:stop]}")
    return 0
