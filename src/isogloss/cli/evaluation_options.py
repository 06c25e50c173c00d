"""What ``eval`` and ``compare`` share: the options of statistics and output, and how results are printed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.cli.parser import name_list, natural
from isogloss.errors import UsageError

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.evaluation.report.terminal import Section
    from isogloss.workflows.gates import Gate, Verdict
    from isogloss.workflows.requests import Evaluated, Request


def systems(text: str) -> list[str]:
    """Read systems separated by commas outside brackets, for argparse."""
    from isogloss.workflows.systems import split_systems

    return split_systems(text)


def add_material(parser: ArgumentParser) -> None:
    """Add the options of questions, judgements and documents."""
    group = parser.add_argument_group("what is judged")
    group.add_argument("--qrels", metavar="FILE", help="judgements: TREC, BEIR or a table")
    group.add_argument("--queries", metavar="FILE", help="questions: TREC topics, BEIR, TSV, JSONL")
    group.add_argument("--beir", metavar="DIR", help="a folder in BEIR layout, searched instead of an index")
    group.add_argument("--questions", type=natural, default=300, metavar="N", help="questions to make (300)")
    group.add_argument(
        "--write-with", metavar="URL", default="",
        help="let this OpenAI-compatible chat server write some of them; it is sent passages of your documents "
        "(key: the environment variable ISOGLOSS_API_KEY)",
    )  # fmt: skip
    group.add_argument("--write-model", metavar="NAME", default="", help="the chat model's name at that server")


def check_pair(options: Namespace) -> None:
    """Refuse questions without judgements and judgements without questions."""
    for needed, other in (("qrels", "queries"), ("queries", "qrels")):
        if getattr(options, needed) and not getattr(options, other) and not options.beir:
            raise UsageError(f"--{needed} needs --{other}", f"--{other} is missing", f"add --{other} FILE")


def add_statistics(parser: ArgumentParser) -> None:
    """Add the options of metrics, statistics, conditions and output."""
    group = parser.add_argument_group("metrics and statistics")
    group.add_argument(
        "--metric", type=name_list, action="append", metavar="NAMES", help="such as ndcg@10,recall@100 (ndcg@10)"
    )
    group.add_argument("--k", type=natural, default=10, metavar="K", help="depth of metrics named without one (10)")
    group.add_argument("--baseline", metavar="SYSTEM", help="what the others are compared with (the first named)")
    group.add_argument("--draws", type=natural, default=10_000, metavar="N", help="draws of the bootstrap (10,000)")
    group.add_argument("--fail-if", action="append", metavar="COND", help="exit 3 where the condition is true")
    group.add_argument(
        "--fail-if-sure", action="append", metavar="COND", help="exit 3 where it is true of the whole 95 %% interval"
    )
    out = parser.add_argument_group("output")
    out.add_argument("--report", metavar="FILE", help="write a report: .html, .md or .json; run.json lies beside it")
    out.add_argument("--out", metavar="DIR", help="write reports, run.json and TREC runs into this folder")


def metrics_of(options: Namespace) -> tuple[str, ...]:
    """Return the metrics, with ``--k`` for those that need a depth and have none."""
    from isogloss.evaluation.metrics.ranking import BOTH, NEEDS_DEPTH

    named = [name for names in options.metric or [["ndcg"]] for name in names]
    explicit = options.k != 10
    return tuple(
        f"{name}@{options.k}" if name in NEEDS_DEPTH or name == "ndcg" or (explicit and name in BOTH) else name
        for name in named
    )


def gates_of(options: Namespace) -> list[Gate]:
    """Read the conditions before any work is done."""
    from isogloss.workflows.gates import parse_gate

    sure = [parse_gate(text, sure=True) for text in options.fail_if_sure or []]
    return [parse_gate(text) for text in options.fail_if or []] + sure


def show(request: Request, gates: Sequence[Gate], options: Namespace, console: Console, verb: str) -> int:
    """Run an evaluation, print and write it; raises where a condition fails (exit code 3)."""
    from isogloss.workflows.evaluating import evaluate, plan
    from isogloss.workflows.evaluation_files import check_places, write
    from isogloss.workflows.gates import check

    check_places(options.report, options.out)
    if options.dry_run:
        _print_plan(plan(request, threads=options.threads), request, console, verb)
        return 0
    found = evaluate(request, threads=options.threads, progress=console.progress())
    verdicts, failure = check(gates, found.judged(), found.systems())
    if console.wants_data:
        from isogloss.evaluation.report.as_json import content

        plain = {name: value for name, value in content(found.report).items() if name != "schema"}
        conditions = [verdict.to_dict() for verdict in verdicts]
        console.data(verb, {"about": found.about, **plain, "conditions": conditions})
    else:
        _print(found, verdicts, console)
    for path in write(found, options.report, options.out):
        console.note(f"wrote {path}")
    if failure is not None:
        raise failure
    return 0


def _print_plan(lines: list[str], request: Request, console: Console, verb: str) -> None:
    if console.wants_data:
        console.data(verb, {"dry_run": True, "plan": lines, "request": request.to_dict()})
        return
    for line in lines:
        console.line(line)


def _print(found: Evaluated, verdicts: Sequence[Verdict], console: Console) -> None:
    """Print what was made, the tables, what they mean, and the conditions; warnings go to standard error."""
    from isogloss.evaluation.report.terminal import sections

    for line in found.about:
        _sentence(line, console)
    for number, section in enumerate(sections(found.report)):
        if console.terminal and (number or found.about):
            console.line()
        _section(section, console)
    for note in found.report.all_notes():
        console.note(note)
    for verdict in verdicts:
        word = console.style("fails", "red") if verdict.failed else console.style("passes", "green")
        _sentence(f"{word}: {verdict.gate.text}: {verdict.found}", console)


def _section(section: Section, console: Console) -> None:
    if section.title:
        console.line(console.style(section.title, "bold"))
    if section.rows:
        if not console.terminal:
            console.line("\t".join(section.headers))
        console.table(section.headers, section.rows, right=section.right)
    for line in section.lines:
        _sentence(line, console)


def _sentence(text: str, console: Console) -> None:
    """Print a sentence, wrapped on a terminal."""
    if not console.terminal:
        console.line(text)
        return
    for start, stop in layout.wrap(text, console.width):
        console.line(text[start:stop])
