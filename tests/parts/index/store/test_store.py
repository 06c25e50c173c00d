"""Creating, opening, pinning, refreshing, checking and repairing an index."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from isogloss.errors import (
    CorruptIndexError,
    IncompatibleIndexError,
    IndexBusyError,
    IndexNotFoundError,
    StoredIndexError,
)
from isogloss.index.store import catalogue
from isogloss.index.store import segments as segments_module
from isogloss.index.store.rows import NewDocument
from isogloss.index.store.segments import file_of
from isogloss.index.store.store import Store

Make = Callable[..., NewDocument]


def segment_files(path: Path) -> list[Path]:
    return sorted((path / "segments").iterdir())


def test_what_was_stored_comes_back(index: Path) -> None:
    with Store.open(index) as store:
        snapshot = store.snapshot
        assert (snapshot.generation, snapshot.format, snapshot.settings) == (1, 1, {"budget": 240})
        assert snapshot.live.tolist() == [True] * 5
        assert [root.documents for root in snapshot.roots()] == [3]
        (encoder,) = snapshot.encoders()
        assert (encoder.name, encoder.identity, encoder.spec, encoder.dimensions) == ("static", "id-1", {"x": 1}, 4)
        np.testing.assert_array_equal(encoder.probes["v"], np.ones((8, 4)))
        (segment,) = snapshot.segments("static")
        np.testing.assert_array_equal(segment.arrays["vectors"][2], [8, 9, 10, 11])
        chunk = snapshot.chunks([3, 0])[0]
        assert (chunk.number, chunk.name, chunk.ordinal, chunk.start, chunk.text) == (3, "c.md", 0, 0, "gamma one. ")
        assert (chunk.heading, chunk.language) == (("Part", "Section"), "en")
        assert "".join(c.text for c in snapshot.chunks_of(chunk.document)) == "gamma one. gamma two."
        assert snapshot.documents(["b.md", "nothing"])["b.md"].metadata == {"year": 1960, "draft": True}
        assert snapshot.languages() == {"en": 2, "de": 1}
        assert {f.name: f.kinds for f in snapshot.fields()} == {"draft": {"boolean": 1}, "year": {"number": 2}}
        assert snapshot.names("b") == ["b.md"]
        assert snapshot.bytes()["segments"] == segment.bytes
        with pytest.raises(KeyError):
            snapshot.chunks([99])


def test_existing_and_missing(tmp_path: Path, index: Path) -> None:
    assert Store.exists(index)
    assert not Store.exists(tmp_path / "nowhere")
    with pytest.raises(IndexNotFoundError, match="no such folder"):
        Store.open(tmp_path / "nowhere")
    with pytest.raises(StoredIndexError, match="already"):
        Store.create(index, {})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.doc").write_text("years of work")
    with pytest.raises(StoredIndexError, match=r"thesis\.doc"):
        Store.create(tmp_path / "mine", {})
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.doc"]


def test_a_crashed_creation_is_begun_again(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    (folder / "segments").mkdir(parents=True)
    (folder / "catalogue.sqlite.new").write_bytes(b"half")
    (folder / "writer.lock").write_text('{"pid": 1}')
    assert not Store.exists(folder)
    with Store.create(folder, {"budget": 1}) as store:
        assert store.snapshot.settings == {"budget": 1}


def test_a_creation_that_fails_leaves_no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(catalogue, "_SCHEMA", catalogue._SCHEMA + "no SQL")
        with pytest.raises(StoredIndexError):
            Store.create(tmp_path / "index", {})
    assert not Store.exists(tmp_path / "index")
    Store.create(tmp_path / "index", {}).close()
    Store.open(tmp_path / "index", write=True).close()


def test_one_writer_many_readers(index: Path) -> None:
    with Store.open(index, write=True), Store.open(index) as one, Store.open(index) as two:
        assert one.snapshot.count_documents() == two.snapshot.count_documents() == 3
        with pytest.raises(IndexBusyError):
            Store.open(index, write=True)
    Store.open(index, write=True).close()


def test_a_reader_keeps_its_generation(index: Path, document: Make) -> None:
    with Store.open(index) as reader, Store.open(index, write=True) as writer:
        old = reader.snapshot
        (segment,) = old.segments()
        with writer.transaction() as t:
            t.delete([old.documents(["a.md"])["a.md"].id])
            new = t.upsert([document("d.md", ["delta."])])
            rows = np.array([2, 3, 4])
            t.replace_segments([segment.name], "static", {"vectors": segment.arrays["vectors"][2:]}, rows)
        assert new.tolist() == [5]
        assert not file_of(index, segment.name).exists()
        # nothing has changed for the old snapshot: texts, bitmaps, arrays
        assert old.chunks([0])[0].text == "alpha one. "
        assert old.live.tolist() == [True] * 5
        assert segment.arrays["vectors"].sum() == sum(range(20))
        assert reader.refresh()
        assert not reader.refresh()
        assert reader.snapshot.live.tolist() == [False, False, True, True, True, True]
        assert reader.snapshot.covered("static").tolist() == [False, False, True, True, True, False]
        assert reader.snapshot.uncovered("static").tolist() == [5]
        assert reader.snapshot.chunks([5])[0].text == "delta."
        assert old.chunks([1])[0].text == "alpha two."
        assert writer.snapshot.generation == reader.snapshot.generation == 2


def test_refresh_keeps_open_maps(index: Path, document: Make) -> None:
    with Store.open(index) as reader, Store.open(index, write=True) as writer:
        before = reader.snapshot.segments()[0].arrays["vectors"]
        with writer.transaction() as t:
            t.upsert([document("d.md", ["delta."])])
        assert reader.refresh()
        assert reader.snapshot.segments()[0].arrays["vectors"] is before


def test_an_open_survives_compaction_in_between(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that vanishes after the catalogue was read belongs to an older generation: the next one is opened."""
    read = segments_module.read_arrays
    with Store.open(index, write=True) as writer:
        (segment,) = writer.snapshot.segments()

        def compact_first(path: Path, *args: object, **kwargs: object) -> object:
            if segment.name in str(path):
                monkeypatch.setattr(segments_module, "read_arrays", read)
                with writer.transaction() as t:
                    t.replace_segments([segment.name], "static", segment.arrays, np.arange(5))
            return read(path, *args, **kwargs)

        monkeypatch.setattr(segments_module, "read_arrays", compact_first)
        with Store.open(index) as reader:
            assert reader.snapshot.generation == 2
            assert reader.snapshot.segments()[0].name != segment.name


