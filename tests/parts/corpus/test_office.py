"""Word files and Parquet: order, headings, tables, typed columns, damage."""

import io
import zipfile

import pytest

from isogloss.corpus.options import ReadOptions
from isogloss.corpus.read import read


def document(body, form, **options):
    data = body if isinstance(body, bytes) else body.encode()
    (item,) = read("-", options=ReadOptions(format=form, **options), stream=io.BytesIO(data))
    return item


def word_file():
    docx = pytest.importorskip("docx")
    file = docx.Document()
    file.core_properties.author = "A. Writer"
    file.add_heading("Guide", 0)
    file.add_heading("Install", 1)
    file.add_paragraph("Get it.")
    table = file.add_table(3, 2)
    table.cell(2, 0).merge(table.cell(2, 1)).text = "both"
    for row, cells in zip(table.rows[:2], (("a", "b"), ("1", "2")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    file.add_heading("Linux", 2)
    file.add_paragraph("Type this.")
    stream = io.BytesIO()
    file.save(stream)
    return stream.getvalue()


def test_word_files_keep_headings_and_tables():
    record = document(word_file(), "docx")
    assert record.text == "Guide\n\nInstall\n\nGet it.\n\na | b\n1 | 2\nboth\n\nLinux\n\nType this."
    assert record.headings == [(0, 1, "Guide"), (7, 1, "Install"), (record.text.index("Linux"), 2, "Linux")]
    assert (record.title, record.metadata) == ("Guide", {"author": "A. Writer"})


def test_damaged_word_files_are_skips(tmp_path):
    data = word_file()
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("x", "y")
    for name, body in (("a.docx", b"x"), ("b.docx", data[:2000]), ("c.docx", b""), ("d.docx", other.getvalue())):
        (tmp_path / name).write_bytes(body)
    found = {item.id: item.reason for item in read(tmp_path)}
    assert found == {"a.docx": "broken", "b.docx": "broken", "c.docx": "empty", "d.docx": "broken"}


def test_parquet_rows_with_typed_metadata(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    import datetime

    table = pa.table(
        {
            "id": [f"r{i}" for i in range(3000)],
            "body": [f"text {i}" for i in range(3000)],
            "day": [datetime.date(1911, 12, 14)] * 3000,
            "n": list(range(3000)),
            "vector": [[0.5, 1.5]] * 3000,
            "raw": [b"x"] * 3000,
            "tags": [["a", "b"]] * 3000,
        }
    )
    path = tmp_path / "t.parquet"
    parquet.write_table(table, path)
    records = list(read(tmp_path))
    assert len(records) == 3000
    assert (records[7].id, records[7].text) == ("t.parquet#r7", "text 7")
    assert records[7].metadata == {"day": "1911-12-14", "n": 7, "tags": '["a", "b"]'}
    path.write_bytes(path.read_bytes()[:-100])
    (skip,) = read(tmp_path)
    assert skip.reason == "broken"
