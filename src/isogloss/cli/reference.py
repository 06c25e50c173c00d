"""The reference page of the commands, in Markdown, generated from the parsers so that it cannot grow old."""

from __future__ import annotations

from argparse import Action, ArgumentParser
from collections.abc import Mapping

from isogloss.cli.parser import common_flags, options_of

_HEAD = """# Commands

Results go to standard output, progress and warnings to standard error. On a terminal results are laid out for
reading; piped, they are plain lines with tabs. `--json` gives one document with a field `schema`
(`isogloss.search/1` ...), `--jsonl` one object a line; a field never changes its meaning, new ones may come.

Exit codes: 0 done · 1 failure · 2 usage · 3 a check did not hold · 4 model, index and data do not belong together ·
130 stopped by Ctrl-C, work so far kept. Errors are three lines: what, why, and what to type next.

Settings: flags, then the environment (`ISOGLOSS_INDEX`, `ISOGLOSS_THREADS` ...: the long option in capitals), then
`./isogloss.toml`, then `$XDG_CONFIG_HOME/isogloss/config.toml`. Keys are the long options; a table a verb is possible:

```toml
index = "notes.index"

[search]
k = 5
```
"""


def markdown(parsers: Mapping[str, ArgumentParser]) -> str:
    """Return the reference page of the given verbs."""
    parts = [_HEAD, _options("Common options", next(iter(parsers.values())), common=True)]
    for verb, parser in parsers.items():
        names = [_positional(action) for action in parser._actions if not action.option_strings]
        parts.append(
            f"## {verb}\n\n{_sentence(parser.description)}\n\n    {parser.prog} [options] {' '.join(names)}".rstrip()
        )
        rows = [f"| `{_positional(a)}` | {_cell(a)} |" for a in parser._actions if not a.option_strings]
        rows += [_row(action) for action in options_of(parser) if not _is_common(action)]
        if rows:
            parts.append("| argument | meaning |\n|---|---|\n" + "\n".join(rows))
        if parser.epilog:
            parts.append(parser.epilog)
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _options(title: str, parser: ArgumentParser, *, common: bool) -> str:
    rows = [_row(action) for action in options_of(parser) if _is_common(action) == common]
    return f"## {title}\n\n| option | meaning |\n|---|---|\n" + "\n".join(rows)


def _is_common(action: Action) -> bool:
    return action.option_strings[0] in common_flags()


def _row(action: Action) -> str:
    value = (
        f" {action.metavar or '|'.join(map(str, action.choices or [action.dest.upper()]))}" if action.nargs != 0 else ""
    )
    flags = ", ".join(f"`{flag}{value}`" for flag in action.option_strings)
    return f"| {flags.replace('|', chr(92) + '|')} | {_cell(action)} |"


def _positional(action: Action) -> str:
    name = str(action.metavar or action.dest).upper()
    return f"{name} ..." if action.nargs in ("+", "*") else name


def _cell(action: Action) -> str:
    choices = f" ({', '.join(map(str, action.choices))})" if action.choices and not action.option_strings else ""
    return ((action.help or "one of") + choices).replace("|", "\\|")


def _sentence(text: str | None) -> str:
    text = text or ""
    return text[:1].upper() + text[1:] + "."
