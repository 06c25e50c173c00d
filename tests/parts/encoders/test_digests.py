"""Digests are remembered as long as the file stays the same, and never stand in the way."""

from __future__ import annotations

import os

from isogloss.encoders.digests import remembered


def test_a_digest_is_computed_once_and_anew_when_the_file_changes(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    calls = []

    def compute() -> str:
        calls.append(file.read_bytes())
        return f"{len(calls):064d}"

    assert remembered("k", [file], compute) == remembered("k", [file], compute) == f"{1:064d}"
    before = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert remembered("k", [file], compute) == f"{2:064d}"
    assert remembered("other", [file], compute) == f"{3:064d}"
    entries = list((tmp_path / "cache" / "isogloss" / "digests").iterdir())
    assert len(entries) == 3
    for entry in entries:
        entry.write_text("cut off")
    assert remembered("k", [file], compute) == f"{4:064d}"


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert remembered("k", [tmp_path / "file"], lambda: "x" * 64) == "x" * 64
