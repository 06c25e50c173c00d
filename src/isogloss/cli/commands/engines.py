"""``isogloss engines``: what can run transformers on this machine, and how each agrees and how fast it is."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isogloss.cli.console import Console

HELP = "print what can run transformers here; with a model, how each engine agrees and how fast it is"
EPILOG = "Agreement is the mean cosine with ONNX Runtime in fp32; --engine auto takes the fastest at 0.9999 or more."


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("model", nargs="?", help="a transformer to try on every engine: minilm, a folder, a name")
    parser.add_argument("--on", metavar="FILE", help="texts to try it on, one a line (eight fixed sentences)")


def run(options: Namespace, console: Console) -> int:
    """Print the engines, or the trials of a model."""
    rows = _trials(options, console) if options.model else _engines()
    if console.wants_data:
        console.data("engines", {"engines": rows}, rows=rows)
        return 0
    if options.model:
        cells = [[row["engine"], row["precision"], *_measured(row, rows[0])] for row in rows]
        console.table(["engine", "precision", "cosine with onnx fp32", "times as fast", "note"], cells)
    else:
        cells = [[row["engine"], ", ".join(row["precisions"]), row["note"]] for row in rows]
        console.table(["engine", "precisions", "note"], cells)
    return 0


def _engines() -> list[dict[str, Any]]:
    from isogloss.encoders.engines.seam import ENGINES

    found = []
    for kind in ENGINES.values():
        missing = kind.missing()
        fix = f"; pip install 'isogloss[{kind.extra}]'" if kind.extra else ""
        note = f"{missing}{fix}" if missing else "ready"
        found.append({"engine": kind.name, "precisions": list(kind.precisions), "available": not missing, "note": note})
    return found


def _trials(options: Namespace, console: Console) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from isogloss.errors import UsageError
    from isogloss.workflows.engine_trials import engine_trials

    texts = None
    if options.on:
        try:
            with open(options.on, encoding="utf-8") as file:
                texts = [line.strip() for line in file if line.strip()]
        except UnicodeDecodeError as error:
            raise UsageError(f"{options.on} is no UTF-8 text", str(error), "save it as UTF-8") from error
    return [asdict(trial) for trial in engine_trials(options.model, texts, threads=options.threads)]


def _measured(row: dict[str, Any], first: dict[str, Any]) -> list[str]:
    if row["failure"]:
        return ["-", "-", row["failure"]]
    return [f"{row['agreement']:.6f}", f"{first['seconds'] / row['seconds']:.2f}", ""]
