"""``isogloss eval`` and ``isogloss compare`` on a small collection: what they print, write and refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from isogloss.seeding import generator

TOPICS = {
    "tea": "green black leaves steeped cup kettle water aroma oolong harvest",
    "bread": "dough yeast oven flour knead crust loaf rise bake sourdough",
    "bicycle": "chain wheel pedal brake saddle spoke gear tyre frame handlebar",
    "ocean": "tide wave salt current reef whale plankton trench harbour sail",
    "music": "violin melody rhythm chord opera piano tempo harmony flute choir",
}


def text_of(topic: str, number: int) -> str:
    """A short text of a topic: sentences of its words, different for each number."""
    rng = generator(number, "text", topic)
    words = TOPICS[topic].split()
    sentences = [" ".join(rng.choice(words, 6, replace=False)) for _ in range(6)]
    return " ".join(f"{sentence.capitalize()} {topic} {topic}{number}." for sentence in sentences)


@pytest.fixture
def collection(place: Path, run: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of fifty texts in the current folder, with questions and judgements beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.parent / "cache"))
    monkeypatch.delenv("ISOGLOSS_DATA", raising=False)
    rows = [(f"{topic}{n}", text_of(topic, n)) for topic in TOPICS for n in range(10)]
    lines = [json.dumps({"_id": id, "title": "", "text": text}) for id, text in rows]
    (place / "corpus.jsonl").write_text("\n".join(lines) + "\n")
    asked = {f"q{i}": f"{' '.join(TOPICS[topic].split()[i : i + 3])} of {topic}" for i, topic in enumerate(TOPICS)}
    asked |= {f"r{i}": f"{topic}{i} {TOPICS[topic].split()[i]}" for i, topic in enumerate(TOPICS)}
    (place / "queries.tsv").write_text("".join(f"{id}\t{text}\n" for id, text in asked.items()))
    judged = [f"q{i} 0 {topic}{n} 1\n" for i, topic in enumerate(TOPICS) for n in range(10)]
    judged += [f"r{i} 0 {topic}{i} 2\n" for i, topic in enumerate(TOPICS)]
    (place / "qrels.trec").write_text("".join(judged))
    assert run("add", "corpus.jsonl").code == 0
    return place


JUDGED = ("--qrels", "qrels.trec", "--queries", "queries.tsv", "--draws", "200")


def rows_of(out: str) -> dict[str, list[str]]:
    """The rows of a piped table by their first cell."""
    return {line.split("\t")[0]: line.split("\t") for line in out.splitlines() if "\t" in line}


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


def test_runs_are_judged(collection: Path, run: Callable) -> None:
    assert run("eval", *JUDGED, "--out", "out").code == 0
    ran = run("eval", "--runs", "out/words.run", "out/static.run", "--qrels", "qrels.trec", "--draws", "200", "--json")
    assert ran.code == 0, ran.err
    direct = run("eval", *JUDGED, "--json").json["comparisons"][0]["scores"]
    expected = {one["system"]: one["value"] for one in direct}
    for one in ran.json["comparisons"][0]["scores"]:
        assert one["value"] == pytest.approx(expected[one["system"]], abs=1e-9)
    assert any("of its first 10 answers are judged" in note for note in ran.json["notes"])


def test_runs_of_other_documents_are_an_error(collection: Path, run: Callable) -> None:
    (collection / "other.run").write_text("q0 Q0 x1 1 0.5 other\nq1 Q0 x2 1 0.5 other\n")
    ran = run("eval", "--runs", "other.run", "--qrels", "qrels.trec")
    assert ran.code == 1
    assert "no answer of the run other is judged" in ran.err
    (collection / "nan.run").write_text("q0 Q0 tea1 1 nan other\n")
    ran = run("eval", "--runs", "nan.run", "--qrels", "qrels.trec")
    assert ran.code == 1
    assert "nan" in ran.err
    (collection / "same.run").write_text("".join(f"q{i} Q0 tea{n} {n} 1.0 same\n" for i in range(5) for n in range(5)))
    ran = run("eval", "--runs", "same.run", "--qrels", "qrels.trec", "--draws", "99")
    assert ran.code == 0
    assert "same score" in ran.err or "one score" in ran.err
    (collection / "short.run").write_text("q0 tea1 0.5\n")
    assert run("eval", "--runs", "short.run", "--qrels", "qrels.trec").code == 1
    (collection / "twice.run").write_text("q0 Q0 tea1 1 0.5 a\nq0 Q0 tea1 2 0.4 a\n")
    ran = run("eval", "--runs", "twice.run", "--qrels", "qrels.trec")
    assert ran.code == 1
    assert "twice" in ran.err


def arrays(collection: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the documents and questions by the bundled model, written to files."""
    from isogloss.encoders.static import bundled_static

    rows = [json.loads(line) for line in (collection / "corpus.jsonl").read_text().splitlines()]
    asked = [line.split("\t")[1] for line in (collection / "queries.tsv").read_text().splitlines()]
    documents = np.asarray(bundled_static().encode([row["text"] for row in rows]))
    queries = np.asarray(bundled_static().encode(asked))
    np.save(collection / "docs.npy", documents)
    np.save(collection / "queries.npy", queries)
    (collection / "docs.ids.txt").write_text("".join(f"{row['_id']}\n" for row in rows))
    return documents, queries


