"""A corpus into a file of vectors: what is written, what goes on after a stop, and what is refused."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager

import numpy as np
import pytest

from isogloss.encoders.names import load_encoder
from isogloss.encoders.text_spool import WINDOW
from isogloss.errors import CorpusError, IncompatibleError, IndexBusyError, ModelError, UsageError
from isogloss.index.store.lock import WriterLock
from isogloss.protocols import Record, Skip
from isogloss.workflows import encoding
from isogloss.workflows.encoding import EncodingPlan, encode_records, line_records

WORDS = ["heat", "snow", "roof", "ships", "wind", "library", "maps", "gold", "mill", "river", "engine"]
PLAN = EncodingPlan("static", threads=1)


def records(count=3000):
    for i in range(count):
        yield Record(f"doc{i}", " ".join(WORDS[(i * k) % 11] for k in range(1 + i % 29)))


class Stop(Exception):
    """What interrupts a run in these tests."""


class StopAfter:
    """A progress that stops the run after some blocks, as Ctrl-C would."""

    def __init__(self, blocks):
        self.left, self.totals = blocks, []

    def start(self, what, total, unit):
        self.totals.append((what, total, unit))

    def advance(self, amount):
        self.left -= 1
        if not self.left:
            raise Stop

    def finish(self):
        pass


@contextmanager
def stopped(out, after=2, **options):
    with pytest.raises(Stop):
        encode_records(records(), out, PLAN, progress=StopAfter(after), **options)
    assert not out.exists()
    yield out.with_name(out.name + ".partial")


@pytest.fixture
def whole(tmp_path):
    encode_records(records(), tmp_path / "whole", PLAN)
    return (tmp_path / "whole" / "vectors.npy").read_bytes()


def test_vectors_ids_and_settings_are_written_and_nothing_else(tmp_path) -> None:
    report = encode_records([*records(50), Skip("x", "empty")], tmp_path / "out", PLAN)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["encoding.json", "ids.txt", "vectors.npy"]
    assert not (tmp_path / "out.partial").exists()
    encoder = load_encoder("static")
    expected = encoder.encode([record.text for record in records(50)], role="document")
    found = np.load(tmp_path / "out" / "vectors.npy", allow_pickle=False)
    assert found.tobytes() == expected.tobytes()
    assert found.shape == (report.texts, report.dimensions)
    assert (tmp_path / "out" / "ids.txt").read_text().splitlines() == [f"doc{i}" for i in range(50)]
    about = json.loads((tmp_path / "out" / "encoding.json").read_text())
    assert about["identity"] == encoder.identity
    assert (about["texts"], about["engine"], about["role"]) == (50, "onnx", "document")
    assert report.skipped == {"empty": 1}


def test_a_run_that_was_stopped_goes_on_and_gives_the_same_bits(tmp_path, whole) -> None:
    out = tmp_path / "out"
    with stopped(out):
        watch = StopAfter(0)
        report = encode_records(records(), out, PLAN, progress=watch)
    assert 500 < report.found < 3000
    assert watch.totals == [("encode", 3000 - report.found, "texts")]
    assert (out / "vectors.npy").read_bytes() == whole
    assert report.cut == ""


def test_processes_go_on_where_one_stopped(tmp_path, whole) -> None:
    out = tmp_path / "out"
    with stopped(out, after=1):
        report = encode_records(records(), out, EncodingPlan("static", processes=2, threads=1))
    assert report.found > 0
    assert (out / "vectors.npy").read_bytes() == whole


def test_a_block_that_is_not_what_was_noted_is_encoded_again(tmp_path, whole) -> None:
    out = tmp_path / "out"
    with stopped(out) as work:
        vectors = np.load(work / "vectors.npy", mmap_mode="r+", allow_pickle=False)
        before = vectors.any(1).sum()
        vectors[np.flatnonzero(vectors.any(1))[0], 0] += 1  # a row of a block that was noted
        vectors.flush()
        with open(work / "blocks.jsonl", "ab") as file:
            file.write(b'{"block": 1, "dig')  # cut off by a kill
        report = encode_records(records(), out, PLAN)
    assert 0 < report.found < before
    assert (out / "vectors.npy").read_bytes() == whole


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"plan": EncodingPlan("static", threads=1, role="query")}, "role was document, is query"),
        ({"items": [*records(2999), Record("doc2999", "other")]}, "content"),
        ({"items": [*records(2999), Record("other", list(records())[-1].text)]}, "ids"),
    ],
)
def test_the_work_of_another_encoding_is_not_taken(tmp_path, change, named, whole) -> None:
    out = tmp_path / "out"
    with stopped(out) as work:
        with pytest.raises(UsageError, match=named):
            encode_records(change.get("items", records()), out, change.get("plan", PLAN))
        assert work.is_dir()
        encode_records(records(), out, PLAN)  # and it is still good
    assert (out / "vectors.npy").read_bytes() == whole


def test_a_kill_while_the_folder_is_named_leaves_it_whole(tmp_path, monkeypatch, whole) -> None:
    out, rename = tmp_path / "out", encoding.os.replace

    def replace(source, target):
        if target == out:
            raise Stop
        rename(source, target)

    monkeypatch.setattr(encoding.os, "replace", replace)
    with pytest.raises(Stop):
        encode_records(records(), out, PLAN)
    monkeypatch.undo()
    assert encode_records(records(), out, PLAN).found == 3000
    assert (out / "vectors.npy").read_bytes() == whole


def test_shards_are_the_rows_of_the_whole(tmp_path, monkeypatch) -> None:
    many = [*records(WINDOW), *records(40)]
    for i, record in enumerate(many):
        record.id = str(i)
    encode_records(many, tmp_path / "whole", PLAN)
    expected = np.load(tmp_path / "whole" / "vectors.npy", allow_pickle=False)
    for shard, rows in ((1, slice(0, WINDOW)), (2, slice(WINDOW, None))):
        out = tmp_path / str(shard)
        encode_records(many, out, EncodingPlan("static", threads=1, shard=(shard, 2)))
        assert np.load(out / "vectors.npy", allow_pickle=False).tobytes() == expected[rows].tobytes()
        assert (out / "ids.txt").read_text().split() == [str(i) for i in range(len(many))][rows]
    with pytest.raises(CorpusError, match="shard 3/3 is empty"):
        encode_records(many, tmp_path / "third", EncodingPlan("static", shard=(3, 3)))


@pytest.mark.parametrize(
    ("items", "plan", "error", "said"),
    [
        ([], PLAN, CorpusError, "nothing to encode"),
        ([Skip("a", "empty"), Skip("b", "empty")], PLAN, CorpusError, "2 empty"),
        ([Record("a", None)], PLAN, UsageError, "item 0 is of type NoneType"),
        ([Record("a\nb", "text")], PLAN, UsageError, "cannot stand in a line"),
        ([Record("a", "text")], EncodingPlan("static", processes=0), UsageError, "processes is 0"),
        ([Record("a", "text")], EncodingPlan("static", shard=(3, 2)), UsageError, "no shard 3/2"),
        ([Record("a", "text")], EncodingPlan("absent"), ModelError, "absent"),
        ([Record("a", "text")], EncodingPlan("words"), IncompatibleError, "words vectors"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, items, plan, error, said) -> None:
    with pytest.raises(error, match=said):
        encode_records(items, tmp_path / "out", plan)
    assert not (tmp_path / "out").exists()


def test_what_is_there_is_not_written_over(tmp_path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    encode_records(records(5), out, PLAN)  # an empty folder is as good as none
    with pytest.raises(UsageError, match="a finished encoding"):
        encode_records(records(5), out, PLAN)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        encode_records(records(5), tmp_path / "file", PLAN)
    assert (tmp_path / "file").read_text() == "mine"


def test_two_runs_into_one_folder_are_one_too_many(tmp_path) -> None:
    work = tmp_path / "out.partial"
    work.mkdir()
    lock = WriterLock(work)
    lock.acquire()
    with pytest.raises(IndexBusyError, match="another run encodes into"):
        encode_records(records(5), tmp_path / "out", PLAN)
    lock.release()
    assert encode_records(records(5), tmp_path / "out", PLAN).texts == 5
    shutil.rmtree(tmp_path / "out")


def test_a_disk_that_is_full_is_an_error_before_anything_is_encoded(tmp_path, monkeypatch) -> None:
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("isogloss.encoders.shared_block.os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        encode_records(records(5), tmp_path / "out", PLAN)
    monkeypatch.undo()
    assert encode_records(records(5), tmp_path / "out", PLAN).found == 0


def test_lines_are_texts_with_their_numbers(tmp_path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("\ufeffa small dog\n\n  a puppy \n")
    found = list(line_records(file))
    assert [(one.id, getattr(one, "text", None)) for one in found] == [
        ("1", "a small dog"),
        ("2", None),
        ("3", "a puppy"),
    ]
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="no UTF-8 text"):
        list(line_records(file))
