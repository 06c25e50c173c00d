"""The verbs and their options: found in the folder ``commands``, read with argparse, layered with configuration."""

from __future__ import annotations

import os
from argparse import Action, ArgumentParser, HelpFormatter, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

from isogloss.errors import UsageError

if TYPE_CHECKING:
    from isogloss.cli.console import Console

PROGRAM = "isogloss"
DEFAULT_INDEX = os.path.join(".", ".isogloss")


class Command(Protocol):
    """What a file in ``commands`` holds."""

    HELP: str

    def configure(self, parser: ArgumentParser) -> None:
        """Add the verb's own arguments."""
        ...

    def run(self, options: Namespace, console: Console) -> int:
        """Do the work and return the exit code."""
        ...


class VerbParser(ArgumentParser):
    """An argument parser whose errors are ours, so that they are said in three lines or as JSON."""

    def error(self, message: str) -> NoReturn:
        """Raise a usage error instead of printing and leaving."""
        fix = f"type: {self.prog} --help"
        first = message.removeprefix("unrecognized arguments: ").split()[0]
        if first.startswith("-"):
            near = close(first, [flag for action in options_of(self) for flag in action.option_strings])
            fix = f"did you mean {near}? Else {fix}" if near else fix
        arguments = " ".join(name for name in map(_positional, self._actions) if name)
        raise UsageError(f"{self.prog}: {message}", f"usage: {self.prog} [options] {arguments}".rstrip(), fix)


def _positional(action: Action) -> str:
    """Return a positional argument as usage lines show it, or an empty string for an option."""
    if action.option_strings:
        return ""
    name = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    return f"[{name} ...]" if action.nargs == "*" else f"[{name}]" if action.nargs == "?" else name


def verbs() -> list[str]:
    """Return the names of all verbs, by listing the folder of their modules."""
    folder = os.path.join(os.path.dirname(__file__), "commands")
    return sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".py") and not name.startswith("_"))


def load(verb: str) -> Command:
    """Import the module of one verb, and no other."""
    from importlib import import_module

    known = verbs()
    if verb not in known:
        raise UsageError(f"there is no verb {verb!r}", f"the verbs are: {', '.join(known)}", _suggest(verb, known))
    return cast("Command", import_module(f"isogloss.cli.commands.{verb}"))


def _suggest(word: str, known: Sequence[str], prefix: str = PROGRAM) -> str:
    near = close(word, known)
    return f"did you mean: {prefix} {near}" if near else f"type: {PROGRAM} --help"


def close(word: str, known: Sequence[str]) -> str:
    """Return the known word nearest to ``word``, or an empty string.

    Examples
    --------
    >>> close("serach", ["add", "search"])
    'search'
    """
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, n=1)), "")


