"""The one function that runs an evaluation, whatever its kind, and the one that says what it would do."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from isogloss.errors import IsoglossWarning
from isogloss.protocols import Progress, Silent
from isogloss.workflows.requests import Evaluated, Kind, Request, command

if TYPE_CHECKING:
    from isogloss.evaluation.report.content import Report


def plan(request: Request, *, threads: int | None = None) -> list[str]:
    """Say in sentences what an evaluation would do, without encoding anything."""
    lines = [f"isogloss {' '.join(command(request))}"]
    if request.kind in ("questions", "index", "compare"):
        from isogloss.workflows.judged_evaluation import forecast

        sent = [f"would send passages of the documents to {request.writer}"] if request.writer else []
        return [*lines, *forecast(request, threads), *sent]
    named = {"runs": request.runs, "vectors": request.vectors, "endpoint": (request.endpoint,), "tasks": request.tasks}
    return [*lines, f"would judge {', '.join(named[request.kind])}"]


def evaluate(request: Request, *, threads: int | None = None, progress: Progress | None = None) -> Evaluated:
    """Run an evaluation; warnings of ours become notes of its report.

    Parameters
    ----------
    request
        What is asked for; its paths are relative to the current folder.
    threads
        Threads of the encoders; None for all processors.
    progress
        Where to report to; None for nowhere.
    """
    work = _work(request.kind)
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found: Evaluated = work(request, threads, progress or Silent())
    except BaseException:
        _say_again(caught)
        raise
    ours = [one for one in caught if issubclass(one.category, IsoglossWarning)]
    _say_again([one for one in caught if one not in ours])
    notes = dict.fromkeys([*found.report.notes, *(str(one.message) for one in ours)])
    found.report = with_command(replace(found.report, notes=list(notes)), command(request))
    return found


def with_command(report: Report, words: Sequence[str]) -> Report:
    """Return the report and its run file with the command that makes them, paths relative."""
    import shlex

    from isogloss.evaluation.run_file import portable

    words = portable(words)
    run = None if report.run is None else replace(report.run, command=list(words))
    return replace(report, command=shlex.join(["isogloss", *words]), run=run)


def _work(kind: Kind) -> Callable[[Request, int | None, Progress], Evaluated]:
    """Return what does this kind of evaluation; only its modules are imported."""
    if kind == "questions":
        from isogloss.workflows.own_evaluation import run
    elif kind == "index":
        from isogloss.workflows.judged_evaluation import run
    elif kind == "endpoint":
        from isogloss.workflows.endpoint_evaluation import run
    elif kind == "tasks":
        from isogloss.workflows.task_evaluation import run
    elif kind == "compare":
        from isogloss.workflows.comparison import run
    else:
        from isogloss.workflows.run_evaluation import run
    return run


def _say_again(caught: Sequence[warnings.WarningMessage]) -> None:
    for one in caught:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
