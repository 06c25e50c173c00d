"""Completion scripts, run by the shells that are here, and read for those that are not."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from isogloss.cli.parser import build_all, options_of, verbs
from isogloss.cli.shells import script

SHELLS = [shell for shell in ("bash", "zsh", "fish") if shutil.which(shell)]


def bash_completes(tmp_path: Path, *words: str) -> set[str]:
    source = tmp_path / "completion.bash"
    source.write_text(script("bash", build_all()))
    quoted = " ".join(f"'{word}'" for word in ("isogloss", *words))
    state = f"source {source}; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}"
    command = state + "; _isogloss; printf '%s\\n' \"${COMPREPLY[@]}\""
    ran = subprocess.run(
        ["bash", "--norc", "-u", "-c", command], capture_output=True, text=True, check=True, timeout=30
    )
    assert ran.stderr == ""
    return set(ran.stdout.split())


def test_bash_completes_verbs(tmp_path: Path) -> None:
    assert bash_completes(tmp_path, "se") == {"search"}
    assert bash_completes(tmp_path, "") == set(verbs())
    assert bash_completes(tmp_path, "--v") == {"--version"}


def test_bash_completes_options_of_the_verb(tmp_path: Path) -> None:
    assert bash_completes(tmp_path, "search", "heat", "--wh") == {"--where"}
    assert bash_completes(tmp_path, "add", "docs", "--wh") == set()
    assert {"--dry-run", "--help", "--yes", "-y"} <= bash_completes(tmp_path, "remove", "-")


def test_bash_completes_choices(tmp_path: Path) -> None:
    assert bash_completes(tmp_path, "search", "--fusion", "") == {"rrf", "weighted"}
    assert bash_completes(tmp_path, "completion", "") == {"bash", "zsh", "fish"}
    assert bash_completes(tmp_path, "search", "") == set()  # left to bash: files


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_accepts_its_script(shell: str, tmp_path: Path) -> None:
    file = tmp_path / f"completion.{shell}"
    file.write_text(script(shell, build_all()))
    ran = subprocess.run([shell, "-n", str(file)], capture_output=True, text=True, check=False, timeout=30)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    "words", [("se", {"search"}), ("search heat --wh", {"--where"}), ("completion ", {"bash", "zsh"})]
)
@pytest.mark.parametrize("fish", [shell for shell in SHELLS if shell == "fish"])
def test_fish_completes(fish: str, words: tuple[str, set[str]], tmp_path: Path) -> None:
    file = tmp_path / "completion.fish"
    file.write_text(script("fish", build_all()))
    command = f"source {file}; complete -C 'isogloss {words[0]}'"
    ran = subprocess.run([fish, "-N", "-c", command], capture_output=True, text=True, check=True, timeout=30)
    assert words[1] <= {line.split("\t")[0] for line in ran.stdout.splitlines()}


ZSH = """
zmodload zsh/zpty
zpty terminal zsh -f -i
zpty -w terminal 'PS1=""; autoload -U compinit; compinit -u -D; source {file}; echo re""ady'
zpty -r -m terminal line '*ready*'
zpty -w -n terminal $'isogloss {words}\\t'
sleep 1
zpty -w -n terminal $'\\t'
sleep 1
while zpty -r -t terminal line; do print -r -- "$line"; done
"""


@pytest.mark.parametrize(
    ("words", "shown"), [("se", "search "), ("search heat --whe", "--where "), ("search --fusion w", "weighted ")]
)
@pytest.mark.parametrize("zsh", [shell for shell in SHELLS if shell == "zsh"])
def test_zsh_completes(zsh: str, words: str, shown: str, tmp_path: Path) -> None:
    file = tmp_path / "completion.zsh"
    file.write_text(script("zsh", build_all()))
    code = ZSH.replace("{file}", str(file)).replace("{words}", words)
    ran = subprocess.run([zsh, "-f", "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert shown in re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", ran.stdout)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_verb_and_option_is_in_every_script(shell: str) -> None:
    parsers = build_all()
    text = script(shell, parsers)
    for verb, parser in parsers.items():
        assert verb in text
        for action in options_of(parser):
            for flag in action.option_strings:
                assert (f"-l {flag[2:]}" if shell == "fish" and flag.startswith("--") else flag.lstrip("-")) in text


def test_quotes_in_help_texts_are_safe() -> None:
    from argparse import ArgumentParser

    parser = ArgumentParser(description="it's [fine]: really", add_help=False)
    parser.add_argument("--what", help="don't [break]: this")
    zsh, fish = script("zsh", {"x": parser}), script("fish", {"x": parser})
    assert "it'\\''s" in zsh
    assert "don'\\''t (break)\\: this" in zsh
    assert "don\\'t" in fish
