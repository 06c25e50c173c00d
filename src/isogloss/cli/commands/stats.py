"""``isogloss stats``: what an index holds."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.cli.parser import add_index

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.collection.results import Stats

HELP = "say what the index holds: documents, languages, encoders, size"


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    add_index(parser)


def run(options: Namespace, console: Console) -> int:
    """Print the statistics."""
    from isogloss.collection.collection import Collection

    with Collection.open(options.index, threads=options.threads) as collection:
        stats = collection.stats()
    if console.wants_data:
        console.data("stats", stats.to_dict())
        return 0
    dead = f", {layout.count(stats.dead_chunks, 'deleted chunk')}: isogloss compact" if stats.dead_chunks else ""
    facts = [
        ("index", stats.path),
        ("documents", f"{stats.documents:,}"),
        ("chunks", f"{stats.chunks:,} of at most {stats.budget} tokens"),
        ("roots", layout.names([_root(root) for root in stats.roots], most=8)),
        ("languages", layout.shares(stats.languages)),
        ("duplicates", f"{stats.exact_duplicates:,} exact, {stats.near_duplicates:,} near"),
        ("on disk", layout.size(stats.bytes) + dead),
        ("format", f"{stats.format}, generation {stats.generation}"),
    ]
    console.table(["what", "value"], [[name, value] for name, value in facts if value])
    _encoders(stats, console)
    return 0


def _root(root: dict[str, object]) -> str:
    return str(root.get("path") or root.get("root") or root)


def _encoders(stats: Stats, console: Console) -> None:
    headers = ["encoder", "kind", "dimensions", "chunks", "off", "waiting", "on disk"]
    rows = [
        [e.name, e.kind, f"{e.dimensions:,}" if e.kind != "words" else "", f"{e.covered:,}", f"{e.off:,}",
         f"{e.pending:,}", layout.size(e.bytes)]
        for e in stats.encoders
    ]  # fmt: skip
    if console.terminal:
        console.line()
    console.table(headers, rows, right=[2, 3, 4, 5, 6])
