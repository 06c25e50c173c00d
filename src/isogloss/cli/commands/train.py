"""``isogloss train``: fine-tune a model on pairs, scores, labels or plain texts, or make a recipe's system."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from isogloss.cli.parser import add_dry_run, duration

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.workflows.training.settings import TrainingSettings

RESUMABLE = True
HELP = "train a model on your data, by a recipe or a config file; prints what it gained on rows that were held out"
EPILOG = (
    "isogloss train --on pairs.jsonl --base minilm --out my-model trains with the objective that fits the rows. "
    "isogloss train KEY --on DATA --out DIR makes a published system (isogloss recipes lists them). "
    "isogloss train config.toml runs several stages. A run that was stopped goes on where it was."
)


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("what", nargs="?", help="key of a recipe, or a config.toml; by default the rows decide")
    parser.add_argument("--on", metavar="DATA", help="file of pairs or texts, BEIR folder, documents, or a data set")
    parser.add_argument("--split", default="train", metavar="NAME", help="which part of it (train)")
    parser.add_argument("--base", default="minilm", metavar="MODEL", help="the model to start from (minilm)")
    parser.add_argument("--budget", type=duration, metavar="TIME", help="such as 90s or 10m; by default one pass")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting")
    parser.add_argument("--no-merge", action="store_true", help="do not mix the trained weights with the base's")
    parser.add_argument("--out", metavar="DIR", help="folder of the model")
    add_dry_run(parser)


def run(options: Namespace, console: Console) -> int:
    """Train, print base and model side by side, and say where the model lies."""
    from isogloss.errors import UsageError

    out = options.out
    if options.what and not options.what.endswith(".toml"):
        return _recipe(options, console)
    if options.what:
        from isogloss.workflows.training.settings import read_config

        _only_config(options)
        settings, named = read_config(options.what)
        out = out or named
    else:
        settings = _settings(options)
    if not out and not options.dry_run:
        raise UsageError("where shall the model go?", "no folder was given", "add --out DIR")
    if options.dry_run:
        return _plan(settings, options.threads, console)
    from isogloss.cli.training_output import show_trained
    from isogloss.workflows.training.run import run_training

    show_trained(run_training(settings, out, threads=options.threads, progress=console.progress()), console)
    return 0


def _settings(options: Namespace) -> TrainingSettings:
    from isogloss.errors import UsageError
    from isogloss.workflows.training.settings import from_command

    if not options.on:
        raise UsageError("what shall it learn from?", "no data was given", "add --on DATA")
    return from_command(
        options.on, options.base, options.budget, options.set, seed=options.seed, split=options.split,
        merge=not options.no_merge,
    )  # fmt: skip


def _only_config(options: Namespace) -> None:
    """Refuse options that a config file says itself, so that none is passed over in silence."""
    from isogloss.errors import UsageError

    usual: dict[str, object] = {
        "on": None,
        "budget": None,
        "set": [],
        "split": "train",
        "base": "minilm",
        "seed": 0,
        "no_merge": False,
    }
    given = [f"--{name.replace('_', '-')}" for name, value in usual.items() if getattr(options, name) != value]
    if given:
        said = "its settings stand in the file"
        raise UsageError(f"{', '.join(given)} cannot be given beside a config file", said, f"edit {options.what}")


def _plan(settings: TrainingSettings, threads: int | None, console: Console) -> int:
    from isogloss.cli.training_output import show_plan
    from isogloss.workflows.training.dry_run import planned

    show_plan(planned(settings, threads), console)
    return 0


def _recipe(options: Namespace, console: Console) -> int:
    from isogloss.cli.training_output import show_made
    from isogloss.errors import UsageError
    from isogloss.workflows.training.recipe import Order, make_system

    if not options.on or not (options.out or options.dry_run):
        raise UsageError("a recipe needs data and a place", "", f"isogloss train {options.what} --on DATA --out DIR")
    order = Order(
        options.what, options.on, options.split, options.base, options.budget, tuple(options.set), options.seed
    )  # fmt: skip
    place = Path(options.out or ".")
    made = make_system(
        order, place, dry_run=options.dry_run, threads=options.threads, progress=console.progress()
    )  # fmt: skip
    show_made(made, console)
    return 0
