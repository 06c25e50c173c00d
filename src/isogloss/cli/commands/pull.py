"""``isogloss pull``: fetch a model; the only verb that uses the network."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isogloss.cli.console import Console

HELP = "fetch a model (the only verb that uses the network)"
RESUMABLE = True


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("name", help="minilm, or the name of a model on the hub (ORGANISATION/MODEL)")
    parser.add_argument("--folder", metavar="DIR", help="where to put the files (the hub's cache, found by name)")
    parser.add_argument("--revision", metavar="REV", help="branch, tag or commit (the newest)")


def run(options: Namespace, console: Console) -> int:
    """Fetch the model and say where it lies."""
    from isogloss.encoders.pull import pull

    folder = str(pull(options.name, folder=options.folder, revision=options.revision, progress=console.bar_class()))
    if console.wants_data:
        console.data("pull", {"name": options.name, "folder": folder})
        return 0
    console.line(folder)
    console.note(f"use it:  isogloss add DIR --with words,static,{options.folder or options.name}")
    return 0
