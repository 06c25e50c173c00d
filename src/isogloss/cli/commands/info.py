"""``isogloss info``: what a model says about itself, every source of each setting, and the one that wins."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from isogloss.cli.parser import natural

if TYPE_CHECKING:
    from isogloss.cli.console import Console

HELP = "print how a model encodes, and where each setting comes from"


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("model", help="words, words:en, static, minilm, a folder, or a model in the hub cache")
    parser.add_argument("--max-length", type=natural, metavar="N", help="longest input, as an encoder would be told")


def run(options: Namespace, console: Console) -> int:
    """Print the model's settings with their sources."""
    facts = _facts(options)
    if console.wants_data:
        console.data("info", facts)
        return 0
    said = {"notes": facts.pop("notes", []), "warnings": facts.pop("warnings", [])}
    rows = [[name.replace("_", " "), *_cells(value)] for name, value in facts.items()]
    console.table(["setting", "value", "from", "all sources"], rows)
    for note in said["notes"]:
        console.line(f"note {note}")
    for warning in said["warnings"]:
        console.warn(warning)
    return 0


def _facts(options: Namespace) -> dict[str, Any]:
    """Return what is known about the model; a transformer's settings each with all their sources."""
    from isogloss.encoders.names import load_encoder

    encoder: Any = load_encoder(options.model, threads=options.threads, max_length=options.max_length)
    facts = {
        "name": encoder.name,
        "kind": encoder.kind,
        "dimensions": encoder.dimensions,
        "window": encoder.window,
        "similarity": encoder.similarity.value,
        "languages": None if encoder.languages is None else sorted(encoder.languages),
        "identity": encoder.identity,
    }
    plan = getattr(encoder, "plan", None)
    return {**facts, **plan.to_dict()} if plan is not None else facts


def _cells(value: Any) -> list[str]:
    """Return the value, the source that won, and everything that was said, for one line of the table."""
    if isinstance(value, dict) and {"value", "source", "said"} <= set(value):
        said = "; ".join(f"{source}: {_plain(other)}" for source, other in value["said"])
        return [_plain(value["value"]), str(value["source"]), said]
    return [_plain(value), "", ""]


def _plain(value: Any) -> str:
    if value is None:
        return "any"
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, dict):
        return ", ".join(f"{key or 'no role'} {_plain(item)!r}" for key, item in value.items())
    return str(value)
