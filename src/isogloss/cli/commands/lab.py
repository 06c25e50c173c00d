"""``isogloss lab build``: build the base models that recipes are checked on."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from isogloss.cli import layout

if TYPE_CHECKING:
    from isogloss.cli.console import Console

HELP = "build the small base models that recipes are checked on"
EPILOG = (
    "Models that are there already stay, so a stopped build goes on. They lie in $XDG_CACHE_HOME/isogloss/lab, by the "
    "hash of their builder's code and data. The exit code is 3 where a model does not pass its admission test."
)
REFUSED = 3
RESUMABLE = True


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("action", choices=["build"], help="build: those that are missing")
    parser.add_argument("name", nargs="*", help="names of base models, such as tiny-lm (default: all)")
    parser.add_argument("--seeds", type=_seeds, default=(0, 1), metavar="N,N", help="seeds of each model (0,1)")
    parser.add_argument("--record", metavar="DIR", help="write base_models.json, the table to commit, into this folder")


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(one) for one in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no list of numbers such as 0,1") from None


def run(options: Namespace, console: Console) -> int:
    """Build, and show what each model took, its size, its score."""
    from isogloss.workflows.lab_builds import build_base_models, write_table

    found = build_base_models(options.name, options.seeds, progress=console.progress())
    if options.record:
        write_table(Path(options.record), found)
    if console.wants_data:
        console.data("lab", found.to_dict(), rows=[one.to_dict() for one in found.built])
        return REFUSED if found.refused else 0
    rows = [
        [
            one.name, str(one.seed), f"{one.seconds:.0f} s", f"{one.cpu_seconds:.0f} s", f"{one.megabytes:.1f} MB",
            f"{one.parameters:,}", f"{one.score[0]} {one.score[1]:.3f}", "built" if one.fresh else "there",
        ]
        for one in found.built
    ]  # fmt: skip
    console.table(["model", "seed", "time", "processor", "size", "weights", "score", "was"], rows)
    for name, why in found.refused.items():
        console.line(f"{name} is not admitted: {why}")
    if console.terminal:
        console.line(f"{layout.count(len(found.built), 'model')} admitted")
    return REFUSED if found.refused else 0
