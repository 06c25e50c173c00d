"""Configuration: flags > environment ``ISOGLOSS_*`` > ``./isogloss.toml`` > ``$XDG_CONFIG_HOME/isogloss/config.toml``.

A file holds keys named after the long options (``index = "notes"``), and a table a verb for keys of that verb alone
(``[search]`` ``k = 5``); a verb's table wins over the top of its file.
"""

from __future__ import annotations

import os
from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from isogloss.cli import parser as verbs
from isogloss.errors import UsageError

LOCAL_FILE = "isogloss.toml"
NEVER_FROM_FILES = ("yes", "json", "jsonl", "debug", "no-input", "dry-run")
"""Options that a file in some folder must not switch on behind the user's back."""

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


def parse(verb: str, command: verbs.Command, arguments: Sequence[str], *, warn: Callable[[str], None]) -> Namespace:
    """Read the arguments of a verb; what they leave open comes from the environment and the configuration files."""
    parser = verbs.build(verb, command)
    layer(parser, verb, warn=warn)
    return parser.parse_args(arguments)


def layer(parser: ArgumentParser, verb: str, *, warn: Callable[[str], None]) -> None:
    """Set the defaults of ``parser`` from the configuration files and the environment, the weakest first."""
    actions = {verbs.long_name(action): action for action in verbs.options_of(parser)}
    for path in (user_file(), Path(LOCAL_FILE)):
        if os.path.isfile(path):  # Path.is_file raises where a folder above may not be entered
            for key, value in _from_file(path, verb, actions, warn).items():
                parser.set_defaults(**{actions[key].dest: _convert(actions[key], value, f"{key} in {path}")})
    for key, action in actions.items():
        variable = "ISOGLOSS_" + key.upper().replace("-", "_")
        if variable in os.environ:
            parser.set_defaults(**{action.dest: _convert(action, os.environ[variable], variable)})


def user_file() -> Path:
    """Return where the user's own configuration lies, whether it exists or not."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(base) / "isogloss" / "config.toml"


def _from_file(
    path: Path, verb: str, actions: Mapping[str, Action], warn: Callable[[str], None]
) -> dict[str, str | int | float | bool | list[str]]:
    import tomllib

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read", str(error), "mend the file, or move it away") from error
    top = {key: value for key, value in content.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in content.items() if isinstance(value, dict)}
    _check_tables(path, tables, warn)
    chosen: dict[str, Any] = {}
    for place, values in (("", top), (verb, tables.get(verb, {}))):
        for key, value in values.items():
            if key in NEVER_FROM_FILES:
                warn(f"{path}: {key} is not taken from a file; give --{key} on the command line")
            elif key in actions:
                chosen[key] = value
            else:
                _unknown_key(path, key, list(actions), warn, everywhere=not place)
    return chosen


def _check_tables(path: Path, tables: Mapping[str, Any], warn: Callable[[str], None]) -> None:
    known = verbs.verbs()
    for name in tables:
        if name not in known:
            near = verbs.close(name, known)
            warn(f"{path}: unknown table [{name}]" + (f"; did you mean [{near}]?" if near else ""))


def _unknown_key(path: Path, key: str, known: list[str], warn: Callable[[str], None], *, everywhere: bool) -> None:
    """Warn about a key that the verb (or, at the top of a file, no verb at all) knows."""
    if everywhere:
        known = sorted({verbs.long_name(a) for parser in verbs.build_all().values() for a in verbs.options_of(parser)})
    if key not in known:
        near = verbs.close(key, known)
        warn(f"{path}: unknown key {key}" + (f"; did you mean {near}?" if near else ""))


def _convert(action: Action, value: Any, place: str) -> Any:
    """Turn a configured value into what the option would give; a wrong one is a usage error that names its place."""
    if action.nargs == 0:
        return _switch(action, value, place)
    text = ",".join(str(item) for item in value) if isinstance(value, list) else str(value)
    try:
        result = action.type(text) if callable(action.type) else text
    except (ValueError, TypeError, ArgumentTypeError) as error:
        raise UsageError(
            f"{place} cannot be {text!r}", str(error), f"see the option --{verbs.long_name(action)}"
        ) from error
    if action.choices is not None and result not in action.choices:
        allowed = ", ".join(str(choice) for choice in action.choices)
        raise UsageError(f"{place} cannot be {text!r}", f"allowed are: {allowed}", "choose one of these")
    return [result] if type(action).__name__ == "_AppendAction" else result


def _switch(action: Action, value: Any, place: str) -> bool | int:
    word = str(value).lower()
    if word in _TRUE:
        return True if action.const is not None and isinstance(action.const, bool) else 1
    if word in _FALSE:
        return False
    if type(action).__name__ == "_CountAction" and word.isdigit():
        return int(word)
    raise UsageError(f"{place} cannot be {value!r}", "it is a switch", "use true or false")
