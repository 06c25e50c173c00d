"""How the tests of the program run it: in this process, in a folder of their own, without the user's settings."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from isogloss.cli.console import Console
from isogloss.cli.main import main


@dataclass
class Ran:
    """What one command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, with nothing configured."""
    for name in list(os.environ):
        if name.startswith("ISOGLOSS_") and name not in ("ISOGLOSS_DATA", "ISOGLOSS_NO_NUMBA", "ISOGLOSS_NO_SKIPS"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run the program in this process."""

    def call(*arguments: str, stdin: str = "") -> Ran:
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        try:
            code = main(list(arguments))
        except SystemExit as leaving:  # argparse's --help
            code = int(leaving.code or 0)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


@pytest.fixture
def process(place: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the program as users do, in a process of its own."""

    def call(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "isogloss", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)

    return call


@pytest.fixture
def terminal() -> Console:
    """A console that writes to strings and takes itself for a terminal of 60 columns with colour."""
    return Console(out=io.StringIO(), err=io.StringIO(), terminal=True, colour=True, width=60)


@pytest.fixture
def pipe() -> Console:
    """A console that writes to strings, as a pipe gets it."""
    return Console(out=io.StringIO(), err=io.StringIO())
