"""Tables: columns chosen or named, ids, typed metadata, and rows that are not as they should be."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.fields import UnknownColumnError, choose_fields, row_key
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.read import read
from isogloss.protocols import Record, Skip


def table(body, form="csv", **options):
    stream = io.BytesIO(body if isinstance(body, bytes) else body.encode())
    items = list(read("-", options=ReadOptions(format=form, **options), stream=stream))
    return [i for i in items if isinstance(i, Record)], [i for i in items if isinstance(i, Skip)]


def lines(*rows):
    return "\n".join(map(json.dumps, rows))


def test_csv_values_are_typed_by_column():
    records, skips = table("id,text,year,price,ok,zip,day\na,x,1911,1.5,true,01234,1911-12-14\nb,y,,2,FALSE,99999,\n")
    assert skips == []
    assert records[0].metadata == {"year": 1911, "price": 1.5, "ok": True, "zip": "01234", "day": "1911-12-14"}
    assert records[1].metadata == {"year": None, "price": 2.0, "ok": False, "zip": "99999", "day": ""}


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiter_is_found(mark):
    records, _ = table(mark.join(["id", "title", "body"]) + "\n" + mark.join(["1", "T", '"one, two; three"']) + "\n")
    assert (records[0].id, records[0].title, records[0].text) == ("1", "T", "one, two; three")


def test_quoted_fields_may_hold_lines_and_quotes():
    records, skips = table('id,text\r\n1,"a ""b""\r\nc"\r\n2,d\r\n')
    assert [record.text for record in records] == ['a "b"\nc', "d"]
    assert skips == []


def test_table_without_header_gets_numbered_columns():
    records, _ = table("17,some text\n18,more of it\n")
    assert [(record.text, record.metadata) for record in records] == [
        ("some text", {"c1": 17}),
        ("more of it", {"c1": 18}),
    ]


def test_uneven_rows_are_listed_with_their_line():
    records, skips = table("id,text,n\n1,a,1\n2,b\n\n3,c,3,,\n4,d,4,x\n5,e,5\n")
    assert [record.id for record in records] == ["1", "3", "5"]
    assert [(skip.id, skip.reason) for skip in skips] == [
        ("standard input:3", "uneven-row"),
        ("standard input:6", "uneven-row"),
    ]
    assert "2 cells, the table has 3 columns" in skips[0].detail


def test_huge_field_is_a_skip_and_the_rest_is_read():
    import csv

    before = csv.field_size_limit()
    records, skips = table("id,text\n1,a\n2," + "x" * 900 + "\n3,b\n", max_bytes=500)
    assert [record.id for record in records] == ["1", "3"]
    assert [skip.reason for skip in skips] == ["too-long"]
    records, skips = table('id,text\n1,a\n2,"' + "x\n" * 400 + '"\n3,b\n', max_bytes=500)
    assert {record.id for record in records} >= {"1", "3"}
    assert "too-long" in [skip.reason for skip in skips]
    assert csv.field_size_limit() == before


def test_a_quote_that_is_never_closed_costs_its_line_only():
    records, skips = table('id,text\n1,a\n2,"b\n3,c\n4,"d\n5,e\n')
    assert [record.id for record in records] == ["1", "3", "5"]
    assert [(skip.id, skip.reason) for skip in skips] == [
        ("standard input:3", "bad-row"),
        ("standard input:5", "bad-row"),
    ]
    body = 'id,text\n1,"open\n' + "".join(f"{i},row {i}\n" for i in range(2, 12_000))
    records, skips = table(body)
    assert (len(records), [skip.reason for skip in skips]) == (11_998, ["too-long"])
    records, skips = table('id,text\n1,"he said "no" twice"\n2,b\n')
    assert ([record.id for record in records], skips) == (["1", "2"], [])


def test_quotes_in_tab_separated_files_are_characters():
    records, _ = table('id\ttext\n1\t"Go" he said\n2\t5" wide\n3\tx\n', "tsv")
    assert [record.text for record in records] == ['"Go" he said', '5" wide', "x"]
    records, _ = table('id\ttext\n1\t"a ""b"""\n', "tsv")
    assert records[0].text == 'a "b"'


