"""kill -9 at random moments of add, update, remove and compact.

Invariants: the last commit is always readable and whole; nothing that was committed is lost; the next add completes;
the results equal those of a run that was never interrupted.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isogloss.collection.collection import Collection

DRIVER = Path(__file__).with_name("driver.py")
QUERIES = ["river water mill", "engine number 7", "the bishop wrote letters", "word13 word14"]
THEMES = ("river water mill", "engine and number", "bishop who wrote letters", "glacier ice")


def write_documents(root: Path, version: int) -> None:
    """Write 120 documents; version 2 changes a third, drops a tenth and adds some."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for i in range(120 + 20 * (version - 1)):
        if version == 2 and i % 10 == 3:
            continue
        changed = f" revised {i}" if version == 2 and i % 3 == 0 else ""
        body = f"The {THEMES[i % 4]} of place {i}, word{i % 17} word{i % 19}.{changed} "
        (root / f"{'ab'[i % 2]}{i:03d}.txt").write_text(body * (1 + i % 3))


def answers(index: Path) -> list[list[tuple[str, float]]]:
    with Collection.open(index) as collection:
        results = [collection.search(query, 10, encoders=["words", "static"]) for query in QUERIES]
    return [[(hit.document, round(hit.score, 6)) for hit in result.hits] for result in results]


def run(operation: str, index: Path, *rest: Path, kill_after: float | None = None) -> float:
    """Run an operation in a process of its own, perhaps killing it; return how long it took."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, str(DRIVER), operation, str(index), *map(str, rest)])
    try:
        code = process.wait(kill_after)
        assert code == 0, f"{operation} failed with {code}"
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return time.monotonic() - started


def documents(index: Path) -> int:
    with Collection.open(index) as collection:
        assert not [found for found in collection.check() if found.status == "problem"]
        return len(collection)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Run everything once without a kill: the index after each step, its answers, and how long each step took."""
    root = tmp_path_factory.mktemp("reference")
    docs, index, seconds = root / "docs", root / "index", {}
    write_documents(docs, 1)
    seconds["add"] = run("add", index, docs)
    shutil.copytree(index, root / "added")
    found = {"add": answers(index)}
    write_documents(docs, 2)
    seconds["update"] = run("add", index, docs)
    found["update"] = answers(index)
    shutil.copytree(index, root / "updated")
    seconds["compact"] = run("compact", index)
    assert answers(index) == found["update"]
    seconds["remove"] = run("remove", index)
    found["remove"] = answers(index)
    return {"root": root, "seconds": seconds, "answers": found}


def kill_once(reference: dict, operation: str, rng: random.Random, tmp_path: Path) -> None:
    """Interrupt one operation on the reference's docs and index, then complete it."""
    root, seconds, found = reference["root"], reference["seconds"], reference["answers"]
    docs, index = root / "docs", tmp_path / "index"
    shutil.rmtree(index, ignore_errors=True)
    start = {"update": "added", "remove": "updated", "compact": "updated"}.get(operation)
    if start:
        shutil.copytree(root / start, index)
    write_documents(docs, 1 if operation == "add" else 2)
    verb, rest = ("add", [docs]) if operation in ("add", "update") else (operation, [])
    before = documents(index) if start else 0
    run(verb, index, *rest, kill_after=rng.uniform(0.25, 1.0) * seconds[operation])
    born = operation != "add" or Collection.exists(index)  # or killed before the first commit of a new index
    now = documents(index) if born else 0
    if operation == "add":
        assert 0 <= now <= 120
    if operation == "compact":
        assert now == before
        assert answers(index) == found["update"]
    run(verb, index, *rest)
    expected = "update" if operation == "compact" else operation
    assert answers(index) == found[expected]
    assert not [p for p in (index / "segments").iterdir() if p.suffix != ".safetensors"]


@pytest.mark.parametrize("operation", ["add", "update", "remove", "compact"])
def test_kills(reference: dict, operation: str, tmp_path: Path) -> None:
    rng = random.Random(operation)
    for _ in range(5):
        kill_once(reference, operation, rng, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["add", "update", "remove", "compact"])
def test_many_kills(reference: dict, operation: str, tmp_path: Path) -> None:
    rng = random.Random(f"many {operation}")
    for _ in range(50):
        kill_once(reference, operation, rng, tmp_path)
