"""``isogloss search``: answer questions from an index."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.cli.answers import print_answer
from isogloss.cli.parser import DEFAULT_INDEX, add_index, name_list, natural
from isogloss.errors import UsageError

if TYPE_CHECKING:
    from isogloss.cli.console import Console
    from isogloss.collection.results import SearchResult

HELP = "find the documents that answer a question"
EPILOG = (
    "Filters: --where \"lang = 'en' and path like 'guide/%' and year between 1990 and 2000\". "
    "A single - reads questions from standard input, one a line. "
    'With a folder in front (isogloss search DIR "question") the folder is read first, into an index of its own.'
)


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("text", nargs="+", help="the question; - for questions from standard input, one a line")
    parser.add_argument("-k", type=natural, default=10, metavar="K", help="how many documents (10)")
    parser.add_argument("--where", metavar="FILTER", help="only documents whose fields match")
    parser.add_argument("--with", dest="encoders", type=name_list, metavar="NAMES", help="encoders to ask (all)")
    parser.add_argument(
        "--fusion", choices=["weighted", "rrf"], default="weighted", help="how encoders are joined (weighted)"
    )
    parser.add_argument(
        "--weights",
        type=_weights,
        metavar="NAME=W,...",
        help="how much an encoder counts (1; static .75)",
    )
    parser.add_argument(
        "--min-p", type=float, metavar="P", help="only documents that are relevant with P or more (isogloss calibrate)"
    )
    parser.add_argument("--effort", type=float, default=1.0, metavar="E", help="1.0 searches exactly (1.0)")
    add_index(parser)


def _weights(text: str) -> dict[str, float]:
    """Read ``words=1,static=0.5``, for argparse."""
    return {name: float(weight) for name, _, weight in (part.rpartition("=") for part in name_list(text))}


_weights.__name__ = "weights"


def run(options: Namespace, console: Console) -> int:
    """Search and print."""
    questions, folder = _questions(options)
    path = _index_of(folder, options, console) if folder else options.index
    from isogloss.collection.collection import Collection

    with Collection.open(path, threads=options.threads) as collection:
        answers = collection.search(
            questions, options.k, where=options.where, encoders=options.encoders, fusion=options.fusion,
            effort=options.effort,
            weights=options.weights, min_p=options.min_p,
        )  # fmt: skip
    if console.wants_data:
        _data(answers, options, console)
    else:
        for answer in answers:
            print_answer(answer, console, several=len(answers) > 1)
    return 0


def _questions(options: Namespace) -> tuple[list[str], str]:
    """Return the questions, and the folder that stands in front of them (or an empty string)."""
    words: list[str] = options.text
    if words == ["-"]:
        questions = [line.strip() for line in sys.stdin if line.strip()]
        if not questions:
            raise UsageError("there is no question", "standard input held no text", "give one question a line")
        return questions, ""
    folder = ""
    if len(words) == 2 and options.index == DEFAULT_INDEX and os.path.isdir(words[0]):
        folder, words = words[0], words[1:]
    question = " ".join(words).strip()
    if not question:
        raise UsageError("there is no question", "the text is empty", 'type: isogloss search "your question"')
    return [question], folder


def _index_of(folder: str, options: Namespace, console: Console) -> str:
    """Read a folder into an index of its own in the cache, and return where that lies."""
    from isogloss.workflows.folder_search import index_folder

    place, report = index_folder(folder, threads=options.threads, progress=console.progress())
    console.note(f"{layout.count(report.documents, 'document')} of {folder} read; their index is kept in {place}")
    return str(place)


def _data(answers: list[SearchResult], options: Namespace, console: Console) -> None:
    plain = [answer.to_dict() for answer in answers]
    if options.json and len(plain) == 1:
        console.data("search", plain[0])
    else:
        console.data("search", {"results": plain}, rows=plain)