def test_a_cut_gzip_file_gives_the_rows_before_the_cut(tmp_path):
    import gzip

    for name, row in (("a.csv.gz", "{0},word {0}\n"), ("b.jsonl.gz", '{{"id": {0}, "text": "word {0}"}}\n')):
        body = gzip.compress(
            ("id,text\n" if "csv" in name else "").encode() + b"".join(row.format(i).encode() for i in range(50_000))
        )
        (tmp_path / name).write_bytes(body[: len(body) * 9 // 10])
    items = list(read(tmp_path))
    skips = [item for item in items if isinstance(item, Skip)]
    assert [(skip.id, skip.reason) for skip in skips] == [("a.csv.gz", "broken"), ("b.jsonl.gz", "broken")]
    assert len(items) > 80_000


def test_json_lines_that_are_no_objects_are_listed_with_their_number():
    body = lines({"id": 1, "text": "a"}) + '\n\n{"id": 2, "text": \n[1, 2]\n"x"\n' + lines({"id": 3, "text": "c"})
    records, skips = table(body, "jsonl")
    assert [record.id for record in records] == ["1", "3"]
    assert [skip.id for skip in skips] == [f"standard input:{number}" for number in (3, 4, 5)]
    assert {skip.reason for skip in skips} == {"bad-json"}


def test_nested_fields_are_flattened_and_typed():
    row = {"id": "a", "text": "x", "m": {"n": {"k": 1}, "l": ["a", 1]}, "big": 2**70, "nan": float("nan"), "none": None}
    row |= {"vector": [0.5] * 100, "yes": True, "small": -3}
    (record,), _ = table(lines(row), "jsonl")
    expected = {"m.n.k": 1, "m.l": '["a", 1]', "big": str(2**70), "nan": None, "none": None, "yes": True, "small": -3}
    assert record.metadata == expected
    assert record.metadata["yes"] is True


def test_half_surrogates_are_replaced():
    (record,), _ = table('{"id": "\\ud83d", "text": "a\\ud83db \\ud83d\\ude42", "t": ["\\udc00"]}', "jsonl")
    assert record.text == "a\ufffdb 🙂"
    (record.id + record.text + str(record.metadata)).encode()


def test_columns_can_be_named():
    body = lines({"id": 1, "key2": "k", "title": "T", "body": "B", "note": "N", "deep": {"text": "D"}})
    (record,), _ = table(body, "jsonl", text=("title", "body"), id="key2")
    assert (record.id, record.text, record.title, record.metadata["note"]) == ("k", "T\n\nB", "", "N")
    (record,), _ = table(body, "jsonl", text=("deep.text",), title="note")
    assert (record.text, record.title) == ("D", "N")


def test_unknown_column_lists_those_that_are_there(tmp_path):
    with pytest.raises(UnknownColumnError) as error:
        table(lines({"id": 1, "body": "B"}), "jsonl", text=("texte",))
    assert "'texte'" in error.value.what
    assert "'id', 'body'" in error.value.why
    (tmp_path / "a.csv").write_text("id,body\n1,x\n")
    (tmp_path / "b.csv").write_text("id,texte\n1,y\n")
    items = list(read(tmp_path, options=ReadOptions(text=("texte",))))
    assert [(item.id, getattr(item, "reason", "")) for item in items] == [("a.csv", "unknown-column"), ("b.csv#1", "")]
    (tmp_path / "b.csv").unlink()
    with pytest.raises(UnknownColumnError):
        list(read(tmp_path, options=ReadOptions(text=("texte",))))


@pytest.mark.parametrize(
    ("rows", "text", "title", "identifier"),
    [
        ([{"_id": "1", "title": "t", "text": "x"}], ("text",), "title", "_id"),
        (
            [{"Abstract": "long one", "Headline": "h", "url": "http://a.b/very/long/address"}],
            ("Abstract",),
            "Headline",
            "",
        ),
        ([{"a": "short", "b": "a much longer string", "c": 3}], ("b",), "", ""),
        ([{"key": "a", "text": "x"}, {"key": "a", "text": "y"}], ("text",), "", ""),
        ([{"id": "a", "text": "x"}, {"id": "a", "text": "y"}], ("text",), "", "id"),
        ([{"title": "only this"}], ("title",), "", ""),
        ([{"text": None, "body": "x"}], ("body",), "", ""),
    ],
)
def test_columns_are_chosen_by_name_then_by_length(rows, text, title, identifier):
    fields = choose_fields(rows, ReadOptions(), "t")
    assert (fields.text, fields.title, fields.id) == (text, title, identifier)


def test_tables_without_text_are_skips():
    assert choose_fields([{"a": 1}], ReadOptions(), "t") is None
    records, skips = table(lines({"a": 1, "b": [2]}), "jsonl")
    assert (records, skips[0].reason) == ([], "no-text")
    assert "'a', 'b'" in skips[0].detail
    records, skips = table(lines({"id": 1, "text": "x"}, {"id": 2, "text": " "}, {"id": 3}), "jsonl")
    assert [(skip.id, skip.reason) for skip in skips] == [("2", "no-text"), ("3", "no-text")]


def test_rows_without_an_id_are_named_by_their_content(tmp_path):
    (tmp_path / "a.jsonl").write_text(lines({"text": "x", "n": 1}, {"n": 1, "text": "x"}, {"text": "x", "n": 2}))
    items = list(read(tmp_path))
    assert [type(item) for item in items] == [Record, Skip, Record]
    assert items[0].id == "a.jsonl#" + row_key({"n": 1, "text": "x"})
    assert items[1].reason == "duplicate-id"


def test_what_was_chosen_is_noted():
    report = ReadReport()
    stream = io.BytesIO(lines({"id": 1, "headline": "T", "body": "B"}).encode())
    list(read("-", options=ReadOptions(format="jsonl"), report=report, stream=stream))
    assert report.notes() == ["standard input: text from 'body', title from 'headline', id from 'id'"]


def test_equal_choices_are_one_note(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.csv").write_text("id,text\n1,x\n")
    report = ReadReport()
    list(read(tmp_path, report=report))
    assert report.notes() == ["a.csv and 2 more: text from 'text', no title, id from 'id'"]


def test_json_arrays_objects_and_wrapped_lists():
    rows = [{"id": i, "text": f"text {i} 🙂"} for i in range(3)]
    for body in (json.dumps(rows), json.dumps(rows, indent=1), json.dumps({"count": 3, "data": rows}), lines(*rows)):
        records, skips = table(body, "json")
        assert ([record.text for record in records], skips) == ([row["text"] for row in rows], [])
    records, skips = table('["one", "two", 3]', "json")
    assert ([record.text for record in records], [skip.reason for skip in skips]) == (["one", "two"], ["bad-json"])
    records, skips = table('[{"id": 1, "text": "a"}, {"id": 2, "te', "json")
    assert ([record.text for record in records], [skip.reason for skip in skips]) == (["a"], ["bad-json"])


def test_long_json_array_is_streamed_and_a_long_value_is_refused():
    rows = [{"id": i, "text": "word " * 100} for i in range(5000)]
    assert len(table(json.dumps(rows), "json")[0]) == 5000
    records, skips = table('[{"id": 1, "text": "a"}, {"text": "' + "x" * 3_000_000, "json", max_bytes=100_000)
    assert [skip.reason for skip in skips] == ["too-long"]
    assert [record.text for record in records] == ["a"]


row_values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()))


@given(st.lists(st.dictionaries(st.text(min_size=1), row_values), max_size=5))
def test_any_json_rows_are_records_or_skips(rows):
    records, skips = table(lines(*rows) + "\n", "jsonl") if rows else ([], [])
    for record in records:
        assert record.text.strip()
        (record.id + record.text + record.title).encode()
        for value in record.metadata.values():
            assert value is None or isinstance(value, str | int | float | bool)
            assert not isinstance(value, int) or -(2**63) <= value < 2**63
    assert len(records) + len(skips) <= len(rows) + 1


@given(st.binary(max_size=300))
def test_any_bytes_as_csv_end_in_records_or_skips(data):
    if data:
        for form in ("csv", "tsv", "jsonl", "json", "text", "html", "md", "rst"):
            table(data, form)
