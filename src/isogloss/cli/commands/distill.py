"""``isogloss distill``: a smaller encoder from a larger one, on your own documents."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli.parser import duration

if TYPE_CHECKING:
    from isogloss.cli.console import Console

RESUMABLE = True
HELP = "make a smaller model from a larger one: token vectors alone, fewer layers, or fewer dimensions"
EPILOG = (
    "--to static gives token vectors, which need neither torch nor ONNX and encode some hundred times as fast; --to "
    "layers=3 keeps three layers and teaches them the whole model; --to dim=128 adds a linear layer. What is lost is "
    "measured on sentences that were held out, and on a general probe set."
)


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("teacher", help="name or folder of the larger model")
    parser.add_argument("--to", required=True, metavar="FORM", help="static, static=DIM, layers=N or dim=N")
    parser.add_argument("--on", required=True, metavar="DIR", help="folder or file of texts without labels")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the smaller model")
    parser.add_argument("--budget", type=duration, default=180.0, metavar="TIME", help="such as 90s or 10m (3m)")


def run(options: Namespace, console: Console) -> int:
    """Distil and say what is left."""
    from isogloss.cli.training_output import show_distilled
    from isogloss.workflows.training.distilling import distil, parse_goal

    goal = parse_goal(options.to)
    made = distil(
        options.teacher, goal, options.on, options.out, budget=options.budget, seed=options.seed,
        threads=options.threads, progress=console.progress(),
    )  # fmt: skip
    show_distilled(made, console)
    return 0