def test_damaged_segments(index: Path) -> None:
    (path,) = segment_files(index)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CorruptIndexError, match=path.name) as caught:
        Store.open(index)
    assert "checksum" in caught.value.why
    assert "repair" in caught.value.fix
    path.write_bytes(whole[:-10])
    with pytest.raises(CorruptIndexError, match="truncated"):
        Store.open(index, write=True)
    path.unlink()
    for write in (False, True):
        with pytest.raises(CorruptIndexError, match="no such file"):
            Store.open(index, write=write)
    path.write_bytes(whole + b"beyond the committed length")
    with Store.open(index) as store:
        assert store.snapshot.segments()[0].arrays["vectors"].shape == (5, 4)


def test_large_generations_are_checked_by_header_only(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = segment_files(index)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    monkeypatch.setattr(segments_module, "CHECK_WHOLE", 10)
    with Store.open(index) as store:
        problems = [finding for finding in store.verify() if finding.status == "problem"]
        assert [finding.check for finding in problems] == ["segments"]
        assert path.name in problems[0].found


def test_repair_makes_chunks_wait_again(index: Path) -> None:
    (path,) = segment_files(index)
    path.write_bytes(path.read_bytes()[:-10])
    with Store.open(index, write=True, repair=True) as store:
        assert path.name in store.repaired[0]
        assert store.snapshot.uncovered("static").tolist() == [0, 1, 2, 3, 4]
    assert segment_files(index) == []
    with Store.open(index) as store:
        assert all(finding.status == "ok" for finding in store.verify())


def test_damaged_catalogue(index: Path) -> None:
    path = index / "catalogue.sqlite"
    whole = path.read_bytes()
    path.write_bytes(b"no database at all" * 300)
    with pytest.raises(CorruptIndexError, match="catalogue"):
        Store.open(index)
    path.write_bytes(b"")
    with pytest.raises(CorruptIndexError, match="not a catalogue"):
        Store.open(index)
    broken = bytearray(whole)
    broken[4096 * 3 : 4096 * 5] = b"\xff" * 8192
    path.write_bytes(broken)
    with pytest.raises(CorruptIndexError, match="catalogue"):
        _read_everything(index)


def _read_everything(path: Path) -> None:
    with Store.open(path) as store:
        store.snapshot.documents(["a.md"])
        store.snapshot.chunks(range(5))
        store.snapshot.encoders()
        store.snapshot.skips()


def test_verify_says_what_sqlite_finds(index: Path) -> None:
    path = index / "catalogue.sqlite"
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'chunks_hash'").fetchone()
    connection.close()
    broken = bytearray(path.read_bytes())
    broken[4096 * (page - 1) + 8 : 4096 * page] = b"\xff" * 4088
    path.write_bytes(broken)
    with Store.open(index) as store:
        (finding,) = store.verify()
    assert (finding.check, finding.status) == ("catalogue", "problem")


def test_verify_compares_rows_with_bitmaps(index: Path) -> None:
    with sqlite3.connect(index / "catalogue.sqlite") as connection:
        connection.execute("DELETE FROM chunks WHERE number = 3")
    connection.close()
    with Store.open(index) as store:
        found = {finding.check: finding for finding in store.verify()}
    assert found["bookkeeping"].status == "problem"
    assert "1 chunks differ" in found["bookkeeping"].found


def test_formats(index: Path) -> None:
    for version, error in ((0, None), (2, IncompatibleIndexError)):
        with sqlite3.connect(index / "catalogue.sqlite") as connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'format'", (version,))
        connection.close()
        for write in (False, True):
            if error is None:
                Store.open(index, write=write).close()
            else:
                with pytest.raises(error, match="newer version") as caught:
                    Store.open(index, write=write)
                assert caught.value.exit_code == 4


def test_garbage_is_removed_by_the_next_writer(index: Path) -> None:
    (named,) = segment_files(index)
    (index / "segments" / "00000009-static-dead.safetensors").write_bytes(b"never committed")
    (index / "segments" / f"{named.stem}.part").write_bytes(b"x")
    with Store.open(index) as store:
        left = next(finding for finding in store.verify() if finding.check == "left-over files")
        assert (left.status, left.found[:7]) == ("note", "2 files")
    assert len(segment_files(index)) == 3
    Store.open(index, write=True).close()
    assert segment_files(index) == [named]


def test_closed_and_read_only_stores_say_so(index: Path) -> None:
    store = Store.open(index)
    with pytest.raises(StoredIndexError, match="reading only"), store.transaction():
        pass
    with pytest.raises(StoredIndexError, match="reading only"):
        store.compact_catalogue()
    store.close()
    store.close()
    with pytest.raises(StoredIndexError, match="closed"):
        _ = store.snapshot


def test_snapshots_close_their_connections(index: Path) -> None:
    store = Store.open(index)
    snapshot = store.snapshot
    connection = snapshot._connection
    store.close()
    assert snapshot.count_documents() == 3
    del snapshot
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError):
        connection.execute("SELECT 1")


