"""The report of an encoder, silent progress, and plain data of records."""

from __future__ import annotations

from isogloss.protocols import PROBE_TEXTS, Diagnosis, EncodeReport, Record, Silent, Skip


def test_a_report_adds_up_and_says_what_was_cut():
    report = EncodeReport()
    assert report.sentence() == ""
    report.add(texts=1500, tokens=900, window=256)
    assert report.sentence() == ""
    report.add(texts=500, tokens=100, cut=20, lost=50, window=128)
    assert report.sentence() == "20 of 2,000 texts (1.0%) cut at 256 tokens, 5.0% of all tokens lost"
    assert report.to_dict() == {"texts": 2000, "tokens": 1000, "cut": 20, "lost": 50, "window": 256}


def test_probe_texts_are_eight_and_different():
    assert len(set(PROBE_TEXTS)) == len(PROBE_TEXTS) == 8


def test_plain_data():
    assert Skip("a.pdf", "broken", "no trailer").to_dict() == {
        "id": "a.pdf",
        "reason": "broken",
        "detail": "no trailer",
    }
    assert Diagnosis("disk", "ok", "9 GB free").to_dict()["fix"] == ""
    first, second = Record("a", "x"), Record("b", "y")
    first.metadata["k"] = 1
    assert second.metadata == {}


def test_silent_progress_takes_everything(capsys):
    progress = Silent()
    progress.start("encode", None, "texts")
    progress.advance(3)
    progress.finish()
    assert capsys.readouterr() == ("", "")
