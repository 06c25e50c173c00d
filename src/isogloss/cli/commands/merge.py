"""``isogloss merge``: mix the weights of models of one shape, by a given share or the best one on some data."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isogloss.cli.console import Console

HELP = "mix the weights of two or more models of one shape; the shares are searched on your data"
EPILOG = (
    "isogloss merge base tuned --search pairs.jsonl --out mixed tries shares of the second model, chooses on one half "
    "of the held-out rows and measures once on the other. --by ties or dare needs the common --base of the models."
)


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("models", nargs="+", help="names or folders of two models or more")
    parser.add_argument("--search", metavar="DATA", help="rows on which the shares are chosen and proved")
    parser.add_argument("--split", default="train", metavar="NAME", help="which part of them (train)")
    parser.add_argument(
        "--by",
        default="weighted",
        choices=["weighted", "slerp", "soup", "task", "ties", "dare"],
        help="how weights are mixed",
    )
    parser.add_argument("--share", type=float, metavar="X", help="a fixed share of the later models, no search")
    parser.add_argument("--base", metavar="MODEL", help="what the models were trained from, for task, ties and dare")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the mixed model")


def run(options: Namespace, console: Console) -> int:
    """Merge, and print the models and the mixture side by side."""
    from isogloss.cli.training_output import show_merged
    from isogloss.workflows.training.mixing import Mixture, merge_models

    mixture = Mixture(tuple(options.models), options.by, options.share, options.base or "")
    made = merge_models(
        mixture, options.search or "", options.out, split_name=options.split, seed=options.seed,
        threads=options.threads, progress=console.progress(),
    )  # fmt: skip
    show_merged(made, console)
    return 0
