"""Entry of the program: find the verb, read its options, run it, turn errors into three lines and an exit code."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from isogloss.cli.console import Console, open_console
from isogloss.errors import IsoglossError, MissingExtraError, UsageError

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``isogloss`` with ``argv`` (default: the process's arguments) and return the exit code.

    Returns
    -------
    int
        0 done, 1 failure, 2 usage, 3 a check did not hold, 4 model, index and data do not belong together,
        130 stopped by Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    console = open_console(json="--json" in arguments, jsonl="--jsonl" in arguments, debug="--debug" in arguments)
    _listen(debug=console.debug)
    try:
        with console.warnings():
            code = _dispatch(arguments, console)
        console.flush()
    except BrokenPipeError:
        # whoever read our output has seen enough; Python must not complain again at exit
        _close_stdout()
        return 0
    except KeyboardInterrupt:
        console.stopped()
        return INTERRUPTED
    except Exception as error:
        failure = _explain(error)
        console.failure(failure)
        return failure.exit_code
    return code


def _listen(*, debug: bool) -> None:
    """Take what libraries log: shown with ``--debug``, else dropped, because our own reports say it in order."""
    import logging

    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler() if debug else logging.NullHandler())


def _dispatch(arguments: list[str], console: Console) -> int:
    from isogloss.cli import parser, settings

    verb, rest = parser.split(arguments)
    if verb is None:
        return _overview(rest, console)
    command = parser.load(verb)
    options = settings.parse(verb, command, rest, warn=console.warn)
    console.configure(options, resumable=getattr(command, "RESUMABLE", False))
    with _engine_of(options):
        return command.run(options, console)


@contextmanager
def _engine_of(options: Namespace) -> Iterator[None]:
    """Hand the engine that was asked for to every encoder that is loaded below, in other processes too."""
    if options.device not in (None, "cpu") and options.engine != "torch":
        why = f"--device is {options.device}, and the engine is {options.engine or 'onnx'}"
        raise UsageError("only the engine torch computes on a graphics card", why, "add --engine torch")
    named = {
        "ISOGLOSS_ENGINE": options.engine, "ISOGLOSS_PRECISION": options.precision, "ISOGLOSS_DEVICE": options.device,
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in named}
    os.environ.update({name: value for name, value in named.items() if value})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _overview(rest: list[str], console: Console) -> int:
    """Answer ``isogloss``, ``isogloss --help`` and ``isogloss --version``."""
    from isogloss import __version__
    from isogloss.cli import parser

    if "--version" in rest:
        if console.wants_data:
            console.data("version", {"version": __version__})
        else:
            console.line(f"isogloss {__version__}")
        return 0
    unknown = [word for word in rest if word not in ("-h", "--help", *parser.common_flags())]
    if unknown:
        raise parser.unknown_option(unknown[0])
    console.line(parser.overview())
    return 0


WORKSHOP = ("torch", "transformers", "accelerate")
"""Libraries of the extra ``train``, which searching and serving do without."""


def _explain(error: Exception) -> IsoglossError:
    """Say any error in three lines: ours as they are, the system's by their cause, the rest as bugs."""
    if isinstance(error, IsoglossError):
        return error
    if isinstance(error, MemoryError):
        return IsoglossError(
            "the memory of this machine is used up", "an array could not be allocated", "close programs, or add less"
        )
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
        return IsoglossError("the system refused a file operation", place, _system_fix(error))
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in WORKSHOP:
        why = f"this command trains or runs a model in torch, and {error.name} is not installed"
        return MissingExtraError("this needs the workshop's libraries", why, 'run: pip install "isogloss[train]"')
    what = f"unexpected error: {type(error).__name__}: {error}".splitlines()[0]
    fix = "run the same command with --debug and report what it prints"
    return IsoglossError(what, "this is a bug in Isogloss, or in a library that it uses", fix)


def _system_fix(error: OSError) -> str:
    import errno

    fixes = {
        errno.ENOSPC: "free some disk space and run the same command again; what was committed is safe",
        errno.EDQUOT: "free some disk space and run the same command again; what was committed is safe",
        errno.EACCES: "check who owns the path and whether you may write there",
        errno.EPERM: "check who owns the path and whether you may write there",
        errno.EROFS: "choose a place that can be written, for instance --index DIR",
        errno.ENOENT: "check the path",
        errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
    }
    return fixes.get(error.errno or 0, "run the same command with --debug to see where")


def _close_stdout() -> None:
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):
        return  # not a file: nothing is flushed at exit
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
