"""``isogloss adapt``: fit a model to your documents without labels, and keep it only where it is proved better."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli.parser import add_dry_run, add_index, duration, name_list

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.workflows.adapting.order import Order

RESUMABLE = True
HELP = "fit a model to your documents without labels; the base is kept where the gain is not real"
EPILOG = (
    "Questions are made from the documents; a part of the documents teaches, a part chooses among the candidates, and "
    "a part is read once to prove the one that was chosen. Nothing is written where the gain is not real. After Ctrl-C "
    "the same command goes on from the candidates that were finished. Without the workshop (pip install "
    "'isogloss[train]') linear maps, token weights and the weight of the words are tried, nothing is trained."
)


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("result", nargs="?", help="folder of an earlier adaptation, which --use is to use")
    parser.add_argument("--on", default="", metavar="DIR", help="your documents; by default those of the index")
    parser.add_argument(
        "--base", default="", metavar="MODEL", help="static, minilm or a folder (the index's, or static)"
    )
    parser.add_argument("--budget", type=duration, default=600.0, metavar="TIME", help="time for everything (10m)")
    parser.add_argument("--out", default="", metavar="DIR", help="folder of the model (models/NAME-1)")
    parser.add_argument("--use", metavar="INDEX", help="let this index search with the result, where it is kept")
    parser.add_argument("--try", dest="families", type=name_list, default=[], metavar="A,B", help="only these families")
    parser.add_argument("--no-merge", action="store_true", help="do not mix trained weights with the base's")
    parser.add_argument("--write-with", default="", metavar="URL", help="a chat server that writes some questions")
    parser.add_argument("--write-model", default="", metavar="NAME", help="the name of its model")
    add_index(parser)
    add_dry_run(parser)


def run(options: Namespace, console: Console) -> int:
    """Adapt, print base and candidate side by side, and say which is kept."""
    from isogloss.cli.adapting_output import show_adapted, show_adapting_plan

    if options.result:
        return _use(options, console)
    order = _order(options)
    if options.dry_run:
        from isogloss.workflows.adapting.plan import planned

        show_adapting_plan(planned(order, threads=options.threads, progress=console.progress()), console)
        return 0
    from isogloss.workflows.adapting.run import adapt

    made = adapt(order, threads=options.threads, progress=console.progress())
    switched = None
    if options.use and made.written is not None:
        from isogloss.workflows.adapting.switching import switch

        switched = switch(options.use, made.written.folder, threads=options.threads, progress=console.progress())
    show_adapted(made, switched, console)
    return 0


def _use(options: Namespace, console: Console) -> int:
    """Let an index search with an earlier result."""
    from isogloss.workflows.adapting.switching import switch

    index = options.use or options.index
    switched = switch(index, options.result, threads=options.threads, progress=console.progress())
    if console.wants_data:
        console.data("adapt-use", switched)
    else:
        console.line(f"{index} searches with {switched['model']} now" + _beside(switched["words"]))
    return 0


def _beside(words: float) -> str:
    return f", and with words at a weight of {words:g}" if words else ""


def _order(options: Namespace) -> Order:
    from isogloss.workflows.adapting.order import Order

    return Order(
        on=options.on, index=options.use or options.index, base=options.base, budget=options.budget, out=options.out,
        seed=options.seed, merge=not options.no_merge, families=tuple(options.families), writer=options.write_with,
        writer_model=options.write_model,
    )  # fmt: skip
