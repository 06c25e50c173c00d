"""``isogloss pull``: fetch a model; the only verb that uses the network."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout

if TYPE_CHECKING:
    from isogloss.cli.console import Console

HELP = "fetch a model (the only verb that uses the network)"
RESUMABLE = True


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("name", help="minilm, or the name of a model on the hub (ORGANISATION/MODEL)")


def run(options: Namespace, console: Console) -> int:
    """Fetch the model and say where it lies."""
    from isogloss.encoders.pull import pull

    folder = str(pull(options.name))
    if console.wants_data:
        console.data("pull", {"name": options.name, "folder": folder})
        return 0
    console.line(folder)
    console.note(f"use it:  isogloss add DIR --with words,static,{layout.clean(options.name)}")
    return 0
