"""Every fault that a user can meet, through the program: an error in three lines or a listed skip, never a loss."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from isogloss.cli.main import main
from isogloss.collection.collection import Collection

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a folder that every user can reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, place: Path) -> Run:
    """Return a function that runs the program in a folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / "config"))

    def call(*argv: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([*argv, "--no-input"])
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.fixture
def docs(place: Path) -> Path:
    root = place / "docs"
    root.mkdir()
    for i in range(8):
        (root / f"{i}.txt").write_text(f"Document {i} speaks of rivers, mills and the number {i * 11}.")
    return root


@contextmanager
def unprivileged() -> Iterator[None]:
    """Drop root for a moment, so that permissions count whoever runs the tests."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def three_lines(err: str) -> list[str]:
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) >= 3, err
    assert "Traceback" not in err
    return lines[-3:]


def skips(run: Run, docs: Path) -> dict[str, str]:
    code, out, _ = run("add", str(docs), "--json")
    assert code == 0
    return {skip["id"]: skip["reason"] for skip in json.loads(out)["skipped"]}


def test_bad_files_are_listed_and_the_rest_is_found(run: Run, docs: Path) -> None:
    (docs / "empty.txt").write_text("")
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7 nothing follows")
    (docs / "broken.docx").write_bytes(b"PK\x03\x04 not a zip")
    (docs / "broken.jsonl.gz").write_bytes(gzip.compress(b'{"text": "one row"}\n' * 50)[:-20])
    (docs / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (docs / "latin.txt").write_bytes("Café naïve élève — où êtes-vous, garçon ? ".encode("cp1252") * 20)
    found = skips(run, docs)
    assert found.pop("empty.txt") == "empty"
    assert {"broken.pdf", "broken.docx", "binary.txt"} <= set(found)
    assert any(name.startswith("broken.jsonl.gz") for name in found)
    assert "latin.txt" not in found
    code, out, _ = run("search", "élève garçon", "--json")
    assert code == 0
    assert json.loads(out)["hits"][0]["document"] == "latin.txt"


def test_an_unreadable_file_is_listed_and_keeps_its_last_version(run: Run, docs: Path) -> None:
    assert run("add", str(docs))[0] == 0
    for path in [
        docs.parent,
        docs,
        *docs.iterdir(),
        docs.parent / ".isogloss",
        *(docs.parent / ".isogloss").rglob("*"),
    ]:
        os.chmod(path, 0o777)
    os.chmod(docs / "3.txt", 0)
    with unprivileged():
        code, out, err = run("add", str(docs), "--json")
    os.chmod(docs / "3.txt", 0o644)
    assert code == 0, err
    report = json.loads(out)
    assert code == 0
    assert [(skip["id"], skip["reason"]) for skip in report["skipped"]] == [("3.txt", "unreadable")]
    assert (report["deleted"], report["kept"]) == (0, 1)


def test_a_line_without_end_is_skipped_in_bounded_memory(run: Run, docs: Path) -> None:
    with open(docs / "long.jsonl", "wb") as file:
        file.write(b'{"id": "a", "text": "first row"}\n{"id": "huge", "text": "')
        for _ in range(70):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n{"id": "z", "text": "last row"}\n')
    found = skips(run, docs)
    assert list(found.values()) == ["too-long"]
    _, out, _ = run("search", "last row", "--json")
    assert json.loads(out)["hits"][0]["document"] == "long.jsonl#z"


def test_a_missing_and_an_empty_root(run: Run, docs: Path) -> None:
    assert run("add", str(docs))[0] == 0
    docs.rename(docs.with_name("away"))
    code, _, err = run("add", str(docs))
    assert code == 1
    assert str(docs) in three_lines(err)[0]
    docs.mkdir()
    code, _, err = run("add", str(docs))
    assert code == 1
    three_lines(err)
    with Collection.open(".isogloss") as collection:
        assert len(collection) == 8


def test_a_folder_that_cannot_be_written(run: Run, docs: Path) -> None:
    assert run("add", str(docs))[0] == run("search", "rivers", "--json")[0] == 0
    index = docs.parent / ".isogloss"
    paths = [index, *index.rglob("*")]
    for path in paths:
        os.chmod(path, 0o555 if path.is_dir() else 0o444)
    os.chmod(docs.parent, 0o755)
    (docs / "new.txt").write_text("something new")
    os.chmod(docs, 0o755)
    with unprivileged():
        code, _, err = run("add", str(docs))
        found, out, seen = run("search", "rivers", "--json")
    for path in paths:
        os.chmod(path, 0o755 if path.is_dir() else 0o644)
    assert code == 1
    three_lines(err)
    assert found == 0, seen
    assert json.loads(out)["hits"]


def test_two_writers(run: Run, docs: Path) -> None:
    assert run("add", str(docs))[0] == 0
    with Collection.open(".isogloss", write=True):
        code, _, err = run("add", str(docs))
    assert code == 1
    lines = three_lines(err)
    assert "busy" in lines[0]
    assert str(os.getpid()) in lines[1]


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_corrupt_segment(run: Run, docs: Path, damage: str) -> None:
    assert run("add", str(docs))[0] == 0
    segment = max(Path(".isogloss/segments").glob("*static*"), key=lambda path: path.stat().st_size)
    data = bytearray(segment.read_bytes())
    data[-5] ^= 0xFF
    if damage == "gone":
        segment.unlink()
    else:
        segment.write_bytes(data if damage == "flipped" else data[: len(data) // 2])
    code, _, err = run("search", "rivers")
    assert code == 1
    lines = three_lines(err)
    assert segment.name in lines[0] + lines[1]
    assert "--repair" in lines[2]
    assert run("doctor", ".isogloss", "--repair")[0] == 0
    assert run("add", str(docs))[0] == 0
    code, out, _ = run("search", "number 33", "--json")
    assert code == 0
    assert json.loads(out)["hits"][0]["document"] == "3.txt"
    assert json.loads(out)["encoders"] == ["words", "static"]


def test_a_model_that_is_not_the_one_of_the_index(run: Run, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import isogloss.encoders.static as static

    assert run("add", str(docs))[0] == 0
    real = static.StaticEncoder.encode

    def turned(self: object, inputs: object, **kwargs: object) -> object:
        return real(self, inputs, **kwargs)[:, ::-1].copy()  # type: ignore[arg-type]

    monkeypatch.setattr(static.StaticEncoder, "encode", turned)
    static.bundled_static.cache_clear() if hasattr(static.bundled_static, "cache_clear") else None
    code, _, err = run("search", "rivers")
    static.bundled_static.cache_clear() if hasattr(static.bundled_static, "cache_clear") else None
    assert code == 4
    assert "cosine" in three_lines(err)[1]


def test_a_model_that_does_not_exist_leaves_no_index(run: Run, docs: Path) -> None:
    code, _, err = run("add", str(docs), "--with", "words,no-such-model")
    assert code in (2, 4)
    assert "no-such-model" in three_lines(err)[0]
    assert not Path(".isogloss").exists()


def test_the_disk_is_full(run: Run, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import isogloss.index.store.transaction as transaction

    assert run("add", str(docs))[0] == 0
    (docs / "new.txt").write_text("A new document about lighthouses.")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(transaction, "write_arrays", full)
        code, _, err = run("add", str(docs))
    assert code == 1
    assert "room" in three_lines(err)[0]
    code, out, _ = run("search", "rivers", "--json")
    assert code == 0
    assert len(json.loads(out)["hits"]) == 8
    assert run("add", str(docs))[0] == 0
    assert json.loads(run("search", "lighthouses", "--json")[1])["hits"][0]["document"] == "new.txt"


def test_a_search_without_an_index(run: Run) -> None:
    code, _, err = run("search", "anything")
    assert code == 1
    assert "isogloss add" in three_lines(err)[2]


def test_a_config_that_may_not_be_looked_for_is_none(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("search", "anything")[0] == 1
    closed = place / "closed"
    closed.mkdir(mode=0)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(closed / "inside"))
    with unprivileged():
        code, _, err = run("search", "anything")
    assert code == 1
    assert "there is no index" in three_lines(err)[0]
