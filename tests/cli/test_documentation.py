"""The commands in README and docs are run and their output compared; the reference page is up to date."""

from __future__ import annotations

import doctest
import os
import re
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from isogloss.cli.parser import build_all
from isogloss.cli.reference import markdown

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass
class Step:
    """One command of a page, with what it prints and its exit code (``[2]`` after the output)."""

    command: str
    expected: str
    code: int


def steps(page: str) -> list[Step]:
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, expected = part.partition("\n")
            code = re.search(r"^\[(\d+)\]\n\Z", expected, re.M)
            found.append(Step(command, expected[: code.start()] if code else expected, int(code[1]) if code else 0))
    return found


def test_the_tutorial_has_steps() -> None:
    tutorial = steps("docs/first-search.md")
    assert len(tutorial) > 10
    assert {step.code for step in tutorial} == {0, 2}


@pytest.mark.parametrize("page", [page for page in PAGES if steps(page)])
def test_the_commands_of_a_page_do_what_it_says(page: str, place: Path, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "isogloss"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m isogloss "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    for step in steps(page):
        ran = subprocess.run(
            ["bash", "-c", step.command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
            check=False, env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert ran.returncode == step.code, f"{step.command}\n{ran.stdout}"
        assert doctest.OutputChecker().check_output(step.expected, ran.stdout, FLAGS), (
            f"$ {step.command}\nexpected:\n{step.expected}\ngot:\n{ran.stdout}"
        )


def test_the_reference_page_is_what_the_parsers_say() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == markdown(build_all()), "run: python scripts/command_reference.py"


def test_every_verb_that_the_documents_name_exists() -> None:
    known = set(build_all())
    for page in [*PAGES, "CHANGELOG.md", "CONTRIBUTING.md"]:
        text = (ROOT / page).read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|[`$(] ?)isogloss ([a-z]+)\b", text, re.M))
        assert named <= known, page
