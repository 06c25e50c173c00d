"""The files of an evaluation: reports, run.json, TREC runs, MTEB results."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path

from isogloss.errors import CorpusError, IsoglossWarning, UsageError
from isogloss.evaluation.report.content import Report
from isogloss.workflows.requests import Evaluated

RUN_FILE = "run.json"


def renderer(path: str) -> Callable[[Report], str]:
    """Return what writes a report of this file's kind.

    Raises
    ------
    UsageError
        Where the ending is not known.

    Examples
    --------
    >>> renderer("a.md").__module__
    'isogloss.evaluation.report.markdown'
    """
    from isogloss.evaluation.report import as_json, html, markdown

    forms = {".html": html.render, ".md": markdown.render, ".json": as_json.render}
    ending = os.path.splitext(path)[1].lower()
    if ending not in forms:
        raise UsageError(
            f"{path}: no report is of this kind", f"the endings are {', '.join(forms)}", "use --report report.html"
        )
    return forms[ending]


def check_places(report: str | None, out: str | None) -> None:
    """Make sure before any work that reports can be written where they should go.

    Raises
    ------
    UsageError
        Where a folder is missing, a file is in the way, or the ending of the report is not known.
    """
    if report:
        renderer(report)
        folder = os.path.dirname(os.path.abspath(report))
        if not os.path.isdir(folder):
            raise UsageError(f"{report} cannot be written", f"there is no folder {folder}", "make it first")
        if os.path.basename(report) == RUN_FILE:
            raise UsageError(f"{report} is the run file's name", "it would be written twice", "call it report.json")
    if out and os.path.exists(out) and not os.path.isdir(out):
        raise UsageError(f"{out} is no folder", "a file has that name", "give another folder to --out")


def write(found: Evaluated, report: str | None, out: str | None) -> list[str]:
    """Write a report, with run.json beside it, and a folder with all forms of it and the runs.

    Returns
    -------
    list
        The files written.
    """
    written: list[str] = []
    if report:
        _write(report, renderer(report)(found.report), written)
        _run_file(found, os.path.join(os.path.dirname(report), RUN_FILE), written)
    if out:
        os.makedirs(out, exist_ok=True)
        for name in ("report.html", "report.md", "report.json"):
            _write(os.path.join(out, name), renderer(name)(found.report), written)
        _run_file(found, os.path.join(out, RUN_FILE), written)
        _write_runs(found, out, written)
        if found.report.tasks:
            from isogloss.evaluation.report.mteb_result import write_results

            known = {one.name: one for one in found.report.run.systems} if found.report.run is not None else {}
            written += [str(path) for path in write_results(out, found.report.tasks, known)]
    return written


def _write(path: str, text: str, written: list[str]) -> None:
    aside = Path(f"{path}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)
    written.append(path)


def _run_file(found: Evaluated, path: str, written: list[str]) -> None:
    if found.report.run is not None and path not in written:
        found.report.run.write(path)
        written.append(path)


def _write_runs(found: Evaluated, out: str, written: list[str]) -> None:
    """Write each ranking as a TREC run; ids with blanks cannot stand in one, which leaves it out."""
    from isogloss.corpus.test_collections.runs import write_run

    for system, run in found.runs.items():
        path = os.path.join(out, re.sub(r"[^\w.=@+-]+", "_", system).strip("_") + ".run")
        try:
            write_run(run, path)
        except CorpusError as error:
            warnings.warn(f"{path} was not written: {error.what}", IsoglossWarning, stacklevel=2)
            continue
        written.append(path)
