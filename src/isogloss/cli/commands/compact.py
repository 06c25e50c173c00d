"""``isogloss compact``: merge segments and free what deleted documents still take."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.cli.parser import add_index

if TYPE_CHECKING:
    from isogloss.cli.console import Console

HELP = "merge the index's segments and free the space of deleted documents"
RESUMABLE = True


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    add_index(parser)


def run(options: Namespace, console: Console) -> int:
    """Compact beside live readers, and say what was gained."""
    from isogloss.collection.collection import Collection

    with Collection.open(options.index, write=True, threads=options.threads) as collection:
        report = collection.compact(console.progress())
    if console.wants_data:
        console.data("compact", report.to_dict())
        return 0
    console.line(
        f"{layout.count(report.segments_before, 'segment')} -> {report.segments_after:,}, "
        f"{layout.size(report.bytes_before)} -> {layout.size(report.bytes_after)}   {layout.duration(report.seconds)}"
    )
    return 0
