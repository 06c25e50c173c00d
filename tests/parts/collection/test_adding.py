"""Invariants: add is idempotent; content decides, never time; deletion is careful; nothing is lost in silence."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from isogloss.collection.collection import Collection
from isogloss.collection.results import AddReport
from isogloss.errors import CorpusError, IncompatibleIndexError, IndexBusyError, UsageError
from isogloss.protocols import Record


def counts(report: AddReport) -> tuple[int, int, int, int]:
    return report.new, report.changed, report.deleted, report.unchanged


def test_first_add_then_nothing_then_each_kind_of_change(make: Callable[..., Collection], docs: Path) -> None:
    collection = make()
    assert counts(collection.add(docs)) == (6, 0, 0, 0)
    for path in docs.rglob("*.*"):  # new times, same content
        os.utime(path, (1, 1))
    assert counts(collection.add(docs)) == (0, 0, 0, 6)
    (docs / "heat.md").write_text("# Heat\n\nRadiation, not conduction.\n")
    (docs / "wing.md").unlink()
    (docs / "new.txt").write_text("A new text about glaciers.\n")
    assert counts(collection.add(docs)) == (1, 1, 1, 4)
    assert len(collection) == 6
    assert "wing.md" not in collection
    assert collection.search("radiation").hits[0].document == "heat.md"
    assert collection.search("glaciers").hits[0].document == "new.txt"
    assert all(hit.document != "wing.md" for hit in collection.search("propeller slipstream").hits)


def test_ids_are_relative_paths_and_the_text_comes_back(make: Callable[..., Collection], docs: Path) -> None:
    collection = make()
    collection.add(docs)
    view = collection.show("guide/cats.md")
    assert view.text == (docs / "guide/cats.md").read_text()
    assert view.root == str(docs)
    assert collection.show("guide/cats.md::1").chunk == 1


def test_a_missing_or_empty_root_deletes_nothing(make: Callable[..., Collection], docs: Path) -> None:
    collection = make()
    collection.add(docs)
    away = docs.rename(docs.with_name("away"))
    with pytest.raises(CorpusError):
        collection.add(docs)
    docs.mkdir()
    with pytest.raises(CorpusError):
        collection.add(docs)
    assert len(collection) == 6
    docs.rmdir()
    away.rename(docs)
    assert counts(collection.add(docs)) == (0, 0, 0, 6)


def test_many_deletions_need_a_yes(make: Callable[..., Collection], docs: Path) -> None:
    collection = make()
    collection.add(docs)
    (docs / "heat.md").unlink()
    (docs / "wing.md").unlink()
    with pytest.raises(UsageError, match="2 of the 6 documents") as error:
        collection.add(docs)
    assert "--yes" in error.value.fix
    assert len(collection) == 6
    asked: list[str] = []
    with pytest.raises(UsageError):
        collection.add(docs, yes=lambda question: bool(asked.append(question)))
    assert len(asked) == 1
    assert collection.add(docs, yes=True).deleted == 2
    assert len(collection) == 4


def test_a_dry_run_changes_nothing(make: Callable[..., Collection], docs: Path) -> None:
    collection = make()
    report = collection.add(docs, dry_run=True)
    assert (report.new, len(collection)) == (6, 0)
    collection.add(docs)
    (docs / "heat.md").unlink()
    report = collection.add(docs, dry_run=True)
    assert (report.deleted, len(collection)) == (1, 6)


def test_the_same_id_from_another_root_proposes_a_prefix(make: Callable[..., Collection], docs: Path) -> None:
    collection = make()
    collection.add(docs)
    other = docs.with_name("other")
    other.mkdir()
    (other / "aaa.txt").write_text("Something that comes first.")
    (other / "heat.md").write_text("Another heat.")
    with pytest.raises(UsageError, match=r"heat\.md") as error:
        collection.add(other)
    assert "--prefix other/" in error.value.fix
    assert len(collection) == 6
    assert collection.add(other, prefix="other/").new == 2
    assert "other/heat.md" in collection
    assert counts(collection.add(docs)) == (0, 0, 0, 6)


def test_a_conflict_found_late_takes_back_what_came_before(
    make: Callable[..., Collection], docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isogloss.collection.adding.BATCH_DOCUMENTS", 1)
    collection = make()
    collection.add(docs)
    other = docs.with_name("other")
    other.mkdir()
    (other / "aaa.txt").write_text("Something that comes first.")
    (other / "heat.md").write_text("Another heat.")
    with pytest.raises(UsageError, match="nothing of this run was kept"):
        collection.add(other)
    assert "aaa.txt" not in collection
    assert len(collection) == 6


def test_a_file_added_alone_moves_to_the_folder_that_holds_it(make: Callable[..., Collection], docs: Path) -> None:
    collection = make()
    assert collection.add(docs / "heat.md").new == 1
    report = collection.add(docs)
    assert counts(report) == (5, 1, 0, 0)
    assert len(collection) == 6


def test_what_cannot_be_read_now_keeps_its_last_version(make: Callable[..., Collection], docs: Path) -> None:
    collection = make()
    (docs / "table.jsonl").write_text('{"id": "a", "text": "violins and cellos"}\n')
    collection.add(docs)
    (docs / "table.jsonl").write_text('{"id": "a", "text": broken\n')
    report = collection.add(docs)
    assert [skip.reason for skip in report.skipped] == ["bad-json"]
    assert (report.deleted, report.kept) == (0, 1)
    assert collection.search("cellos").hits[0].document == "table.jsonl#a"


def test_an_emptied_file_is_gone_and_listed(make: Callable[..., Collection], docs: Path) -> None:
    collection = make()
    collection.add(docs)
    (docs / "heat.md").write_text("")
    report = collection.add(docs)
    assert [(skip.id, skip.reason) for skip in report.skipped] == [("heat.md", "empty")]
    assert report.deleted == 1


def test_equal_texts_are_documents_of_their_own_encoded_once(
    make: Callable[..., Collection], fake: Callable[..., object], docs: Path
) -> None:
    encoder = fake("fake")
    (docs / "copy.txt").write_text((docs / "bread.txt").read_text())
    collection = make(encoders=["words", "fake"])
    report = collection.add(docs)
    run = report.encoders["fake"]
    assert (run.encoded, run.reused, report.exact_duplicates) == (6, 1, 1)
    before = len(encoder.asked)  # type: ignore[attr-defined]
    (docs / "third.txt").write_text((docs / "bread.txt").read_text())
    run = collection.add(docs).encoders["fake"]
    assert (run.encoded, run.reused) == (0, 1)
    new = encoder.asked[before:]  # type: ignore[attr-defined]
    assert not any("yeast" in text and text.startswith("Bread dough") for text in new)
    hits = collection.search("yeast dough gas crust", encoders=["fake"], k=1).hits
    assert {hits[0].document, *hits[0].also} == {"bread.txt", "copy.txt", "third.txt"}


def test_a_stopped_encoder_keeps_its_work_and_goes_on(
    make: Callable[..., Collection], fake: Callable[..., object], docs: Path
) -> None:
    for i in range(200):
        (docs / f"n{i}.txt").write_text(f"Number {i} is a text of its own about item {i * 7}.")
    encoder = fake("fake")
    collection = make(encoders=["words", "fake"])
    encoder.stop_after = len(encoder.asked) + 100  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        collection.add(docs)
    stats = {e.name: e for e in collection.stats().encoders}
    assert stats["words"].pending == 0
    assert 0 < stats["fake"].covered < 206
    result = collection.search("heat conduction")
    assert result.encoders == ["words"]
    assert any("fake has seen" in note for note in result.notes)
    before = len(encoder.asked)  # type: ignore[attr-defined]
    report = collection.add(docs)
    assert report.encoders["fake"].pending == 0
    assert report.encoders["fake"].encoded == 206 - stats["fake"].covered
    assert len(encoder.asked) - before < 206 + 2 * 256 + 16  # type: ignore[attr-defined]
    assert collection.search("heat conduction").encoders == ["words", "fake"]
    for name in ("n7.txt", "n113.txt", "bread.txt"):  # each vector is its own text's, whatever order they came in
        best = collection.search((docs / name).read_text(), 1, encoders=["fake"]).hits[0]
        assert (best.document, round(best.score, 4)) == (name, 1.0)


def test_another_model_under_the_same_name_is_refused(
    make: Callable[..., Collection], fake: Callable[..., object], docs: Path, tmp_path: Path
) -> None:
    fake("fake")
    with make(encoders=["words", "fake"]) as collection:
        collection.add(docs)
    fake("fake", salt=3)
    with Collection.open(tmp_path / "index") as reader:
        with pytest.raises(IncompatibleIndexError, match="another fake"):
            reader.search("heat")
        assert reader.search("heat", encoders=["words"]).hits
        problems = [d for d in reader.check() if d.status == "problem"]
        assert [d.check for d in problems] == ["fake: fingerprint"]


def test_languages_outside_the_card_are_words_only(
    make: Callable[..., Collection], fake: Callable[..., object], docs: Path
) -> None:
    encoder = fake("fake")
    encoder.languages = frozenset({"en"})  # type: ignore[attr-defined]
    german = "Die Wärmeleitung in zusammengesetzten Platten hängt von der Temperatur und der Dicke der Schichten ab."
    (docs / "german.txt").write_text(german)
    collection = make(encoders=["words", "fake"])
    report = collection.add(docs)
    run = report.encoders["fake"]
    assert (run.off, run.off_languages, run.pending) == (1, {"de": 1}, 0)
    assert any("vectors off, words on" in note for note in report.notes)
    assert collection.search("Wärmeleitung in Platten").hits[0].document == "german.txt"


def test_an_index_inside_the_folder_is_not_read(make: Callable[..., Collection], docs: Path) -> None:
    collection = make("docs/my-index")
    assert counts(collection.add(docs)) == (6, 0, 0, 0)
    assert counts(collection.add(docs)) == (0, 0, 0, 6)


def test_two_writers(make: Callable[..., Collection], tmp_path: Path) -> None:
    make()
    with pytest.raises(IndexBusyError, match="busy"):
        Collection.open(tmp_path / "index", write=True)


def test_records_of_ones_own_and_removal(make: Callable[..., Collection]) -> None:
    collection = make()
    records = [Record(str(i), f"text number {i}", metadata={"year": 1990 + i}) for i in range(10)]
    assert collection.add(records).new == 10
    assert collection.add(records[:3]).unchanged == 3
    assert len(collection) == 10
    with pytest.raises(UsageError, match="nobody"):
        collection.remove(["1", "nobody"])
    assert collection.remove(where="year >= 1998", dry_run=True).documents == 2
    assert sorted(collection.remove(where="year >= 1998").ids) == ["8", "9"]
    assert collection.remove("1").documents == 1
    assert len(collection) == 7
    assert collection.search("number 1").hits[0].document != "1"
