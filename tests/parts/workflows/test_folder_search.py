"""An index of the program's own: in the cache, up to date, made anew where another version made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from isogloss.collection.collection import Collection
from isogloss.errors import CorpusError, IncompatibleIndexError
from isogloss.workflows.folder_search import index_folder, refresh


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "docs"
    root.mkdir()
    (root / "a.txt").write_text("Heat flows from warm to cold.")
    return root


def test_the_index_lies_in_the_cache_one_a_folder(folder: Path, tmp_path: Path) -> None:
    place, report = index_folder(folder)
    assert (report.new, place.parent) == (1, tmp_path / "cache" / "isogloss" / "folders")
    twin = tmp_path / "other" / "docs"
    twin.mkdir(parents=True)
    (twin / "b.txt").write_text("Another one.")
    assert index_folder(twin)[0] != place
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert index_folder(link)[0] == place
    assert index_folder(folder)[1].unchanged == 1


def test_an_index_of_another_version_is_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, _ = index_folder(folder)
    (place / "segments" / "left.over").write_text("x")
    real, asked = Collection.add, []

    def add(self, *arguments, **options):
        asked.append(self.path)
        if len(asked) == 1:
            raise IncompatibleIndexError("the index was built with another static", "cosine 0.54", "")
        return real(self, *arguments, **options)

    monkeypatch.setattr(Collection, "add", add)
    report = refresh(place, folder)
    assert (report.new, report.unchanged, len(asked)) == (1, 0, 2)
    assert not (place / "segments" / "left.over").exists()


def test_other_errors_leave_the_index_alone(folder: Path) -> None:
    place, _ = index_folder(folder)
    with pytest.raises(CorpusError):
        refresh(place, folder / "missing")
    with Collection.open(place) as collection:
        assert len(collection) == 1
