"""``isogloss show``: print one document of an index."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.cli.parser import add_index

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.collection.results import DocumentView

HELP = "print one document of the index"


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("id", help="id of a document or of one of its chunks (DOCUMENT::3)")
    parser.add_argument("--chunks", action="store_true", help="show where the document was cut")
    add_index(parser)


def run(options: Namespace, console: Console) -> int:
    """Print the document, or the chunk that was asked for."""
    from isogloss.collection.collection import Collection

    with Collection.open(options.index, threads=options.threads) as collection:
        view = collection.show(options.id)
    if console.wants_data:
        content = view.to_dict()
        console.data("show", content, rows=content["chunks"] if options.chunks else None)
        return 0
    if console.terminal:
        _print_head(view, console)
    if options.chunks:
        for chunk in view.chunks:
            place = f"{chunk.id}  characters {chunk.start:,}-{chunk.end:,}"
            console.line(console.style("  ".join([place, " › ".join(chunk.heading)]).rstrip(), "cyan"))
            console.line(layout.visible(chunk.text))
    else:
        chosen = view.text if view.chunk is None else view.chunks[view.chunk - 1].text
        console.line(layout.visible(chosen))
    return 0


def _print_head(view: DocumentView, console: Console) -> None:
    console.line(console.style(layout.clean(view.title or view.id), "bold"))
    facts = {"id": view.id, "root": view.root, "language": view.language}
    facts |= {name: str(value) for name, value in view.metadata.items()}
    facts["chunks"] = str(len(view.chunks))
    if view.near_duplicates:
        facts["near duplicates"] = layout.names(view.near_duplicates)
    for name, value in facts.items():
        if value:
            console.line(console.style(f"{name}: {layout.clean(value)}", "dim"))
    console.line()
