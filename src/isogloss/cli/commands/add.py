"""``isogloss add``: read documents into an index, or bring it up to date with them."""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from typing import TYPE_CHECKING

from isogloss.cli.parser import add_dry_run, add_index, add_yes, name_list, natural
from isogloss.errors import CorpusError, UsageError

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.collection.collection import Collection
    from isogloss.corpus.options import ReadOptions

HELP = "read documents into the index, or bring it up to date"
EPILOG = (
    "Run it again at any time: only what changed is read into the index anew, and what is gone from the folder is "
    "deleted. Formats: txt md rst html csv tsv jsonl parquet pdf docx, BEIR folders, each also as .gz."
)
RESUMABLE = True


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("source", nargs="+", help="folder or file; - for standard input (text or JSONL)")
    parser.add_argument(
        "--with", dest="encoders", type=name_list, metavar="NAMES",
        help="encoders of the index: words, words:en, static, minilm, a model's folder (words,static)",
    )  # fmt: skip
    _configure_reading(parser)
    new = parser.add_argument_group("for a new index")
    new.add_argument("--budget", type=natural, metavar="N", help="most tokens of a chunk (240)")
    add_dry_run(parser)
    add_yes(parser, "delete more than a fifth of a folder's documents without asking")
    add_index(parser)


def _configure_reading(parser: ArgumentParser) -> None:
    reading = parser.add_argument_group("reading")
    reading.add_argument(
        "--text", type=name_list, default=[], metavar="FIELDS", help="fields of a row that make its text"
    )
    reading.add_argument("--title", default="", metavar="FIELD", help="field of the title")
    reading.add_argument("--id", default="", metavar="FIELD", help="field of the id")
    reading.add_argument("--include", action="append", default=[], metavar="GLOB", help="read only these files")
    reading.add_argument("--exclude", action="append", default=[], metavar="GLOB", help="leave these files out")
    reading.add_argument("--encoding", default="", help="encoding of text files (detected)")
    reading.add_argument(
        "--format", default="", help="format of a file or of standard input (by its name, or detected)"
    )
    reading.add_argument("--prefix", default="", help="put in front of every id, for folders that share file names")


def run(options: Namespace, console: Console) -> int:
    """Add each source and print what changed."""
    from isogloss.cli.summary import print_added

    for source in options.source:
        if source != "-" and not os.path.exists(source):
            raise CorpusError(f"there is nothing at {source}", "no such file or folder", "check the path")
    yes = options.yes or (console.ask if console.may_ask else False)
    reports = []
    with ExitStack() as stack:
        collection = _open_or_create(options, stack)
        for source in options.source:
            report = collection.add(
                source, options=_read_options(options), prefix=options.prefix, yes=yes, dry_run=options.dry_run,
                encoders=options.encoders, progress=console.progress(),
            )  # fmt: skip
            reports.append(report)
            if not console.wants_data:
                print_added(report, options.index, console)
    if console.wants_data:
        plain = [report.to_dict() for report in reports]
        console.data("add", plain[0] if len(plain) == 1 else {"results": plain}, rows=plain)
    return 0


def _open_or_create(options: Namespace, stack: ExitStack) -> Collection:
    from isogloss.collection.collection import BUDGET, DEFAULT_ENCODERS, Collection

    if Collection.exists(options.index):
        if options.budget is not None:
            fix = "leave it out, or name another --index"
            raise UsageError("--budget is for a new index", f"{options.index} exists already", fix)
        return stack.enter_context(Collection.open(options.index, write=not options.dry_run, threads=options.threads))
    path = options.index
    if options.dry_run:  # a new index must not appear, so the trial is made in one that goes away
        path = os.path.join(stack.enter_context(tempfile.TemporaryDirectory()), "index")
    encoders = options.encoders or DEFAULT_ENCODERS
    return stack.enter_context(
        Collection.create(path, encoders=encoders, budget=options.budget or BUDGET, threads=options.threads)
    )


def _read_options(options: Namespace) -> ReadOptions:
    from isogloss.corpus.options import ReadOptions

    return ReadOptions(
        text=tuple(options.text), title=options.title, id=options.id, include=tuple(options.include),
        exclude=tuple(options.exclude), encoding=options.encoding, format=options.format,
    )  # fmt: skip
