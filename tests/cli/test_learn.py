"""``isogloss learn`` as a user types it: text, JSON, errors, and a search with what it made."""

from __future__ import annotations


def write(place):
    for i in range(30):
        topic = ["wings lift heavy aircraft", "judges read tax law"][i % 2]
        (place / "docs").mkdir(exist_ok=True)
        (place / "docs" / f"{i}.txt").write_text(f"{topic} {topic} number{i % 5}", "utf-8")


def test_it_learns_says_what_it_did_and_can_be_searched_with(run, place):
    write(place)
    ran = run("learn", "static", "--on", "docs", "--out", "model", "--dimensions", "4")
    assert ran.code == 0
    assert "learned 14 vectors of 4 components from 270 words in 30 documents by ppmi" in ran.out
    assert run("add", "docs", "--with", "model").code == 0
    found = run("search", "aircraft lift", "-k", "1", "--json")
    assert found.code == 0
    assert "wings" in found.out


def test_data_and_errors(run, place):
    write(place)
    ran = run("learn", "static", "--on", "docs", "--out", "m", "--method", "skip-gram", "--epochs", "2", "--json")
    assert ran.code == 0
    assert ran.json["schema"] == "isogloss.learn/1"
    assert (ran.json["epochs"], ran.json["documents"]) == (2, 30)
    bad = run("learn", "static", "--on", "docs", "--out", "m", "--method", "magic")
    assert bad.code == 2
    assert "the methods are" in bad.err
    assert run("learn", "static", "--on", "nowhere", "--out", "m").code != 0