VECTORS = ("--vectors", "docs.npy", "queries.npy", "--qrels", "qrels.trec", "--queries", "queries.tsv")


def test_vectors_are_judged(collection: Path, run: Callable) -> None:
    arrays(collection)
    ran = run("eval", *VECTORS, "--draws", "200", "--json")
    assert ran.code == 0, ran.err
    direct = run("eval", *JUDGED, "--compare", "static,words", "--json").json["comparisons"][0]["scores"]
    expected = next(one["value"] for one in direct if one["system"] == "static")
    assert ran.json["comparisons"][0]["scores"][0]["value"] == pytest.approx(expected, abs=1e-6)


def test_vectors_that_do_not_belong_together_are_errors(collection: Path, run: Callable) -> None:
    documents, queries = arrays(collection)

    def said(*options: str) -> str:
        ran = run("eval", *VECTORS, "--draws", "99", *options)
        assert ran.code in (1, 2), ran.out
        return ran.err

    np.save(collection / "queries.npy", queries[:, :9])
    assert "9" in said()
    np.save(collection / "queries.npy", np.where(np.arange(len(queries))[:, None] == 3, np.nan, queries))
    assert "1 of 10 vectors in queries.npy are not finite" in said()
    np.save(collection / "queries.npy", queries)
    np.save(collection / "docs.npy", documents[:49])
    assert "50 ids, 49 vectors" in said()
    np.save(collection / "docs.npy", documents[0])
    assert "holds no vectors" in said()
    np.save(collection / "docs.npy", documents)
    (collection / "docs.ids.txt").write_text("tea1\n" * 50)
    assert "occur more than once" in said()
    (collection / "docs.ids.txt").unlink()
    assert "none of the 55 judgements" in said()
    assert (
        "there is no file nothing.npy"
        in run("eval", "--vectors", "nothing.npy", "queries.npy", "--qrels", "qrels.trec").err
    )


def test_constant_and_stretched_vectors_are_said(collection: Path, run: Callable) -> None:
    documents, _ = arrays(collection)
    np.save(collection / "docs.npy", np.repeat(documents[:1], 50, axis=0))
    ran = run("eval", *VECTORS, "--draws", "99")
    assert ran.code == 0
    assert "all 50 document vectors are the same" in ran.err
    np.save(collection / "docs.npy", documents * np.arange(1, 51)[:, None])
    ran = run("eval", *VECTORS, "--draws", "99")
    assert set(rows_of(ran.out)) == {"ndcg@10", "cosine", "dot"}
    assert "not of length one" in ran.err


@pytest.mark.parametrize(
    ("file", "content", "code", "said"),
    [
        ("qrels.trec", "q0 0 tea0 1\nq0 0 nowhere 1\nzz 0 tea1 1\n", 0, "2 of 3 judgements left out"),
        ("qrels.trec", "zz 0 nowhere 1\n", 1, "none of the 1 judgements"),
        ("qrels.trec", "q0 0 tea0 0\nq1 0 tea0 0\n", 1, "no question has a relevant document"),
        ("qrels.trec", "", 1, "qrels.trec"),
        ("qrels.trec", "q0 0 tea0\tx\n", 1, "x"),
        ("qrels.trec", "q0 tea0\n", 1, "line 1"),
        ("qrels.trec", "q0 0 tea0 nan\n", 1, "nan"),
        ("queries.tsv", "", 1, "empty"),
        ("queries.tsv", "q0\ttea\nq0\tbread\n", 1, "q0"),
        ("queries.tsv", "q0\n", 1, "queries.tsv"),
        ("queries.tsv", "q0\ttea\n", 0, "only one question"),
    ],
)
def test_bad_files_are_errors_or_warnings_with_counts(
    collection: Path, run: Callable, file: str, content: str, code: int, said: str
) -> None:
    (collection / file).write_text(content)
    ran = run("eval", *JUDGED)
    assert ran.code == code, ran.err
    assert said in ran.err
    if code == 0 and "one question" in said:
        assert "one item only" in ran.err
        assert "[" not in rows_of(ran.out)["words"][2], "no interval of a single question"


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
    for topic in TOPICS:
        (place / "docs" / f"{topic}.txt").write_text(text_of(topic, 1))
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


def test_a_server_is_judged(collection: Path, run: Callable, served: str) -> None:
    ran = run("eval", "--endpoint", served, *JUDGED, "--compare", "words", "--json")
    assert ran.code == 0, ran.err
    scores = {one["system"]: one["value"] for one in ran.json["comparisons"][0]["scores"]}
    direct = run("eval", *JUDGED, "--compare", "static", "--json").json["comparisons"][0]["scores"][0]["value"]
    assert scores["served-static"] == pytest.approx(direct, abs=1e-6)
    assert run("eval", "--endpoint", "http://127.0.0.1:1", *JUDGED).code == 1


@pytest.fixture
def served():
    """The address of an OpenAI-shaped server of the bundled model."""
    import http.server
    import threading

    from isogloss.encoders.static import bundled_static

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.answer({"object": "list", "data": [{"id": "served-static"}]})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
            vectors = np.asarray(bundled_static().encode(asked)).tolist()
            self.answer({"data": [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]})

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