def split(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """Part the verb from its arguments; common options may stand before it.

    Examples
    --------
    >>> split(["--threads", "2", "search", "heat", "-k", "3"])
    ('search', ['--threads', '2', 'heat', '-k', '3'])
    """
    takes_value = {flag for action in _common() if action.nargs is None for flag in action.option_strings}
    takes_value.add("--index")
    skip = False
    for i, word in enumerate(arguments):
        if skip:
            skip = False
        elif word in takes_value:
            skip = True
        elif not word.startswith("-"):
            return word, [*arguments[:i], *arguments[i + 1 :]]
    return None, list(arguments)


def build(verb: str, command: Command) -> ArgumentParser:
    """Return the parser of one verb, the common options included."""
    parser = VerbParser(
        prog=f"{PROGRAM} {verb}",
        description=command.HELP,
        epilog=getattr(command, "EPILOG", None),
        allow_abbrev=False,
        formatter_class=_Formatter,
        add_help=False,
    )
    command.configure(parser)
    _add_common(parser)
    return parser


def build_all() -> dict[str, ArgumentParser]:
    """Return the parsers of all verbs, for completion, the reference page and the check of configuration keys."""
    return {verb: build(verb, load(verb)) for verb in verbs()}


class _Formatter(HelpFormatter):
    """argparse's layout with room for our longest options."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)


def _common() -> list[Action]:
    """Return the options that every verb takes."""
    parser = ArgumentParser(add_help=False)
    _add_common(parser)
    return parser._actions


def _add_common(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("common options")
    form = group.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="the result as one JSON document with a schema")
    form.add_argument("--jsonl", action="store_true", help="the result as JSON, one object a line")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress and no notes")
    group.add_argument("-v", "--verbose", action="count", default=0, help="say more")
    group.add_argument("--no-input", action="store_true", help="never ask; what would ask needs --yes")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="seed of everything drawn at random (0)")
    group.add_argument("--threads", type=natural, metavar="N", help="threads to use (all processors)")
    group.add_argument(
        "--engine", choices=("auto", "onnx", "openvino", "torch"), metavar="NAME",
        help="what runs transformers: onnx, openvino, torch, or auto, the fastest that agrees (onnx)",
    )  # fmt: skip
    group.add_argument(
        "--precision", choices=("fp32", "bf16", "int8"), metavar="NAME",
        help="what transformers compute in: fp32, bf16 or int8 (fp32; with --engine auto: any that agrees)",
    )  # fmt: skip
    group.add_argument(
        "--device", metavar="NAME", help="where --engine torch computes: cpu, cuda, cuda:N, or auto (cpu)"
    )
    group.add_argument("--debug", action="store_true", help="show the trace of an error and warnings of libraries")
    group.add_argument("-h", "--help", action="help", help="show this help and leave")


def common_flags() -> list[str]:
    """Return the option strings that every verb takes."""
    return [flag for action in _common() for flag in action.option_strings]


def add_index(parser: ArgumentParser) -> None:
    """Add ``--index DIR``."""
    parser.add_argument("--index", default=DEFAULT_INDEX, metavar="DIR", help=f"folder of the index ({DEFAULT_INDEX})")


def add_yes(parser: ArgumentParser, help: str = "do not ask") -> None:
    """Add ``-y``/``--yes``."""
    parser.add_argument("-y", "--yes", action="store_true", help=help)


def add_dry_run(parser: ArgumentParser) -> None:
    """Add ``--dry-run``."""
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def natural(text: str) -> int:
    """Read a whole number of at least one, for argparse."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


natural.__name__ = "number"  # argparse names it in its message: "invalid number value"


def duration(text: str) -> float:
    """Read a time such as ``90s`` or ``10m`` as seconds, for argparse."""
    from isogloss.workflows.durations import seconds_of

    return seconds_of(text)


duration.__name__ = "time"


def name_list(text: str) -> list[str]:
    """Read names separated by commas, for argparse.

    Examples
    --------
    >>> name_list("words, static")
    ['words', 'static']
    """
    return [name for name in (part.strip() for part in text.split(",")) if name]


def unknown_option(option: str) -> UsageError:
    """Return the error about an option that stands before no verb."""
    return UsageError(f"{PROGRAM}: unknown option {option}", "no verb was given", f"type: {PROGRAM} --help")


def overview() -> str:
    """Return the help of the program: its verbs, a line each."""
    from isogloss.cli.layout import columns

    rows = [[f"  {verb}", load(verb).HELP] for verb in verbs()]
    text = [
        f"usage: {PROGRAM} VERB [arguments]",
        "",
        "Search your own documents: a folder becomes a search that works, with one command.",
        "",
        *columns(rows),
        "",
        f'First steps:  {PROGRAM} add DIR   then   {PROGRAM} search "your question"   (or: {PROGRAM} demo)',
        f"More about a verb:  {PROGRAM} VERB --help",
    ]
    return "\n".join(text)


def options_of(parser: ArgumentParser) -> list[Action]:
    """Return the actions of a parser that are options, hidden ones and ``--help`` apart."""
    from argparse import SUPPRESS

    return [
        action
        for action in parser._actions
        if action.option_strings and action.help != SUPPRESS and action.dest != "help"
    ]


def long_name(action: Action) -> str:
    """Return the long name of an option without dashes, which is its key in configuration files."""
    return max(action.option_strings, key=len).lstrip("-")
