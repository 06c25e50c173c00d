"""Readers beside a writer that adds, deletes and compacts: each sees one commit, whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from isogloss.index.store.rows import NewDocument
from isogloss.index.store.store import Store

Make = Callable[..., NewDocument]


def _consistent(store: Store) -> int:
    """Check that texts, bitmaps and array files of the snapshot belong to one commit; return its generation."""
    snapshot = store.snapshot
    live = np.flatnonzero(snapshot.live)
    held = np.concatenate([segment.arrays["rows"] for segment in snapshot.segments()])
    values = np.concatenate([segment.arrays["generation"] for segment in snapshot.segments()])
    written = dict(zip(held.tolist(), values.tolist(), strict=True))
    assert len(written) == len(held)
    assert snapshot.uncovered("static").tolist() == []
    for chunk in snapshot.chunks(live):
        assert chunk.text == f"{chunk.name} of {written[chunk.number]}"
    # every commit stores ten documents anew under ten names
    assert snapshot.count_documents() == len(live) == min(10, 10 * snapshot.generation)
    assert len(set(values[snapshot.live[held]].tolist())) == 1
    return snapshot.generation


def _write(path: Path, document: Make, commits: int) -> None:
    with Store.open(path, write=True) as store:
        for _ in range(commits):
            generation = store.snapshot.generation + 1
            with store.transaction() as t:
                rows = t.upsert(document(f"n{i}", [f"n{i} of {generation}"]) for i in range(10))
                old = store.snapshot.segments("static")
                arrays = {"rows": rows, "generation": np.full(10, generation)}
                if generation % 3:
                    t.add_segment("static", arrays, rows)
                else:
                    t.replace_segments([segment.name for segment in old], "static", arrays, rows)


def test_readers_beside_a_writer(tmp_path: Path, document: Make) -> None:
    path = tmp_path / "index"
    Store.create(path, {}).close()
    _write(path, document, 1)
    failures: list[BaseException] = []
    seen: list[list[int]] = []
    stop = threading.Event()

    def read(refreshing: bool) -> None:
        generations: list[int] = []
        seen.append(generations)
        try:
            store = Store.open(path)
            while not stop.is_set():
                generations.append(_consistent(store))
                if refreshing:
                    store.refresh()
                else:
                    store.close()
                    store = Store.open(path)
            store.close()
        except BaseException as error:  # told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=read, args=(flag,)) for flag in (True, False, True)]
    for thread in threads:
        thread.start()
    _write(path, document, 60)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, failures
    for generations in seen:
        assert generations == sorted(generations)
        assert len(set(generations)) > 3


def test_one_snapshot_serves_several_threads(index: Path) -> None:
    with Store.open(index) as store:
        snapshot = store.snapshot
        results: list[int] = []

        def read() -> None:
            for _ in range(50):
                results.append(len(snapshot.chunks(range(5))))
                results.append(int(snapshot.matching("lang = 'en'").sum()))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == [4] * 200 + [5] * 200
