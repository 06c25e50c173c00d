"""``isogloss learn``: a static model from your documents alone, in about a minute."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.cli.parser import duration, natural

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.workflows.learning import LearnReport

HELP = "learn a small, fast model from your documents alone"
EPILOG = (
    "Methods: ppmi (factored counts of neighbours: seconds, repeats bit for bit), skip-gram, cbow, subword (unknown "
    "words get vectors from their letters) and glove make as many passes as --budget allows; distil fits the words of "
    "your documents to minilm. With one thread (the default here) a run with --epochs repeats bit for bit; with more "
    "it is faster and does not."
)


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("what", choices=["static"], help="static: a vector for each word")
    parser.add_argument("--on", required=True, metavar="DIR", help="folder or file to learn from, as for isogloss add")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the model")
    parser.add_argument("--method", default="ppmi", metavar="NAME", help="how, see below (ppmi)")
    parser.add_argument("--dimensions", type=natural, default=256, metavar="N", help="components of a vector (256)")
    parser.add_argument("--budget", type=duration, default=60.0, metavar="TIME", help="time for learning (60s)")
    parser.add_argument("--epochs", type=natural, metavar="N", help="passes over the words, instead of --budget")
    parser.add_argument("--min-count", type=natural, metavar="N", help="how often a word must occur (2, or 5)")
    parser.add_argument("--export", default="", metavar="FILE", help="also write the word vectors as word2vec text")


def run(options: Namespace, console: Console) -> int:
    """Learn, write, and say what came of it."""
    from isogloss.workflows.learning import Plan, learn_static

    plan = Plan(
        method=options.method, dimensions=options.dimensions, budget=options.budget, epochs=options.epochs,
        min_count=options.min_count, seed=options.seed, threads=options.threads or 1,
    )  # fmt: skip
    report = learn_static(options.on, options.out, plan, progress=console.progress(), export=options.export)
    for note in report.notes:
        console.note(note)
    if console.wants_data:
        console.data("learn", report.to_dict())
    else:
        _print(report, console)
    return 0


def _print(report: LearnReport, console: Console) -> None:
    read = f"{layout.count(report.words, 'word')} in {layout.count(report.documents, 'document')}"
    passes = f", {layout.count(report.epochs, 'pass', 'passes')}" if report.epochs else ""
    made = f"{layout.count(report.vocabulary, 'vector')} of {report.dimensions} components"
    console.line(f"learned {made} from {read} by {report.method}{passes} in {layout.duration(report.seconds)}")
    if report.known < 1:
        console.line(f"{report.known:.1%} of the words read have a vector")
    console.table(["word", "nearest"], [[word, ", ".join(near)] for word, near in report.neighbours.items()])
    console.line(f"the model is in {report.folder}; try it:")
    console.line(f"  isogloss eval --compare words,{report.folder}")
    console.line(f"  isogloss add DIR --with words,{report.folder}")
