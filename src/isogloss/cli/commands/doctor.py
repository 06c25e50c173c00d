"""``isogloss doctor``: what is wrong with an index, a model or this machine, and the fix."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.cli.parser import add_index

if TYPE_CHECKING:
    from isogloss.cli.console import Console, Style
    from isogloss.protocols import Diagnosis

HELP = "check an index, a model and this machine, and say the fix"
EPILOG = "The exit code is 3 where there is a problem. Without MODEL the index is checked, or the bundled model."
PROBLEM = 3


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("target", nargs="?", help="a model, or the folder of an index")
    parser.add_argument(
        "--texts", metavar="PATH", help="see what the model would cut of these files (the index's chunks)"
    )
    parser.add_argument(
        "--repair", action="store_true", help="drop damaged files of the index; isogloss add makes them again"
    )
    add_index(parser)


def run(options: Namespace, console: Console) -> int:
    """Check, print every finding with its fix, and fail where there is a problem."""
    findings = [*_repair(options), *_check(options)] if options.repair else _check(options)
    problems = sum(finding.status == "problem" for finding in findings)
    if console.wants_data:
        rows = [finding.to_dict() for finding in findings]
        console.data("doctor", {"problems": problems, "checks": rows}, rows=rows)
        return PROBLEM if problems else 0
    for finding in findings:
        _print(finding, console)
    if console.terminal:
        warnings = sum(finding.status == "warning" for finding in findings)
        counts = [layout.count(problems, "problem"), layout.count(warnings, "warning")]
        console.line(f"{layout.count(len(findings), 'check')}: {', '.join(counts)}")
    return PROBLEM if problems else 0


def _repair(options: Namespace) -> list[Diagnosis]:
    """Drop what is damaged in an index and say so; the documents themselves are never touched."""
    from isogloss.collection.collection import Collection
    from isogloss.protocols import Diagnosis

    with Collection.open(options.target or options.index, write=True, repair=True) as collection:
        dropped = collection.repaired
    fix = "run: isogloss add with the same folder, to encode its chunks again"
    found = [Diagnosis("repair", "note", f"dropped: {text}", fix) for text in dropped]
    return found or [Diagnosis("repair", "ok", "nothing was damaged")]


def _check(options: Namespace) -> list[Diagnosis]:
    from isogloss.collection.collection import Collection
    from isogloss.workflows.checkup import check_index, check_model

    if options.target is None and options.texts is None and Collection.exists(options.index):
        return check_index(options.index, threads=options.threads)
    if options.target is not None and Collection.exists(options.target):
        return check_index(options.target, threads=options.threads)
    return check_model(options.target or "static", texts=options.texts, index=options.index, seed=options.seed)


_STYLES: dict[str, Style] = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "red"}


def _print(finding: Diagnosis, console: Console) -> None:
    """Print a finding: a line with tabs when piped, else a line for what was found and one for the fix."""
    cells = [finding.status, finding.check, finding.found, finding.fix]
    if not console.terminal:
        console.line("\t".join(layout.clean(cell) for cell in cells))
        return
    word = console.style(f"{finding.status:<8}", _STYLES[finding.status])
    found = layout.clean(f"{finding.check}: {finding.found}")
    for number, (start, stop) in enumerate(layout.wrap(found, console.width - 9)):
        console.line(f"{word if number == 0 else ' ' * 8} {found[start:stop]}")
    if finding.fix:
        console.line(f"         {console.style('fix: ' + layout.clean(finding.fix), 'bold')}")
