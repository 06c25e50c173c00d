"""``isogloss completion``: print the completion script of a shell."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isogloss.cli.console import Console

HELP = "print the completion script for bash, zsh or fish"
EPILOG = (
    'bash: eval "$(isogloss completion bash)" in ~/.bashrc · zsh: the same with zsh in ~/.zshrc, after compinit · '
    "fish: isogloss completion fish > ~/.config/fish/completions/isogloss.fish"
)


def configure(parser: ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("shell", choices=["bash", "zsh", "fish"])


def run(options: Namespace, console: Console) -> int:
    """Print the script."""
    from isogloss.cli.parser import build_all
    from isogloss.cli.shells import script

    text = script(options.shell, build_all())
    if console.wants_data:
        console.data("completion", {"shell": options.shell, "script": text})
    else:
        console.line(text.rstrip("\n"))
    return 0
