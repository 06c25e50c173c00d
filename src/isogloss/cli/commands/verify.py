"""``isogloss verify``: do two sources give the same vectors, and if not, why."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from isogloss.cli import layout
from isogloss.errors import UsageError

if TYPE_CHECKING:
    from isogloss.cli.console import Console

HELP = "compare the vectors of a server or folder with those of a model"
EPILOG = (
    "The exit code is 3 where they differ. A key for the server is read from ISOGLOSS_API_KEY, "
    "so that it never stands in a list of processes."
)
DIFFERENT = 3


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("source", help="address of an embedding server (http://...), or a model")
    parser.add_argument("model", help="the model whose vectors are right")
    parser.add_argument("--role", choices=["query", "document"], help="encode as this role (none)")
    parser.add_argument("--texts", metavar="FILE", help="compare on these texts, one a line; - for standard input")
    parser.add_argument("--tolerance", type=float, default=0.9999, metavar="C", help="lowest cosine (0.9999)")
    parser.add_argument("--served", metavar="NAME", help="the model's name on the server")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="S", help="seconds to wait for an answer (60)")


def run(options: Namespace, console: Console) -> int:
    """Compare, say what was found, and name the likely cause of a difference."""
    from isogloss.encoders.agreement import verify

    agreement = verify(
        options.source, options.model, texts=_texts(options.texts), role=options.role, tolerance=options.tolerance,
        served=options.served, timeout_s=options.timeout,
    )  # fmt: skip
    if console.wants_data:
        console.data("verify", agreement.to_dict())
        return 0 if agreement.same else DIFFERENT
    console.line(console.style(layout.clean(agreement.sentence()), "green" if agreement.same else "red"))
    if not agreement.same:
        for label, text in (("fix", agreement.fix), ("worst", agreement.worst)):
            console.line(f"{label}: {layout.clean(text)}")
    for note in agreement.notes:
        console.line(f"note {layout.clean(note)}")
    return 0 if agreement.same else DIFFERENT


def _texts(path: str | None) -> list[str] | None:
    if path is None:
        return None
    if path == "-":
        lines = sys.stdin.read().splitlines()
    else:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    texts = [line for line in lines if line.strip()]
    if not texts:
        raise UsageError("there is no text to compare on", f"{path} holds none", "give one text a line")
    return texts
