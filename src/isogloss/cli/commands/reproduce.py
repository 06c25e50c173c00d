"""``isogloss reproduce``: run a recorded evaluation again, and say what differs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout

if TYPE_CHECKING:
    from isogloss.cli.console import Console, Style
    from isogloss.evaluation.run_comparison import Matters, ScoreDelta
    from isogloss.workflows.reproduction import Reproduction

HELP = "run a recorded evaluation again, and say what differs"
EPILOG = (
    "The exit code is 3 where scores do not come back (they differ by .0005 or more), 4 where data or models are "
    "others. With OTHER, two records are compared and nothing is run. isogloss eval --report writes run.json beside "
    "the report."
)


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("record", metavar="RUN.JSON", help="the record of an evaluation")
    parser.add_argument("other", nargs="?", metavar="OTHER.JSON", help="compare with this record; run nothing")
    parser.add_argument("--in", dest="folder", default="", metavar="DIR", help="where the recorded files lie (here)")
    parser.add_argument("--allow-network", action="store_true", help="ask the server that the record names")


def run(options: Namespace, console: Console) -> int:
    """Reproduce, print, and fail where something did not come back."""
    from isogloss.evaluation.run_file import read_run
    from isogloss.workflows.reproduction import compared, reproduce

    record = read_run(options.record)
    if options.other:
        found = compared(record, read_run(options.other))
    else:
        found = reproduce(
            record, folder=options.folder, allow_network=options.allow_network, threads=options.threads,
            progress=console.progress(),
        )  # fmt: skip
    if console.wants_data:
        rows = [one.to_dict() for one in found.scores]
        console.data("reproduce", found.to_dict(), rows=rows)
    else:
        _print(found, console)
    failure = found.failure()
    if failure is not None:
        raise failure
    return 0


_STYLES: dict[Matters, Style] = {"scores": "yellow", "intervals": "cyan", "nothing": "dim"}


def _print(found: Reproduction, console: Console) -> None:
    rows = [[one.metric, one.system, _value(one.before), _value(one.after), _verdict(one)] for one in found.scores]
    console.table(["metric", "system", "recorded", "now", "verdict"], rows, right=[2, 3])
    if found.deltas:
        if console.terminal:
            console.line()
        deltas = [[one.what, one.before, one.after, one.matters] for one in found.deltas]
        console.table(["differs", "recorded", "now", "can change"], deltas)
    elif console.terminal:
        console.line("no setting, version or input differs")
    if console.terminal and found.failure() is None:
        console.line(console.style(f"all {layout.count(len(found.scores), 'score')} came back", "green"))


def _value(values: list[float] | None) -> str:
    from isogloss.evaluation.report.wording import NOTHING, number

    return number(values[0], 4) if values else NOTHING


def _verdict(one: ScoreDelta) -> str:
    if one.before is None or one.after is None:
        return "only recorded" if one.after is None else "not recorded"
    if one.came_back:
        return "the same" if one.before == one.after else "the same within rounding"
    return f"changed by {one.change:+.4f}" if abs(one.change) >= 0.00005 else "the interval changed"
