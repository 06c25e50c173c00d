"""``isogloss compare``: which chunking, model, window or number of dimensions, on the user's own documents."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli.evaluation_options import (
    add_material,
    add_statistics,
    check_pair,
    gates_of,
    metrics_of,
    show,
    systems,
)
from isogloss.cli.parser import add_dry_run, add_index, name_list

if TYPE_CHECKING:
    from isogloss.cli.console import Console

RESUMABLE = True
HELP = "compare chunkings, models, windows or dimensions on your documents"
EPILOG = (
    "Every combination of what is named is a variant; each is scored per document (a document counts by its best "
    "passage), so that numbers of chunks do not bias the score. Without qrels, questions are made from the documents."
)


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument(
        "--chunking", type=name_list, metavar="NAMES", help="none, a number of tokens, heading, heading+title, sentence"
    )
    parser.add_argument("--models", type=systems, metavar="SYSTEMS", help="systems, as in isogloss eval --compare")
    parser.add_argument("--max-length", type=name_list, metavar="TOKENS", help="windows of the model, such as 128,256")
    parser.add_argument("--dims", type=name_list, metavar="DIMS", help="all, a number (the first ones), pcaN")
    add_material(parser)
    add_statistics(parser)
    add_dry_run(parser)
    add_index(parser)


def run(options: Namespace, console: Console) -> int:
    """Compare, print, write what was asked for, and fail where a condition does."""
    from isogloss.workflows.requests import Request

    check_pair(options)
    gates = gates_of(options)
    request = Request(
        kind="compare",
        index="" if options.beir else options.index,
        data=options.beir or "",
        queries=options.queries or "",
        qrels=options.qrels or "",
        systems=tuple(options.models or ()),
        chunking=tuple(options.chunking or ()),
        lengths=tuple(options.max_length or ()),
        dims=tuple(options.dims or ()),
        metrics=metrics_of(options),
        baseline=options.baseline or "",
        questions=options.questions,
        writer=options.write_with,
        writer_model=options.write_model,
        seed=options.seed,
        draws=options.draws,
    )
    return show(request, gates, options, console, "compare")
