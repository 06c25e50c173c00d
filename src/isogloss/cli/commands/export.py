"""``isogloss export``: write the index's chunks and vectors to a file that other tools read."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.cli.parser import add_index
from isogloss.errors import UsageError

if TYPE_CHECKING:
    from isogloss.cli.console import Console

HELP = "write the chunks, their fields and vectors to a Parquet file"


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("--parquet", metavar="FILE", help="the file to write (needs the extra: isogloss[files])")
    parser.add_argument("--encoder", metavar="NAME", help="whose vectors (the first dense encoder)")
    add_index(parser)


def run(options: Namespace, console: Console) -> int:
    """Export, and say what was written."""
    if not options.parquet:
        raise UsageError("no file to write was named", "export needs --parquet", "type: isogloss export --parquet FILE")
    from isogloss.collection.collection import Collection

    with Collection.open(options.index, threads=options.threads) as collection:
        report = collection.export_parquet(options.parquet, encoder=options.encoder)
    if console.wants_data:
        console.data("export", report.to_dict())
        return 0
    console.line(f"wrote {layout.count(report.rows, 'row')} to {report.path}, {layout.size(report.bytes)}")
    console.line(f"columns: {', '.join(report.columns)}")
    return 0
