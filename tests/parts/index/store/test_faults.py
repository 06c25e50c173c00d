"""Full disks, folders that cannot be written, and writers that are killed."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import isogloss
from isogloss.errors import StoredIndexError
from isogloss.index.store import arrayfile
from isogloss.index.store.rows import NewDocument
from isogloss.index.store.store import Store

Make = Callable[..., NewDocument]
_ENV = {**os.environ, "PYTHONPATH": str(Path(next(iter(isogloss.__path__))).parent), "OMP_NUM_THREADS": "1"}

_SMALL = """
import resource, signal, sys
import numpy as np
from isogloss.errors import StoredIndexError
from isogloss.index.store.rows import NewChunk, NewDocument
from isogloss.index.store.store import Store

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Store.open(sys.argv[1], write=True) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    for change in sys.argv[2:]:
        try:
            with store.transaction() as t:
                if change == "rows":
                    t.upsert(NewDocument(f"n{i}", 0, b"", [NewChunk(0, "word " * 200, i)]) for i in range(9000))
                else:
                    t.upsert([NewDocument("n", 0, b"", [NewChunk(0, "n", 1)])])
                    t.add_segment("static", {"v": np.zeros(1_000_000)}, np.array([5]))
        except StoredIndexError as error:
            print(error.what, "|", error.fix, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with store.transaction() as t:
        print(t.upsert([NewDocument("room again", 0, b"", [NewChunk(0, "n", 1)])]).tolist())
"""


def test_files_that_cannot_grow(index: Path) -> None:
    """A limit on file size stands for a full disk: the change fails clearly, the last commit stays, work goes on."""
    command = [sys.executable, "-c", _SMALL, index, "rows", "segment"]
    done = subprocess.run(command, capture_output=True, text=True, env=_ENV, timeout=60, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stderr
    assert all(f"{index}" in line and "|" in line for line in lines[:2])
    assert "no room" in lines[1]
    assert "free some space" in lines[1]
    assert lines[2] == "[5]"
    with Store.open(index) as store:
        assert store.snapshot.generation == 2
        assert sorted(store.snapshot.documents(["room again", "a.md", "n", "n1"])) == ["a.md", "room again"]
        assert all(finding.status == "ok" for finding in store.verify())


def test_a_full_disk(index: Path, document: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(arrayfile, "sync_file", full)
    with Store.open(index, write=True) as store:
        with pytest.raises(StoredIndexError, match="no room") as caught, store.transaction() as t:
            t.add_segment("static", {"v": np.zeros(3)}, t.upsert([document("d.md", ["delta."])]))
        assert "MiB are free; the last commit is intact" in caught.value.why
        assert len(list((index / "segments").iterdir())) == 1
        assert store._writer is not None
        (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
        store._writer.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoredIndexError, match="no room"), store.transaction() as t:
            t.upsert(document(f"n{i}", ["word " * 100]) for i in range(500))
        assert store.snapshot.count_documents() == 3
    with Store.open(index) as store:
        assert store.snapshot.generation == 1


def test_reading_a_folder_that_cannot_be_written(open_folder: Path, document: Make, unprivileged: Callable) -> None:
    path = open_folder / "index"
    with Store.create(path, {}) as store, store.transaction() as t:
        t.upsert([document("a.md", ["alpha."])])
    assert not (path / "catalogue.sqlite-wal").exists()
    with unprivileged(path):
        with Store.open(path) as store:
            assert store.snapshot.chunks([0])[0].text == "alpha."
            assert not store.refresh()
            assert all(finding.status == "ok" for finding in store.verify())
        with pytest.raises(StoredIndexError, match="cannot be written") as caught:
            Store.open(path, write=True)
        assert "writable" in caught.value.fix
        with pytest.raises(StoredIndexError, match="cannot be written"):
            Store.create(path / "segments" / "inner", {})
    assert sorted(p.name for p in path.iterdir()) == [".gitignore", "catalogue.sqlite", "segments", "writer.lock"]


_DIE = """
import os, sys
from isogloss.index.store.rows import NewChunk, NewDocument
from isogloss.index.store.store import Store
with Store.open(sys.argv[1], write=True) as store, store.transaction() as t:
    t.upsert([NewDocument("late.md", 0, b"", [NewChunk(0, "committed, not checkpointed", 1)])])
    t.finish()
    store._writer.execute("COMMIT")
    os._exit(0)
"""


def test_commits_in_the_log_are_read_where_nothing_can_be_written(
    open_folder: Path, document: Make, unprivileged: Callable
) -> None:
    path = open_folder / "index"
    with Store.create(path, {}) as store, store.transaction() as t:
        t.upsert([document("a.md", ["alpha."])])
    subprocess.run([sys.executable, "-c", _DIE, path], env=_ENV, timeout=60, check=True)
    assert (path / "catalogue.sqlite-wal").stat().st_size > 0
    for leave_shm in (True, False):
        if not leave_shm:
            (path / "catalogue.sqlite-shm").unlink(missing_ok=True)
        with unprivileged(path), Store.open(path) as store:
            assert sorted(store.snapshot.documents(["a.md", "late.md"])) == ["a.md", "late.md"]
            assert store.snapshot.generation == 2
    with Store.open(path, write=True) as store:
        assert store.snapshot.count_documents() == 2


_LOOP = """
import sys
import numpy as np
from isogloss.index.store.rows import NewChunk, NewDocument
from isogloss.index.store.store import Store

with Store.open(sys.argv[1], write=True) as store:
    while True:
        step = store.snapshot.generation
        with store.transaction() as t:
            documents = []
            for i in range(3):  # the state of every document names the commit that wrote it
                chunks = [NewChunk(0, f"{step} {i} {j} " * 40, step * 10 + j) for j in range(4)]
                state, fields = str(step).encode(), {"step": step}
                documents.append(NewDocument(f"d{step % 5}-{i}", 0, state, chunks, metadata=fields))
            numbers = t.upsert(documents)
            t.add_segment("static", {"rows": numbers, "step": np.full(len(numbers), step)}, numbers)
            if step % 4 == 3:
                old = store.snapshot.segments("static")
                rows = np.concatenate([s.arrays["rows"] for s in old])
                steps = np.concatenate([s.arrays["step"] for s in old])
                kept = store.snapshot.live[rows]
                arrays = {"rows": rows[kept], "step": steps[kept]}
                t.replace_segments([s.name for s in old], "static", arrays, rows[kept])
            if step % 7 == 6:
                t.delete(store.snapshot.of_root(0).values())
        print(store.snapshot.generation, flush=True)
"""


def _kill_once(path: Path, delay: float) -> int:
    """Run the loop, kill it some time after its first commit; return the last commit that it reported."""
    with subprocess.Popen([sys.executable, "-c", _LOOP, path], stdout=subprocess.PIPE, env=_ENV) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        time.sleep(delay)
        os.kill(child.pid, signal.SIGKILL)
        lines = (first + child.stdout.read()).split(b"\n")
    return int(lines[-2])  # the last whole line


def _check(path: Path, reported: int) -> None:
    """Hold the index against what the loop must have left."""
    with Store.open(path) as store:
        snapshot = store.snapshot
        assert snapshot.generation in (reported, reported + 1), "a reported commit was lost"
        assert [f for f in store.verify() if f.status not in ("ok", "note")] == []
        assert snapshot.uncovered("static").tolist() == []
        step_of = {}
        for segment in snapshot.segments():
            step_of |= dict(zip(segment.arrays["rows"].tolist(), segment.arrays["step"].tolist(), strict=True))
        live = np.flatnonzero(snapshot.live).tolist()
        documents = snapshot.documents_by_id({chunk.document for chunk in snapshot.chunks(live)})
        for chunk in snapshot.chunks(live):
            step = int(documents[chunk.document].state)
            assert chunk.text.startswith(f"{step} ")
            assert step_of[chunk.number] == step
        last = snapshot.generation - 1
        expected = {f"d{last % 5}-{i}" for i in range(3)} if last % 7 != 6 else set()
        assert set(snapshot.documents(expected)) == expected


def _crash(path: Path, times: int, seed: int) -> None:
    rng = random.Random(seed)
    Store.create(path, {}).close()
    for _ in range(times):
        _check(path, _kill_once(path, rng.uniform(0, 0.08)))
    with Store.open(path, write=True) as store:
        named = {f"{segment.name}.safetensors" for segment in store.snapshot.segments()}
        assert {file.name for file in (path / "segments").iterdir()} == named
        assert [f for f in store.verify() if f.status != "ok"] == []


def test_kill_9_loses_nothing_committed(tmp_path: Path) -> None:
    _crash(tmp_path / "index", 20, 1)


@pytest.mark.slow
def test_kill_9_two_hundred_times(tmp_path: Path) -> None:
    _crash(tmp_path / "index", 200, 2)
