"""``isogloss calibrate``: what a score means, as the probability that a document is relevant."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.cli.parser import add_dry_run, add_index, natural
from isogloss.errors import UsageError

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.workflows.calibration import Calibrated
    from isogloss.workflows.requests import Request

HELP = "fit what a score means, so that search shows P(relevant)"
EPILOG = (
    "One half of the questions is fitted, the other proves it. Without --qrels, questions are made from the documents: "
    "P then holds for questions like these. Afterwards isogloss search shows P with its interval and takes --min-p."
)


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("--qrels", metavar="FILE", help="judgements: TREC, BEIR or a table")
    parser.add_argument("--queries", metavar="FILE", help="their questions: TREC topics, BEIR, TSV, JSONL")
    parser.add_argument("--questions", type=natural, default=300, metavar="N", help="questions to make (300)")
    parser.add_argument("--report", metavar="FILE", help="write reliability plots: .html, .md or .json")
    add_dry_run(parser)
    add_index(parser)


def run(options: Namespace, console: Console) -> int:
    """Calibrate the index, print the reliability tables, and write the report that was asked for."""
    from isogloss.workflows.calibration import calibrate
    from isogloss.workflows.evaluation_files import check_places

    check_places(options.report, None)
    request = _request(options)
    found = calibrate(request, threads=options.threads, progress=console.progress(), keep=not options.dry_run)
    if console.wants_data:
        console.data("calibrate", {"kept": not options.dry_run, **found.to_dict()})
    else:
        _print(found, console)
        if options.dry_run:
            console.note("nothing was kept (--dry-run)")
    if options.report:
        _write(found, options.report, console)
    return 0


def _request(options: Namespace) -> Request:
    from isogloss.workflows.requests import Request

    if bool(options.qrels) != bool(options.queries):
        given, missing = ("qrels", "queries") if options.qrels else ("queries", "qrels")
        raise UsageError(f"--{given} needs --{missing}", f"--{missing} is missing", f"add --{missing} FILE")
    return Request(
        kind="index" if options.qrels else "questions", index=options.index, queries=options.queries or "",
        qrels=options.qrels or "", questions=options.questions, seed=options.seed,
    )  # fmt: skip


def _print(found: Calibrated, console: Console) -> None:
    from isogloss.evaluation.report.terminal import sections

    for section in sections(found.report):
        if section.title and console.terminal:
            console.line(console.style(section.title, "bold"))
        if section.rows:
            rows = section.rows if console.terminal else [[section.title, *row] for row in section.rows]
            console.table(section.headers, rows, right=section.right)
        for line in section.lines:
            for start, stop in layout.wrap(line, console.width):
                console.line(line[start:stop])
    for note in found.report.all_notes():
        console.note(note)


def _write(found: Calibrated, path: str, console: Console) -> None:
    from isogloss.workflows.evaluation_files import renderer

    with open(path, "w", encoding="utf-8") as file:
        file.write(renderer(path)(found.report))
    console.note(f"wrote {path}")
