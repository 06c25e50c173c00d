"""What README and docs show works: each page's blocks run in order in a folder of its own.

Run are the lines ``isogloss ...`` of blocks tagged ``sh``, and whole blocks tagged ``python``; each must end with exit
code 0. The folder holds a small corpus ``docs``. Other commands (``make demo``) are not looked at. Blocks tagged
``console`` show output too, which ``tests/cli`` compares.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(sh|python)\b[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
CORPUS = {
    "docs/zip.md": "# Archives\n\nTo read one file out of an archive, open the archive and ask for its name.\n\n"
    "## Writing\n\nA new member is written at the end of the archive.\n",
    "docs/guide/dates.txt": "A date without a time zone is called naive. An aware date knows its time zone.\n",
    "docs/guide/table.csv": "id,title,text\n1,Heat,Heat flows from warm to cold.\n2,Wings,A wing lifts in the wind.\n",
    "docs/list.jsonl": '{"id": "a", "text": "A queue gives back what was put in first."}\n',
}


def commands(text):
    """The argument lists of what a page shows: shell lines, continued ones joined, and whole programs."""
    found = []
    for tag, block in BLOCK.findall(text):
        if tag == "python":
            found.append([sys.executable, "-c", block])
            continue
        lines = block.replace("\\\n", " ").splitlines()
        found += [["sh", "-c", line] for line in lines if re.match(r"isogloss\b", line)]
    return found


def run(text, folder):
    """Run the commands of a page in ``folder``; return one line for each that fails."""
    for name, content in CORPUS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    program = folder / ".bin" / "isogloss"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m isogloss "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    environment = {
        **os.environ,
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder / ".cache"),
        "PYTHONPATH": str(REPOSITORY / "src"),
    }
    failed = []
    for command in commands(text):
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode:
            failed.append(f"$ {command[-1]}\nexit {done.returncode}: {done.stderr.strip()}")
    return failed


SHOWN = {page: commands(page.read_text(encoding="utf-8")) for page in PAGES}


def test_the_readme_shows_commands_and_programs():
    assert {command[0] for command in SHOWN[PAGES[0]]} == {"sh", sys.executable}


@pytest.mark.parametrize("page", [page for page in PAGES if SHOWN[page]], ids=lambda page: page.name)
def test_the_examples_of_a_page_work(page, tmp_path):
    assert "\n".join(run(page.read_text(encoding="utf-8"), tmp_path)) == ""


def test_planted_faults_are_found(tmp_path):
    page = "```sh\nisogloss --version\nisogloss --no-such-option\n```\n```python\n1 / 0\n```\n"
    failed = run(page, tmp_path)
    assert len(failed) == 2
    assert failed[0].startswith("$ isogloss --no-such-option\nexit 2")
    assert "ZeroDivisionError" in failed[1]


def test_commands_are_found():
    page = (
        "```console\n$ isogloss add docs\n```\nisogloss not this\n"
        "```sh\nisogloss search \\\n  heat | head -1\nmake demo\n```\n```python\nx = 1\ny = 2\n```\n"
    )
    assert [command[-1] for command in commands(page)] == ["isogloss search    heat | head -1", "x = 1\ny = 2\n"]