def test_compacting_the_catalogue(index: Path, document: Make) -> None:
    with Store.open(index, write=True) as store:
        assert len(set(store.compact_catalogue())) == 1
        with store.transaction() as t:
            t.upsert(document(f"n{i}", ["word " * 400]) for i in range(2000))
        with Store.open(index) as reader, store.transaction() as t:
            t.delete(range(3, 3 + 2000))
            assert reader.snapshot.count_documents() == 2003
        before, after = store.compact_catalogue()
        assert after < before / 5
        assert (index / "catalogue.sqlite").stat().st_size == after
        assert store.snapshot.chunks([4])[0].text == "gamma two."
        assert len(set(store.compact_catalogue())) == 1
        # every second chunk deleted leaves pages half full, and none free
        with store.transaction() as t:
            t.upsert(document(f"m{i}", ["word " * 60]) for i in range(8000))
        first = store.snapshot.documents(["m0"])["m0"].id
        with store.transaction() as t:
            t.delete(range(first, first + 8000, 2))
        before, after = store.compact_catalogue()
        assert after < before * 0.7
        assert store._writer is not None
        assert store._writer.execute("SELECT value FROM meta WHERE key = 'churn'").fetchone() == (0,)
    with Store.open(index) as store:
        assert all(finding.status == "ok" for finding in store.verify())
