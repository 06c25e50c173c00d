"""``isogloss demo``: the main job on text that every machine has, the documentation of Python's own library."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.cli.answers import print_answer
from isogloss.cli.parser import add_dry_run

if TYPE_CHECKING:
    from isogloss.cli.console import Console

HELP = "try it: search the documentation of Python's own library"
DEFAULT_FOLDER = "demo"
HITS = 3


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument(
        "--out", default=DEFAULT_FOLDER, metavar="DIR", help=f"where documents and index go ({DEFAULT_FOLDER})"
    )
    add_dry_run(parser)


def run(options: Namespace, console: Console) -> int:
    """Export, add, ask, and say what to type next."""
    from isogloss.workflows.demo import QUESTIONS, export_docs, index_docs, prepare_folder

    docs, index = os.path.join(options.out, "docs"), os.path.join(options.out, ".isogloss")
    if options.dry_run:
        if console.wants_data:
            console.data("demo", {"dry_run": True, "folder": docs, "index": index, "questions": list(QUESTIONS)})
        else:
            console.line(f"would write Markdown files to {docs}, an index to {index}, and ask: {'; '.join(QUESTIONS)}")
        return 0
    prepare_folder(options.out)
    exported = export_docs(docs)
    report, answers = index_docs(docs, index, k=HITS, threads=options.threads, progress=console.progress())
    if console.wants_data:
        plain = [answer.to_dict() for answer in answers]
        console.data("demo", {"docs": exported.to_dict(), "add": report.to_dict(), "results": plain})
        return 0
    from isogloss.cli.summary import print_added

    console.terminal = True  # a demonstration is for people, wherever it goes; programs have --json
    entries = layout.count(exported.entries, "documentation string")
    console.line(f"wrote {entries} of Python's standard library to {layout.count(exported.files, 'file')} in {docs}")
    _typed(f"isogloss add {docs} --index {index}", console)
    print_added(report, index, console)
    for answer in answers:
        _typed(f'isogloss search "{answer.query}" -k {HITS} --index {index}', console)
        print_answer(answer, console)
    console.line()
    console.line("Now type your own question:")
    console.line(f'  isogloss search "..." --index {index}')
    console.line("or search a folder of yours:")
    console.line('  isogloss add DIR && isogloss search "..."')
    return 0


def _typed(command: str, console: Console) -> None:
    console.line()
    console.line(console.style(f"$ {command}", "bold"))
