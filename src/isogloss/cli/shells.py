"""Completion scripts for bash, zsh and fish, generated from the parsers: verbs, options, and the choices of options."""

from __future__ import annotations

from argparse import Action, ArgumentParser
from collections.abc import Mapping

from isogloss.cli.parser import options_of


def script(shell: str, parsers: Mapping[str, ArgumentParser]) -> str:
    """Return the completion script of ``shell`` (bash, zsh or fish) for the given verbs."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](parsers)


def _positional_choices(parser: ArgumentParser) -> list[str]:
    return [str(c) for a in parser._actions if not a.option_strings and a.choices for c in a.choices]


def _flags(parser: ArgumentParser) -> list[str]:
    return [flag for action in options_of(parser) for flag in action.option_strings] + ["--help"]


def _bash(parsers: Mapping[str, ArgumentParser]) -> str:
    cases, choices = [], []
    for verb, parser in parsers.items():
        words, flags = " ".join(_positional_choices(parser)), " ".join(_flags(parser))
        cases.append(f"    {verb}) words='{words}' flags='{flags}' ;;")
        for action in options_of(parser):
            if action.choices:
                flags = "|".join(f"{verb}:{flag}" for flag in action.option_strings)
                choices.append(f"    {flags}) COMPREPLY=($(compgen -W '{_words(action)}' -- \"$word\")); return ;;")
    inner = "\n".join(choices)
    return f"""# isogloss completion for bash; in ~/.bashrc: eval "$(isogloss completion bash)"
_isogloss() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" verb="" words="" flags=""
  local i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${{COMP_WORDS[i]}}" in -*) ;; *) verb="${{COMP_WORDS[i]}}"; break ;; esac
  done
  COMPREPLY=()
  case "$verb:$before" in
{inner}
  esac
  case "$verb" in
    "") words='{" ".join(parsers)}' flags='--help --version' ;;
{chr(10).join(cases)}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
  esac
}}
complete -o default -F _isogloss isogloss
"""


def _words(action: Action) -> str:
    return " ".join(str(choice) for choice in action.choices or ())


def _zsh(parsers: Mapping[str, ArgumentParser]) -> str:
    verbs = "\n".join(f"    {_zsh_quote(f'{verb}:{parser.description}')}" for verb, parser in parsers.items())
    cases = []
    for verb, parser in parsers.items():
        specs = [_zsh_option(action, flag) for action in options_of(parser) for flag in action.option_strings]
        choices = _positional_choices(parser)
        rest = f"'*:argument:({' '.join(choices)})'" if choices else "'*:argument:_files'"
        cases.append(f"    {verb}) _arguments {' '.join([*specs, rest])} ;;")
    return f"""#compdef isogloss
# isogloss completion for zsh; in ~/.zshrc, after compinit: eval "$(isogloss completion zsh)"
_isogloss() {{
  local -a verbs
  verbs=(
{verbs}
  )
  if (( CURRENT == 2 )); then
    _describe -t verbs 'verb' verbs
    return
  fi
  local verb="$words[2]"
  words=("${{(@)words[2,-1]}}")
  (( CURRENT-- ))
  case "$verb" in
{chr(10).join(cases)}
  esac
}}
compdef _isogloss isogloss
"""


def _zsh_option(action: Action, flag: str) -> str:
    about = (action.help or "").replace("[", "(").replace("]", ")").replace(":", r"\:")
    value = ""
    if action.nargs != 0:
        value = f":{(action.metavar or 'value')!s}:" + (f"({_words(action)})" if action.choices else "_files")
    return _zsh_quote(f"*{flag}[{about}]{value}")


def _zsh_quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish(parsers: Mapping[str, ArgumentParser]) -> str:
    lines = [
        "# isogloss completion for fish: isogloss completion fish > ~/.config/fish/completions/isogloss.fish",
        "complete -c isogloss -n __fish_use_subcommand -f -l help -d 'show the help'",
        "complete -c isogloss -n __fish_use_subcommand -f -l version -d 'show the version'",
    ]
    for verb, parser in parsers.items():
        lines.append(f"complete -c isogloss -n __fish_use_subcommand -f -a {verb} -d {_fish_quote(parser.description)}")
        seen = f"-n '__fish_seen_subcommand_from {verb}'"
        choices = _positional_choices(parser)
        if choices:
            lines.append(f"complete -c isogloss {seen} -f -a '{' '.join(choices)}'")
        lines += [f"complete -c isogloss {seen} {_fish_option(action)}" for action in options_of(parser)]
    return "\n".join(lines) + "\n"


def _fish_option(action: Action) -> str:
    words = [f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in action.option_strings]
    if action.choices:
        words.append(f"-x -a '{_words(action)}'")
    elif action.nargs != 0:
        words.append("-r")
    return " ".join([*words, f"-d {_fish_quote(action.help)}"])


def _fish_quote(text: str | None) -> str:
    return "'" + (text or "").replace("\\", "\\\\").replace("'", "\\'") + "'"
