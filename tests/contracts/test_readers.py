"""What every reader promises: records with stable ids from sound files, listed skips from broken ones."""

from __future__ import annotations

import gzip

import pytest

from isogloss.corpus.formats import formats
from isogloss.corpus.read import read
from isogloss.protocols import Record, Skip


@pytest.fixture
def name(request):
    return request.node.callspec.params["reader"]


@pytest.fixture
def written(reader, name, parts_sound, tmp_path):
    needs = formats()[name].needs
    if needs:
        pytest.importorskip(needs)
    path = tmp_path / "corpus" / f"file{reader.suffix}"
    path.parent.mkdir()
    path.write_bytes(parts_sound(name))
    return path


def _read(path):
    items = list(read(path))
    return [one for one in items if isinstance(one, Record)], [one for one in items if isinstance(one, Skip)]


def test_a_sound_file_gives_records(reader, name, written):
    records, skips = _read(written.parent)
    assert skips == []
    assert records
    joined = " ".join(record.title + " " + record.text for record in records)
    assert all(word in joined for word in reader.words)
    for record in records:
        assert record.text.strip()
        assert record.reader == formats()[name].reader
        assert record.path == written.name
        assert record.id == written.name or record.id.startswith(f"{written.name}#")
    assert len({record.id for record in records}) == len(records)


def test_headings_lie_in_the_text(reader, written):
    for record in _read(written.parent)[0]:
        starts = [start for start, _, _ in record.headings]
        assert starts == sorted(starts)
        for start, level, text in record.headings:
            assert 0 <= start <= len(record.text)
            assert level >= 1
            assert text


def test_reading_again_gives_the_same(reader, written):
    assert _read(written.parent) == _read(written.parent)


def test_ids_do_not_depend_on_other_files(reader, name, written):
    before = [record.id for record in _read(written.parent)[0]]
    (written.parent / "another.txt").write_text("Something else.")
    after = [record.id for record in _read(written.parent)[0]]
    assert set(before) <= set(after)
    assert len(after) == len(before) + 1


def test_broken_files_are_skipped_with_a_reason(reader, name, written):
    for number, content in enumerate(reader.broken):
        (written.parent / f"broken{number}{reader.suffix}").write_bytes(content)
    records, skips = _read(written.parent)
    assert {record.path for record in records} == {written.name}
    assert len({skip.id.split("#")[0].split(":")[0] for skip in skips}) == len(reader.broken)
    assert all(skip.reason for skip in skips)


def test_half_a_file_never_raises(reader, name, written, parts_sound):
    content = parts_sound(name)
    for number, size in enumerate((1, len(content) // 3, len(content) - 1)):
        (written.parent / f"cut{number}{reader.suffix}").write_bytes(content[:size])
    records, _ = _read(written.parent)
    assert {record.path for record in records} >= {written.name}


def test_a_compressed_file_is_the_file(reader, name, written):
    plain = [record.text for record in _read(written.parent)[0]]
    written.with_name(written.name + ".gz").write_bytes(gzip.compress(written.read_bytes()))
    written.unlink()
    records, skips = _read(written.parent)
    assert [record.text for record in records] == plain or [skip.reason for skip in skips]
