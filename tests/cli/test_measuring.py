"""calibrate and reproduce as people run them: exit codes, streams, files."""

from __future__ import annotations

import json

import numpy as np
import pytest

WORDS = ["heat", "wing", "slab", "yeast", "crust", "zebra", "tariff", "quartz"]


@pytest.fixture
def judged(place, run):
    """An index in the current folder, with questions and judgements beside it."""
    draws = np.random.default_rng(0)
    filler = [f"filler{n}" for n in range(150)]
    (place / "docs").mkdir()
    rows = [
        {"id": f"d{n}", "text": f"{WORDS[n % 8]} number{n // 4} " + " ".join(draws.choice(filler, 10))}
        for n in range(320)
    ]
    (place / "docs" / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = [{"_id": f"q{n}", "text": f"{WORDS[4 * n % 8]} number{n} {draws.choice(filler)}"} for n in range(80)]
    (place / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)))
    (place / "qrels.trec").write_text("\n".join(f"q{n} 0 rows.jsonl#d{4 * n + i} 1" for n in range(80) for i in (0, 1)))
    assert run("add", "docs", "--with", "words", "--id", "id").code == 0
    return place


ASKED = ("--qrels", "qrels.trec", "--queries", "queries.jsonl")


def test_calibrate_says_what_scores_mean_and_search_shows_it(judged, run):
    before = run("search", "wing number5", "--min-p", "0.5")
    assert (before.code, "isogloss calibrate" in before.err) == (2, True)
    ran = run("calibrate", *ASKED, "--report", "meaning.html")
    assert ran.code == 0
    assert "expected calibration error" in ran.out
    assert "P(relevant), words\t" in ran.out  # a row of the reliability table, piped
    assert "<svg" in (judged / "meaning.html").read_text()
    answer = run("search", "heat number2", "--json").json
    assert answer["p_by"] == "80 judged questions"
    assert 0 <= answer["hits"][0]["p_low"] <= answer["hits"][0]["p"] <= answer["hits"][0]["p_high"] <= 1
    bound = answer["hits"][0]["p"]
    likely = run("search", "heat number2", "--min-p", str(bound), "--json").json
    assert all(hit["p"] >= bound for hit in likely["hits"])
    assert len(likely["hits"]) < len(answer["hits"])


def test_a_dry_run_keeps_nothing(judged, run):
    ran = run("calibrate", *ASKED, "--dry-run", "--json")
    assert ran.code == 0
    assert ran.json["kept"] is False
    assert set(ran.json["curves"]["systems"]) == {"words"}
    assert not (judged / ".isogloss" / "calibration.json").exists()


@pytest.mark.parametrize("given", [("--qrels", "qrels.trec"), ("--queries", "queries.jsonl")])
def test_calibrate_needs_both_files(judged, run, given):
    assert run("calibrate", *given).code == 2


def test_another_model_under_the_same_name_makes_the_calibration_stale(judged, run):
    run("calibrate", *ASKED)
    path = judged / ".isogloss" / "calibration.json"
    content = json.loads(path.read_text())
    content["identities"]["words"] = "another"
    path.write_text(json.dumps(content))
    ran = run("search", "heat number2")
    assert ran.code == 0
    assert "run isogloss calibrate again" in ran.err
    assert run("search", "heat number2", "--json").json["hits"][0]["p"] is None


def test_an_evaluation_comes_back(judged, run):
    assert run("eval", *ASKED, "--report", "out.html", "--draws", "200").code == 0
    ran = run("reproduce", "run.json")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("ndcg@10\twords\t")
    assert "the same" in ran.out
    assert run("reproduce", "run.json", "--json").json["came_back"] is True
    assert str(judged) not in (judged / "run.json").read_text()


def test_other_judgements_are_another_evaluation(judged, run):
    run("eval", *ASKED, "--report", "out.html", "--draws", "200")
    lines = (judged / "qrels.trec").read_text().splitlines()
    (judged / "qrels.trec").write_text("\n".join(lines[:-20]))
    ran = run("reproduce", "run.json")
    assert ran.code == 4
    assert "data: qrels" in ran.err
    assert "data: qrels\t" in ran.out


def test_scores_that_do_not_come_back_fail(judged, run):
    run("eval", *ASKED, "--report", "out.html", "--draws", "200")
    content = json.loads((judged / "run.json").read_text())
    content["scores"]["ndcg@10"]["words"][0] += 0.01
    (judged / "run.json").write_text(json.dumps(content))
    ran = run("reproduce", "run.json")
    assert ran.code == 3
    assert "changed by -0.0100" in ran.out
    assert run("reproduce", "run.json", "--json").code == 3


def test_two_records_are_compared_without_running(judged, run):
    run("eval", *ASKED, "--report", "out.html", "--draws", "200")
    content = json.loads((judged / "run.json").read_text())
    content["versions"]["numpy"] = "0.1"
    (judged / "other.json").write_text(json.dumps(content))
    (judged / "qrels.trec").unlink()  # nothing is run
    ran = run("reproduce", "run.json", "other.json")
    assert ran.code == 0
    assert "version: numpy\t" in ran.out


@pytest.mark.parametrize(("text", "code"), [("{", 4), ('{"format": "isogloss.run/9"}', 4), (None, 1)])
def test_what_is_no_record_is_refused(place, run, text, code):
    if text is not None:
        (place / "run.json").write_text(text)
    assert run("reproduce", "run.json").code == code


def test_a_record_finds_its_files_in_another_folder(judged, run, monkeypatch):
    run("eval", *ASKED, "--report", "out.html", "--draws", "200")
    (judged / "elsewhere").mkdir()
    monkeypatch.chdir(judged / "elsewhere")
    assert run("reproduce", "../run.json").code != 0
    assert run("reproduce", "../run.json", "--in", "..").code == 0
