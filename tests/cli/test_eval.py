"""``isogloss eval`` and ``isogloss compare`` on a small collection: what they print, write and refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

JUDGED = ("--qrels", "qrels.trec", "--queries", "queries.tsv", "--draws", "200")


def rows_of(out: str) -> dict[str, list[str]]:
    """The rows of the first piped table that has them, by their first cell."""
    return {line.split("\t")[0]: line.split("\t") for line in reversed(out.splitlines()) if "\t" in line}


def test_judged_systems_are_printed_with_intervals_and_pairs(collection: Path, run: Callable) -> None:
    ran = run("eval", *JUDGED, "--compare", "words,static,rrf(words,static)")
    assert ran.code == 0, ran.err
    rows = rows_of(ran.out)
    assert {"words", "static", "rrf(words,static)"} < set(rows)
    assert "vs words (paired)" in rows["ndcg@10"]
    assert "10 questions, 50 documents" in ran.out
    assert "only 10 questions" in ran.err


def test_the_default_systems_are_those_of_the_index_and_hybrid(collection: Path, run: Callable) -> None:
    report = run("eval", *JUDGED, "--json").json
    assert report["schema"] == "isogloss.eval/1"
    scores = {one["system"]: one["value"] for one in report["comparisons"][0]["scores"]}
    assert set(scores) == {"words", "static", "hybrid"}
    assert scores["words"] > 0.9
    assert report["run"]["kind"] == "index"
    assert {one["what"]: one["count"] for one in report["run"]["data"]} == {
        "documents": 50, "questions": 10, "qrels": 55,
    }  # fmt: skip


def test_scores_are_those_of_trec_eval(collection: Path, run: Callable) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval")
    report = run("eval", *JUDGED, "--metric", "ndcg,recall@5,map", "--k", "7", "--out", "out", "--json").json
    qrels: dict[str, dict[str, int]] = {}
    for line in (collection / "qrels.trec").read_text().splitlines():
        query, _, document, grade = line.split()
        qrels.setdefault(query, {})[document] = int(grade)
    judge = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.7", "recall.5", "map"})
    for comparison, measure in zip(report["comparisons"], ("ndcg_cut_7", "recall_5", "map"), strict=True):
        for score in comparison["scores"]:
            found: dict[str, dict[str, float]] = {}
            for line in (collection / "out" / f"{score['system']}.run").read_text().splitlines():
                query, _, document, _, value, _ = line.split()
                found.setdefault(query, {})[document] = float(value)
            expected = np.mean([one[measure] for one in judge.evaluate(found).values()])
            assert score["value"] == pytest.approx(expected, abs=1e-9)


def test_without_labels_questions_are_made_kept_and_asked_again(collection: Path, run: Callable) -> None:
    first = run("eval", "--questions", "20", "--draws", "200")
    assert first.code == 0, first.err
    assert first.out.startswith("made 20 questions from 20 documents")
    assert "optimistic" in first.out
    kept = list((collection / ".isogloss" / "questions").glob("*.jsonl"))
    assert len(kept) == 1
    again = run("eval", "--questions", "20", "--draws", "200", "--json")
    assert again.json["about"][0].startswith("asked the 20 questions of an earlier run again")
    scores = {one["system"]: one["value"] for one in again.json["comparisons"][0]["scores"]}
    cells = rows_of(first.out)
    assert all(float(cells[name][1]) == pytest.approx(value, abs=5e-4) for name, value in scores.items())
    lines = kept[0].read_text().splitlines()
    kept[0].write_text("\n".join(lines[:-5]) + "\n")  # a person takes five questions out
    assert run("eval", "--questions", "20", "--draws", "200", "--json").json["questions"]["count"] == 15
    kept[0].write_text("\n".join([*lines[:-1], lines[-1].replace('"document": "', '"document": "gone-')]) + "\n")
    ran = run("eval", "--questions", "20")
    assert ran.code == 1
    assert "1 of 20 kept questions are about documents that are not there" in ran.err


def test_averages_are_weighted_as_the_questions_are(collection: Path, run: Callable) -> None:
    report = run("eval", "--questions", "30", "--draws", "99", "--metric", "hits@1", "--out", "out", "--json").json
    from isogloss.mining.questions.question import QuestionSet

    made = QuestionSet.load(next((collection / ".isogloss" / "questions").glob("*.jsonl")))
    assert len({question.weight for question in made.questions}) > 1
    for score in report["comparisons"][0]["scores"]:
        lines = (collection / "out" / f"{score['system']}.run").read_text().splitlines()
        first = {line.split()[0]: line.split()[2] for line in lines if line.split()[3] == "1"}
        hits = [first.get(question.id) == question.document for question in made.questions]
        expected = np.average(hits, weights=[question.weight for question in made.questions])
        assert score["value"] == pytest.approx(expected)
    assert "words against meaning" in report["questions"]["verdict"]


def test_held_out_sentences_are_not_in_what_is_searched(collection: Path, run: Callable) -> None:
    """What is searched holds every document, each without the sentence that became its question."""
    report = run("eval", "--questions", "20", "--draws", "50", "--json").json
    from isogloss.mining.questions.question import QuestionSet
    from isogloss.protocols import Silent
    from isogloss.workflows.judged_evaluation import opened
    from isogloss.workflows.own_evaluation import own_questions, searched
    from isogloss.workflows.requests import Request

    request = Request(kind="questions", index=".isogloss", questions=20)
    with opened(request) as source:
        passages = searched(source, own_questions(request, source, Silent()))
        texts = {name: "" for name in passages.documents}
        stored = passages.stored_rows
        for row, text in (
            *zip(stored, passages.stored_texts(stored), strict=True),
            *zip(passages.fresh_rows, passages.fresh_texts, strict=True),
        ):
            texts[passages.documents[passages.owners[row]]] += text
        assert all(texts.values())
    made = QuestionSet.load(next((collection / ".isogloss" / "questions").glob("*.jsonl")))
    sentences = [one for one in made.questions if one.kind == "sentence"]
    assert sentences
    assert all(one.text not in texts[one.document] for one in sentences)
    assert report["questions"]["synthetic"] is True


@pytest.mark.parametrize(("condition", "code"), [("ndcg@10 < 0.01", 0), ("words.ndcg@10 < static.ndcg@10 + 1", 3)])
def test_conditions_decide_the_exit_code(collection: Path, run: Callable, condition: str, code: int) -> None:
    ran = run("eval", *JUDGED, "--fail-if", condition)
    assert ran.code == code
    assert ("fails: " in ran.out) is (code == 3)
    assert rows_of(ran.out), "the scores are printed all the same"


def test_a_condition_that_cannot_be_read_stops_before_the_work(collection: Path, run: Callable) -> None:
    assert run("eval", *JUDGED, "--fail-if", "ndcg@10").code == 2
    ran = run("eval", *JUDGED, "--fail-if-sure", "map < 1")
    assert ran.code == 2
    assert "--metric map" in ran.err


def test_reports_are_written_in_every_form(collection: Path, run: Callable) -> None:
    for name in ("report.html", "report.md", "report.json"):
        ran = run("eval", *JUDGED, "--report", name)
        assert ran.code == 0
        assert f"wrote {name}" in ran.err
        assert "ndcg@10" in (collection / name).read_text()
    record = json.loads((collection / "run.json").read_text())
    assert record["command"][:1] == ["eval"]
    assert str(collection) not in (collection / "run.json").read_text()
    assert run("eval", *JUDGED, "--report", "report.pdf").code == 2
    assert run("eval", *JUDGED, "--report", "nowhere/report.md").code == 2
    again = run("reproduce", "run.json")
    assert again.code == 0, again.err


def test_options_that_contradict_each_other(collection: Path, run: Callable) -> None:
    for words in (
        ("eval", "--qrels", "qrels.trec"),
        ("eval", "--queries", "queries.tsv"),
        ("eval", "--runs", "a.run", "--tasks", "sts-b"),
        ("eval", "minilm"),
        ("eval", "--runs", "a.run"),
        ("eval", *JUDGED, "--compare", "words,rrf(words"),
        ("eval", *JUDGED, "--compare", "words,words"),
        ("eval", *JUDGED, "--compare", "nonesuch"),
        ("eval", *JUDGED, "--metric", "speed"),
        ("eval", *JUDGED, "--draws", "9"),
        ("eval", *JUDGED, "--baseline", "minilm"),
        ("eval", "--tasks", "nonesuch"),
        ("compare",),
        ("compare", "--chunking", "none"),
        ("compare", "--chunking", "none,late"),
        ("compare", "--max-length", "64,128", "--models", "static"),
        ("compare", "--dims", "16,32", "--models", "hybrid"),
    ):
        ran = run(*words)
        assert ran.code == 2, (words, ran.err)
        assert ran.err.startswith("error: ")
    (collection / "empty").mkdir()
    ran = run("eval", "--index", "nowhere")
    assert ran.code == 1
    assert "isogloss add" in ran.err


def test_options_that_do_not_act_are_said(collection: Path, run: Callable) -> None:
    ran = run("eval", *JUDGED, "--compare", "words", "--ids", "a", "b")
    assert ran.code == 0
    assert "--ids says nothing about the documents of an index" in ran.err
    assert "warning" not in run("eval", *JUDGED, "--compare", "words").err.replace("qrels", "")


def test_a_dry_run_says_what_would_be_encoded(collection: Path, run: Callable) -> None:
    ran = run("eval", *JUDGED, "--compare", "words,words:en", "--dry-run")
    assert "words: its vectors of the index are used" in ran.out
    assert "words:en: would encode up to 50 passages" in ran.out
    assert run("eval", "--dry-run", "--json").json["dry_run"] is True
    assert not (collection / ".isogloss" / "questions").exists()


def test_a_beir_folder_needs_no_index(collection: Path, run: Callable) -> None:
    folder = collection / "beir"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text((collection / "corpus.jsonl").read_text())
    rows = [line.split("\t") for line in (collection / "queries.tsv").read_text().splitlines()]
    (folder / "queries.jsonl").write_text("".join(json.dumps({"_id": a, "text": b}) + "\n" for a, b in rows))
    judged = [line.split() for line in (collection / "qrels.trec").read_text().splitlines()]
    lines = [f"{query}\t{document}\t{grade}\n" for query, _, document, grade in judged]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    direct = run("eval", *JUDGED, "--json").json["comparisons"][0]["scores"]
    beir = run("eval", "--beir", "beir", "--draws", "200", "--json").json["comparisons"][0]["scores"]
    assert [(one["system"], one["value"]) for one in beir] == [(one["system"], one["value"]) for one in direct]


def test_judgements_may_name_files(place: Path, run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.parent / "cache"))
    (place / "docs").mkdir()
    (place / "docs" / "tea.txt").write_text("Oolong is picked at the harvest in spring.\n")
    (place / "docs" / "bread.txt").write_text("Sourdough gets a thick crust in a hot oven.\n")
    assert run("add", "docs", "--with", "words").code == 0
    (place / "queries.tsv").write_text("1\toolong harvest\n2\tsourdough crust\n")
    (place / "qrels.trec").write_text("1 0 tea 1\n2 0 bread 1\n")
    ran = run("eval", *JUDGED)
    assert ran.code == 0
    assert "by file name without ending: 2 of 2 found" in ran.err


def test_chunkings_are_compared_by_document(collection: Path, run: Callable) -> None:
    report = run("compare", "--chunking", "none,16,sentence", *JUDGED, "--models", "words,static", "--json").json
    assert report["schema"] == "isogloss.compare/1"
    names = {one["system"] for one in report["comparisons"][0]["scores"]}
    assert names == {f"{model} chunking {cut}" for model in ("words", "static") for cut in ("none", "16", "sentence")}
    assert "chunking none: 50 passages of 50 documents" in report["notes"]
    costs = {one["system"]: one["bytes_per_document"] for one in report["costs"]}
    assert costs["static chunking sentence"] > costs["static chunking none"]
    own = run("compare", "--chunking", "none,16", "--questions", "20", "--draws", "99")
    assert own.code == 0
    assert "chunking 16" in rows_of(own.out)


def test_dimensions_are_compared(collection: Path, run: Callable) -> None:
    ran = run("compare", "--dims", "all,32,pca32", *JUDGED)
    assert ran.code == 0, ran.err
    rows = rows_of(ran.out)
    assert {"static", "static 32d", "static pca32d"} < set(rows)
    assert "PCA was fitted on the vectors of the documents" in ran.err
