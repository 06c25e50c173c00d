"""Reading folders and streams: order, ids, what is left out, what goes wrong."""

import gzip
import io
import json
import os
import socket
import tempfile
from pathlib import Path

import pytest

from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.read import read
from isogloss.corpus.walk import EmptyRootError, MissingRootError
from isogloss.errors import CorpusError, UsageError
from isogloss.protocols import Record, Skip


def write(root, **files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def everything(source, stream=None, report=None, **options):
    items = list(read(source, options=ReadOptions(**options), report=report, stream=stream))
    records = {item.id: item for item in items if isinstance(item, Record)}
    skips = {item.id: item for item in items if isinstance(item, Skip)}
    assert len(records) + len(skips) <= len(items)
    return records, skips


def test_folder_is_read_in_the_order_of_its_paths(tmp_path):
    for name in ("b.txt", "a/z.txt", "a.txt", "a/b/c.md", "a-b.txt"):
        write(tmp_path, **{name: "text of " + name})
    assert [item.id for item in read(tmp_path)] == ["a-b.txt", "a.txt", "a/b/c.md", "a/z.txt", "b.txt"]


def test_hidden_and_generated_files_are_left_out_and_counted(tmp_path):
    for name in (
        ".git/x.txt",
        "node_modules/a/b.md",
        "__pycache__/c.txt",
        ".isogloss/d.txt",
        ".e.txt",
        "skip/f.txt",
        "g.txt",
    ):
        write(tmp_path, **{name: "x"})
    report = ReadReport()
    records, skips = everything(tmp_path, report=report, exclude=("skip",))
    assert (list(records), skips, report.left_out) == (["g.txt"], {}, 6)
    assert "6 hidden" in report.notes()[-1]
    assert set(everything(tmp_path, hidden=True)[0]) == {".e.txt", "g.txt", "skip/f.txt"}


def test_include_takes_files_of_unknown_format_as_text(tmp_path):
    write(tmp_path, **{"a.py": "x = 1", "b.txt": "b", "c/d.py": "y = 2"})
    records, _ = everything(tmp_path, include=("*.py",))
    assert list(records) == ["a.py", "c/d.py"]
    records, skips = everything(tmp_path)
    assert list(records) == ["b.txt"]
    assert skips["a.py"].reason == "unknown-format"


def test_missing_and_empty_roots_are_told_apart(tmp_path):
    with pytest.raises(MissingRootError, match="not there") as missing:
        read(tmp_path / "no" / "such")
    assert str(tmp_path) in missing.value.why
    assert "mount" in missing.value.fix
    with pytest.raises(EmptyRootError, match="nothing to read"):
        read(tmp_path)
    (tmp_path / ".hidden").write_text("x")
    with pytest.raises(EmptyRootError):
        read(tmp_path)
    assert issubclass(MissingRootError, CorpusError)
    assert issubclass(EmptyRootError, CorpusError)


def test_links_are_followed_once(tmp_path):
    root = write(tmp_path / "root", **{"a/x.txt": "x"})
    outside = write(tmp_path / "outside", **{"y.txt": "y"})
    (root / "a" / "loop").symlink_to(root)
    (root / "inside").symlink_to(root / "a")
    (root / "out").symlink_to(outside)
    (root / "file.txt").symlink_to(outside / "y.txt")
    (root / "broken.txt").symlink_to(tmp_path / "nowhere")
    records, skips = everything(root)
    assert list(records) == ["a/x.txt", "file.txt", "out/y.txt"]
    assert {name: skip.reason for name, skip in skips.items()} == {
        "a/loop": "link-loop",
        "inside": "link",
        "broken.txt": "unreadable",
    }


def test_pipes_and_sockets_are_not_opened(tmp_path):
    write(tmp_path, **{"a.txt": "a"})
    os.mkfifo(tmp_path / "pipe.txt")
    where = os.getcwd()
    os.chdir(tmp_path)  # socket paths are short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.txt")
            records, skips = everything(tmp_path)
    finally:
        os.chdir(where)
    assert list(records) == ["a.txt"]
    assert {skip.reason for skip in skips.values()} == {"not-a-file"}
    assert "pipe" in skips["pipe.txt"].detail


def test_unreadable_files_and_folders_are_skips():
    with tempfile.TemporaryDirectory() as place:  # pytest's own folder is closed to other users
        root = Path(place)
        root.chmod(0o755)
        write(root, **{"a.txt": "a", "b.txt": "b", "c/d.txt": "d"})
        everything(root)  # what reading imports is imported now
        (root / "b.txt").chmod(0)
        (root / "c").chmod(0)
        superuser = os.geteuid() == 0
        if superuser:
            os.seteuid(65534)
        try:
            records, skips = everything(root)
        finally:
            if superuser:
                os.seteuid(0)
            (root / "c").chmod(0o700)
    assert list(records) == ["a.txt"]
    assert skips["b.txt"].reason == skips["c"].reason == "unreadable"


def test_a_file_that_fails_while_it_is_read_costs_itself_only(tmp_path, monkeypatch):
    write(tmp_path, **{"a.txt": "a", "b.txt": "b", "c.txt": "c"})
    import isogloss.corpus.readers.text as reader

    real = reader.read_text

    def failing(source, *rest, **named):
        if source.name == "b.txt":
            raise OSError(5, "Input/output error")
        return real(source, *rest, **named)

    monkeypatch.setattr(reader, "read_text", failing)
    records, skips = everything(tmp_path)
    assert list(records) == ["a.txt", "c.txt"]
    assert (skips["b.txt"].reason, skips["b.txt"].detail) == ("unreadable", "Input/output error")


def test_names_that_are_no_unicode_can_be_stored(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (only,) = read(tmp_path)
    assert only.id == "caf\\xe9.txt"


def test_beir_folder_is_a_corpus_with_given_ids(tmp_path):
    rows = [
        {"_id": "d1", "title": "T", "text": "one", "metadata": {"url": "u"}},
        {"_id": "d2", "title": "", "text": "two"},
    ]
    body = "\n".join(map(json.dumps, rows)).encode()
    write(tmp_path, **{"set/corpus.jsonl.gz": gzip.compress(body), "set/queries.jsonl": '{"_id": "q", "text": "q"}'})
    write(
        tmp_path, **{"set/qrels/test.tsv": "query-id\tcorpus-id\tscore\nq\td1\t1", "set/README.md": "x", "a.txt": "a"}
    )
    records, skips = everything(tmp_path)
    assert (list(records), skips) == (["a.txt", "d1", "d2"], {})
    assert (records["d1"].title, records["d1"].text, records["d1"].metadata) == ("T", "one", {"metadata.url": "u"})
    assert records["d1"].path == "set/corpus.jsonl.gz"
    assert list(everything(tmp_path / "set" / "corpus.jsonl.gz")[0]) == ["d1", "d2"]


def test_real_beir_collection(data):
    report = ReadReport()
    records, skips = everything(data("cranfield"), report=report)
    assert len(records) == 1398
    assert {name: skip.reason for name, skip in skips.items()} == {"471": "no-text", "995": "no-text"}
    assert report.to_dict()["skipped"] == {"no-text": 2}


def test_equal_ids_are_listed_with_both_places(tmp_path):
    row = '{"_id": "1", "text": "%s"}\n'
    for name in ("a", "b"):
        write(tmp_path, **{f"{name}/corpus.jsonl": row % name, f"{name}/queries.jsonl": row})
    records, skips = everything(tmp_path)
    assert records["1"].text == "a"
    assert skips["1"].detail == "b/corpus.jsonl item 1 has the id of a/corpus.jsonl item 1"


@pytest.mark.parametrize(
    ("head", "ids", "text"),
    [
        (b'{"id": 7, "text": "one"}\n{"id": 8, "text": "two"}', ["7", "8"], "one"),
        (b'[{"id": 7, "text": "one"},\n {"id": 8, "text": "two"}]', ["7", "8"], "one"),
        (b'{\n "id": 7,\n "text": "one"\n}\n', ["7"], "one"),
        (b"id,body\n7,one\n8,two\n", ["7", "8"], "one"),
        (b"docid\tother\n7\tone\n8\ttwo\n", ["7", "8"], "one"),
        (b"<!DOCTYPE html><title>T</title><p>one", ["stdin"], "one"),
        (b"Dear all,\nthis, that\n", ["stdin"], "Dear all,\nthis, that\n"),
        ("\ufeffcafé".encode(), ["stdin"], "café"),
        ("café".encode("utf-16"), ["stdin"], "café"),
    ],
)
def test_standard_input_is_sniffed(head, ids, text):
    records, skips = everything("-", io.BytesIO(head))
    assert (list(records), skips) == (ids, {})
    assert records[ids[0]].text == text


def test_format_of_standard_input_can_be_named():
    records, _ = everything("-", io.BytesIO(b"a,b\n1,some words\n"), format="text")
    assert list(records) == ["stdin"]
    records, _ = everything("-", io.BytesIO(b"a,b\n1,some words\n"), format="csv")
    assert [record.text for record in records.values()] == ["some words"]
    with pytest.raises(UsageError, match="no format 'xls'"):
        read("-", options=ReadOptions(format="xls"))
    with pytest.raises(EmptyRootError, match="standard input is empty"):
        read("-", stream=io.BytesIO(b""))


def test_streams_that_give_one_byte_at_a_time():
    class Slow(io.RawIOBase):
        def __init__(self, data):
            self.data = io.BytesIO(data)

        def read(self, size=-1):
            return self.data.read(min(size, 1))

    body = "".join(json.dumps({"id": i, "text": f"text {i}"}) + "\n" for i in range(50)).encode()
    assert len(everything("-", Slow(body))[0]) == 50


def test_single_file_and_its_errors(tmp_path):
    write(tmp_path, **{"a.md": "# T\n\nx", "b.bin": "plain"})
    (record,) = read(tmp_path / "a.md")
    assert (record.id, record.title, record.path, record.reader) == ("a.md", "T", "a.md", "markdown/1")
    with pytest.raises(CorpusError, match="no known format"):
        read(tmp_path / "b.bin")
    assert everything(tmp_path / "b.bin", format="text")[0]["b.bin"].text == "plain"


def test_report_counts_what_was_read(tmp_path):
    write(tmp_path, **{"a.txt": "abc", "b.txt": "", "c.txt": "naïve".encode("utf-16"), "d.csv": "id,text\n1,xy\n"})
    report = ReadReport()
    everything(tmp_path, report=report)
    assert (report.files, report.records, report.characters) == (4, 3, 10)
    assert report.formats == {"text/1": 2, "delimited/1": 1}
    assert report.skipped == {"empty": 1}
    assert report.notes() == [
        "d.csv: text from 'text', no title, id from 'id'",
        "1 file read as utf-16",
    ]
