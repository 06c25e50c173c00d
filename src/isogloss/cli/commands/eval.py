"""``isogloss eval``: how good is the search, on the user's own documents, with intervals."""

from __future__ import annotations

import os
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
from isogloss.errors import UsageError

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.workflows.requests import Kind, Request

RESUMABLE = True
HELP = "measure how good the search is, with or without labels"
EPILOG = (
    "Systems: NAME, NAME@LENGTH, rrf(A,B), rrf(A,B,k=60), weighted(A=1,B=.75), hybrid; NAME is words, words:LANGUAGE, "
    'static, minilm, or the folder of a model. Conditions: "[SYSTEM.]METRIC < [SYSTEM.]METRIC - MARGIN" or a number; '
    "without SYSTEM the last one named is meant. The exit code is 3 where a condition fails. "
    "Without qrels, questions are made from the documents and kept beside the index."
)


WRITER = ("write_with", "write_model")
UNUSED: dict[Kind, tuple[str, ...]] = {
    "tasks": ("qrels", "queries", "beir", "ids", "metric", "model_name", *WRITER),
    "runs": ("beir", "compare", "ids", "model_name", *WRITER),
    "vectors": ("beir", "compare", "model_name", *WRITER),
    "endpoint": ("ids", *WRITER),
    "index": ("ids", "model_name", *WRITER),
    "questions": ("ids", "model_name"),
}
"""Options that do not act on an evaluation of this kind; naming one is answered with a warning."""
UNUSED_WITH: dict[Kind, str] = {
    "tasks": "tasks, which have their own data and metrics", "runs": "runs", "vectors": "vectors",
    "endpoint": "a server", "index": "the documents of an index", "questions": "questions made from documents",
}  # fmt: skip


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("model", nargs="*", metavar="MODEL", help="with --tasks: the models to judge (static)")
    parser.add_argument(
        "--compare", type=systems, metavar="SYSTEMS", help="systems to compare (those of the index, and hybrid)"
    )
    add_material(parser)
    source = parser.add_argument_group("what others made, judged")
    source.add_argument("--runs", nargs="+", metavar="RUN", help="judge these TREC runs")
    source.add_argument("--vectors", nargs=2, metavar=("DOCS", "QUERIES"), help="judge these arrays (.npy)")
    source.add_argument("--ids", nargs=2, metavar=("DOCS", "QUERIES"), help="files of their ids, one a line")
    source.add_argument("--endpoint", metavar="URL", help="judge the embedding server at this address")
    source.add_argument("--model-name", metavar="NAME", default="", help="the model's name at the server")
    source.add_argument("--tasks", type=name_list, metavar="NAMES", help="judge models on these data sets")
    add_statistics(parser)
    add_dry_run(parser)
    add_index(parser)


def run(options: Namespace, console: Console) -> int:
    """Evaluate, print, write what was asked for, and fail where a condition does."""
    gates = gates_of(options)
    request = _request(options)
    for name in UNUSED[request.kind]:
        if getattr(options, name):
            console.warn(f"--{name.replace('_', '-')} says nothing about {UNUSED_WITH[request.kind]} and is not used")
    return show(request, gates, options, console, "eval")


def _request(options: Namespace) -> Request:
    from isogloss.workflows.requests import Request

    kind = _kind(options)
    return Request(
        kind=kind,
        index=options.index if kind in ("questions", "index", "endpoint") and not options.beir else "",
        data=options.beir or "",
        queries=options.queries or "",
        qrels=options.qrels or "",
        runs=tuple(options.runs or ()),
        vectors=tuple(options.vectors or ()),
        ids=tuple(options.ids or ()),
        endpoint=options.endpoint or "",
        model=options.model_name,
        systems=(*options.model, *(options.compare or ())),
        tasks=tuple(options.tasks or ()),
        metrics=metrics_of(options),
        baseline=options.baseline or "",
        questions=options.questions,
        writer=options.write_with,
        writer_model=options.write_model,
        seed=options.seed,
        draws=options.draws,
    )


def _kind(options: Namespace) -> Kind:
    """Say which evaluation the options ask for; options that contradict each other are an error."""
    named: list[Kind] = [
        kind for kind in ("runs", "vectors", "endpoint", "tasks") if getattr(options, kind) is not None
    ]  # fmt: skip
    if len(named) > 1:
        raise UsageError("these options ask for different evaluations", f"--{' and --'.join(named)}", "choose one")
    if options.model and named != ["tasks"]:
        raise UsageError(
            f"what should {' '.join(options.model)} be judged on?", "a model is judged on data sets",
            f"isogloss eval {options.model[0]} --tasks sts-b; on your documents: --compare {options.model[0]}",
        )  # fmt: skip
    if named:
        return named[0]
    check_pair(options)
    return "index" if options.qrels or (options.beir and _has_qrels(options.beir)) else "questions"


def _has_qrels(folder: str) -> bool:
    return os.path.isdir(os.path.join(folder, "qrels"))
