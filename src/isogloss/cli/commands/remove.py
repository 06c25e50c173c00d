"""``isogloss remove``: take documents out of an index."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.cli.parser import add_dry_run, add_index, add_yes
from isogloss.errors import UsageError

if TYPE_CHECKING:
    from isogloss.cli.console import Console

HELP = "take documents out of the index (the files stay)"
EPILOG = "A later add of the same folder reads the documents again, unless their files are gone."


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("id", nargs="*", help="documents to remove; - for ids from standard input, one a line")
    parser.add_argument("--where", metavar="FILTER", help="remove all documents whose fields match")
    add_dry_run(parser)
    add_yes(parser)
    add_index(parser)


def run(options: Namespace, console: Console) -> int:
    """Remove after asking, where more than one named document would go."""
    from_stdin = options.id == ["-"]
    ids = [line.rstrip("\n") for line in sys.stdin if line.strip()] if from_stdin else options.id
    if not ids and not options.where:
        raise UsageError(
            "nothing to remove was named", "neither an id nor --where was given", "type: isogloss remove ID"
        )
    from isogloss.collection.collection import Collection

    with Collection.open(options.index, write=not options.dry_run, threads=options.threads) as collection:
        report = collection.remove(ids, where=options.where, dry_run=True)
        many = options.where is not None or report.documents > 1
        if not options.dry_run and report.documents:
            what = f"remove {layout.count(report.documents, 'document')} ({layout.names(report.ids)})"
            if many and not console.confirm(what, yes=options.yes):
                console.note("nothing was removed")
                return 1
            report = collection.remove(ids, where=options.where)
    if console.wants_data:
        console.data("remove", report.to_dict())
        return 0
    does = "would remove" if options.dry_run else "removed"
    console.line(f"{does} {layout.count(report.documents, 'document')}, {layout.count(report.chunks, 'chunk')}")
    if options.dry_run or console.verbosity > 0:
        for name in report.ids:
            console.line(layout.clean(name))
    return 0
