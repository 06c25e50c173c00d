"""Where a command speaks: results on stdout, everything else on stderr; plain, for a terminal, or as JSON."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TextIO

from isogloss.cli import layout
from isogloss.errors import IsoglossError, UsageError

if TYPE_CHECKING:
    from isogloss.protocols import Progress

Style = Literal["bold", "dim", "red", "green", "yellow", "cyan"]

_CODES: dict[Style, str] = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
SCHEMA_VERSION = 1


@dataclass(slots=True)
class Console:
    """The two streams of one command and how to write to them.

    Attributes
    ----------
    out, err
        Results; everything else.
    form
        ``text``, ``json`` (one document) or ``jsonl`` (one object a line).
    terminal
        Whether ``out`` is a terminal, so that tables and wrapped text make sense.
    colour
        Whether ``out`` may be coloured (a terminal, no ``NO_COLOR``, ``TERM`` not ``dumb``).
    width
        Columns of the terminal.
    verbosity
        -1 quiet, 0 normal, 1 and more verbose.
    """

    out: TextIO
    err: TextIO
    form: Literal["text", "json", "jsonl"] = "text"
    terminal: bool = False
    colour: bool = False
    width: int = 80
    verbosity: int = 0
    may_ask: bool = True
    debug: bool = False
    resumable: bool = False
    _said: set[str] = field(default_factory=set)

    @property
    def wants_data(self) -> bool:
        """Say whether the answer is to be JSON."""
        return self.form != "text"

    def configure(self, options: Namespace, *, resumable: bool) -> None:
        """Take over the common options once they are parsed."""
        self.form = "json" if options.json else "jsonl" if options.jsonl else "text"
        self.verbosity = -1 if options.quiet else options.verbose
        self.may_ask = not options.no_input and _is_terminal(sys.stdin)
        self.debug = options.debug
        self.resumable = resumable

    # -- results -----------------------------------------------------------------------------------------------

    def line(self, text: str = "") -> None:
        """Write one line of the result."""
        self.out.write(text + "\n")

    def style(self, text: str, *styles: Style) -> str:
        """Return ``text`` in the given styles, or as it is where colour is not wanted."""
        if not self.colour or not text:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> None:
        """Write rows: aligned under dim headers on a terminal, separated by tabs and without headers when piped."""
        cells = [[layout.clean(cell) for cell in row] for row in rows]
        if not self.terminal:
            for row in cells:
                self.line("\t".join(row))
            return
        for number, text in enumerate(layout.columns([list(headers), *cells], right=right)):
            self.line(self.style(text, "dim") if number == 0 else text)

    def data(self, name: str, content: Mapping[str, Any], *, rows: Iterable[Mapping[str, Any]] | None = None) -> None:
        """Write the result as JSON with its schema ``isogloss.NAME/1``; ``rows`` are the lines of ``--jsonl``."""
        schema = {"schema": f"isogloss.{name}/{SCHEMA_VERSION}"}
        if self.form == "json":
            self.line(self._dump({**schema, **content}, indent=2))
            return
        for row in [content] if rows is None else rows:
            self.line(self._dump({**schema, **row}))

    def _dump(self, content: Mapping[str, Any], indent: int | None = None) -> str:
        import json

        # a stream in UTF-8 shows text as it is; anything else gets escapes
        escape = (getattr(self.out, "encoding", None) or "utf-8").lower().replace("-", "") != "utf8"
        return json.dumps(_finite(content), ensure_ascii=escape, indent=indent, allow_nan=False, default=str)

    def flush(self) -> None:
        """Hand everything to the system, so that a closed pipe is noticed here."""
        self.out.flush()

    # -- everything else ---------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Say something that the reader of the result should know (not with ``-q``)."""
        if self.verbosity >= 0:
            self._say("note", text)

    def detail(self, text: str) -> None:
        """Say something only with ``-v``."""
        if self.verbosity > 0:
            self._say("", text)

    def warn(self, text: str) -> None:
        """Warn once about ``text``."""
        if text not in self._said:
            self._said.add(text)
            self._say("warning", text)

    def _say(self, label: str, text: str) -> None:
        self.out.flush()  # so that both streams in one place keep their order
        self.err.write((f"{label}: " if label else "") + layout.visible(text) + "\n")
        self.err.flush()

    def failure(self, error: IsoglossError) -> None:
        """Say an error in three lines (what, why, fix), or as one JSON line; with ``--debug`` its trace first."""
        if self.debug:
            import traceback

            traceback.print_exc(file=self.err)
        if self.wants_data:
            content = {"schema": f"isogloss.error/{SCHEMA_VERSION}", **error.to_dict(), "exit": error.exit_code}
            self.err.write(self._dump(content) + "\n")
        else:
            lines = [("error", error.what), ("why", error.why), ("fix", error.fix)]
            for label, text in lines:
                if text:
                    self.err.write(
                        f"{label + ':':<6} {layout.visible(text)}\n".replace("\n", "\n       ").rstrip() + "\n"
                    )
        self.err.flush()

    def stopped(self) -> None:
        """Say that Ctrl-C came."""
        kept = "; work so far kept, run the same command to go on" if self.resumable else ""
        self.err.write(f"\nstopped{kept}\n")

    @contextmanager
    def warnings(self) -> Iterator[None]:
        """Show our warnings as one line each, and those of libraries only with ``--debug``."""
        import warnings

        from isogloss.errors import EngineNote, IsoglossWarning, TruncationWarning

        def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
            if issubclass(category, EngineNote):
                self.note(str(message))
            elif issubclass(category, (IsoglossWarning, TruncationWarning)):
                self.warn(str(message))
            elif self.debug:
                self.warn(f"{category.__name__}: {message}")

        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = show
            yield

    # -- questions and progress --------------------------------------------------------------------------------

    def confirm(self, what: str, *, yes: bool) -> bool:
        """Ask before something that cannot be undone; where nobody can answer, ``--yes`` is needed."""
        if yes:
            return True
        if not self.may_ask:
            raise UsageError(f"not done: {what}", "nobody can be asked here", "add --yes to the command")
        return self.ask(what)

    def ask(self, question: str) -> bool:
        """Ask a question that only an explicit yes agrees to."""
        self.err.write(f"{layout.visible(question).rstrip('?')}? [y/N] ")
        self.err.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def bar_class(self) -> Any:
        """Return tqdm for libraries that draw bars themselves; None where no bar is wanted."""
        if self.verbosity < 0 or not _is_terminal(self.err):
            return None
        from tqdm import tqdm

        return tqdm

    def progress(self) -> Progress:
        """Return where long work reports to: a bar on a terminal, a few lines elsewhere, nothing with ``-q``."""
        from isogloss.cli.progress import Bars, Milestones
        from isogloss.protocols import Silent

        if self.verbosity < 0:
            return Silent()

        return Bars(self.err) if _is_terminal(self.err) else Milestones(self.err)


def open_console(*, json: bool = False, jsonl: bool = False, debug: bool = False) -> Console:
    """Return the console of this process, with what can be known before the options are parsed."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")  # a strange file name must not stop the answer
    terminal = _is_terminal(sys.stdout)
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Console(
        out=sys.stdout,
        err=sys.stderr,
        form="json" if json else "jsonl" if jsonl else "text",
        terminal=terminal,
        colour=terminal and not plain,
        width=layout.terminal_width() if terminal else 80,
        debug=debug,
    )


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream is not None and stream.isatty())
    except ValueError:  # closed
        return False


def _finite(value: Any) -> Any:
    """Return ``value`` with NaN and infinities as null, which JSON can say."""
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
