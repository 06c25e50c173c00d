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
from isogloss.seeding import generator


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


TOPICS = {
    "tea": "green black leaves steeped cup kettle water aroma oolong harvest",
    "bread": "dough yeast oven flour knead crust loaf rise bake sourdough",
    "bicycle": "chain wheel pedal brake saddle spoke gear tyre frame handlebar",
    "ocean": "tide wave salt current reef whale plankton trench harbour sail",
    "music": "violin melody rhythm chord opera piano tempo harmony flute choir",
}


def text_of(topic: str, number: int) -> str:
    """A short text of a topic: sentences of its words, different for each number."""
    rng = generator(number, "text", topic)
    words = TOPICS[topic].split()
    sentences = [" ".join(rng.choice(words, 6, replace=False)) for _ in range(6)]
    return " ".join(f"{sentence.capitalize()} {topic} {topic}{number}." for sentence in sentences)


@pytest.fixture
def collection(place: Path, run: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of fifty texts in the current folder, with questions and judgements beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.parent / "cache"))
    monkeypatch.delenv("ISOGLOSS_DATA", raising=False)
    rows = [(f"{topic}{n}", text_of(topic, n)) for topic in TOPICS for n in range(10)]
    lines = [json.dumps({"_id": id, "title": "", "text": text}) for id, text in rows]
    (place / "corpus.jsonl").write_text("\n".join(lines) + "\n")
    asked = {f"q{i}": f"{' '.join(TOPICS[topic].split()[i : i + 3])} of {topic}" for i, topic in enumerate(TOPICS)}
    asked |= {f"r{i}": f"{topic}{i} {TOPICS[topic].split()[i]}" for i, topic in enumerate(TOPICS)}
    (place / "queries.tsv").write_text("".join(f"{id}\t{text}\n" for id, text in asked.items()))
    judged = [f"q{i} 0 {topic}{n} 1\n" for i, topic in enumerate(TOPICS) for n in range(10)]
    judged += [f"r{i} 0 {topic}{i} 2\n" for i, topic in enumerate(TOPICS)]
    (place / "qrels.trec").write_text("".join(judged))
    assert run("add", "corpus.jsonl").code == 0
    return place
