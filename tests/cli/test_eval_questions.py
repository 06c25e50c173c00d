"""The questions that ``isogloss eval`` makes: ``isogloss show queries``, where they are kept, who writes them."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isogloss.mining.questions.decide import Part, Verdict
from isogloss.mining.questions.question import QuestionSet
from isogloss.workflows.own_evaluation import verdict_of

OWN = ("eval", "--questions", "20", "--draws", "99")


def kept_in(folder: Path) -> Path:
    """The one file of questions in a folder."""
    (found,) = (folder / "questions").glob("*.jsonl")
    return found


def test_the_questions_that_were_made_are_shown(collection: Path, run: Callable) -> None:
    ran = run("show", "queries")
    assert ran.code == 1
    assert "no questions were made" in ran.err
    assert "isogloss eval" in ran.err
    made = run(*OWN)
    assert "see them: isogloss show queries (kept in .isogloss/questions/" in made.out
    questions = QuestionSet.load(kept_in(collection / ".isogloss")).questions
    ran = run("show", "queries")
    assert ran.code == 0
    assert f"20 questions, kept in {kept_in(Path('.isogloss'))}" in ran.err
    rows = [line.split("\t") for line in ran.out.splitlines()]
    expected = [[q.kind, q.document, f"{q.overlap:.2f}", f"{q.weight:.2f}", q.text] for q in questions]
    assert rows == expected
    lines = [json.loads(line) for line in run("show", "queries", "--jsonl").out.splitlines()]
    assert [(one["id"], one["text"], one["weight"]) for one in lines] == [(q.id, q.text, q.weight) for q in questions]
    whole = run("show", "--queries", "--json").json
    assert whole["schema"] == "isogloss.questions/1"
    assert (whole["count"], whole["seed"], whole["current"]) == (20, 0, True)


def test_the_questions_asked_last_are_shown(collection: Path, run: Callable) -> None:
    run(*OWN)
    run("eval", "--questions", "15", "--draws", "99")
    assert run("show", "queries", "--json").json["count"] == 15
    run(*OWN)
    ran = run("show", "queries")
    assert len(ran.out.splitlines()) == 20
    assert "1 file of other settings" in ran.err
    (collection / "more.txt").write_text("A whole new text about the moon and its long shadows on the sea.\n")
    assert run("add", "more.txt").code == 0
    ran = run("show", "queries")
    assert "an earlier state of the documents" in ran.err
    assert len(ran.out.splitlines()) == 20
    assert run("show", "queries", "--index", "nowhere").code == 1


def test_a_document_named_queries_is_shown_and_the_questions_are_reachable(collection: Path, run: Callable) -> None:
    row = {"_id": "queries", "title": "", "text": "Queries wait in a long line before the counter of the bank."}
    with (collection / "corpus.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    assert run("add", "corpus.jsonl").code == 0
    assert run(*OWN).code == 0
    ran = run("show", "queries")
    assert ran.out.strip() == row["text"]
    assert "isogloss show --queries" in ran.err
    assert run("show", "--queries", "--json").json["count"] == 20
    for words in (("show",), ("show", "queries", "--queries"), ("show", "nonesuch")):
        assert run(*words).code == 2, words


def test_questions_are_judged_by_one_document_and_by_topic(collection: Path, run: Callable) -> None:
    report = run(*OWN, "--metric", "recall@5", "--out", "out", "--json").json
    assert [one["metric"] for one in report["comparisons"]] == ["recall@5", "recall@5 by topic"]
    made = QuestionSet.load(kept_in(collection / ".isogloss"))
    weights = [question.weight for question in made.questions]
    for comparison, topic in zip(report["comparisons"], (False, True), strict=True):
        for score in comparison["scores"]:
            lines = (collection / "out" / f"{score['system']}.run").read_text().splitlines()
            answers: dict[str, list[str]] = {}
            for line in lines:
                query, _, document, *_ = line.split()
                answers.setdefault(query, []).append(document)
            qrels = made.qrels(topic=topic)
            found = [len(set(answers.get(q.id, [])[:5]) & set(qrels[q.id])) / len(qrels[q.id]) for q in made.questions]
            assert score["value"] == pytest.approx(np.average(found, weights=weights))
    assert "about its topic" in report["run"]["metrics"]["recall@5 by topic"]
    assert "finding all about a topic" in report["questions"]["verdict"]
    assert run(*OWN, "--fail-if", "words.ndcg@10 < 0.01").code == 0
    assert run("reproduce", "out/run.json").code == 0


@pytest.mark.parametrize(
    ("one", "every", "said"),
    [(-0.1, -0.1, "these questions can decide"), (-0.1, 0.1, "cannot decide"), (-0.1, 0.01, "cannot decide"),
     (0.01, 0.1, "cannot decide"), (0.01, 0.01, "too few")],
)  # fmt: skip
def test_judgements_that_disagree_decide_nothing(one: float, every: float, said: str) -> None:
    def verdict(value: float) -> Verdict:
        reason = "is ahead" if abs(value) > 0.05 else "too few"
        whole = Part("all", 300, 300, value, 0.02)
        return Verdict("static", "words", abs(value) > 0.05, reason, whole, [], [], 0.056)

    text = verdict_of("ndcg@10", verdict(one), verdict(every))
    assert said in text
    assert ("words is ahead of static by 0.100" in text) is (one < 0)
    assert ("static is ahead of words by 0.100" in text) is (every > 0.05)
    assert verdict_of("ndcg@10", verdict(one), None).endswith(verdict(one).reason)
    assert "one sort only" in verdict_of("ndcg@10", None, None)


@pytest.fixture
def server() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A chat server on this machine that asks about the last words of a passage, and what it was sent."""
    seen: list[dict[str, Any]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
            passage = body["messages"][0]["content"].split("\n\n")[1]
            words = passage.replace(".", "").split()[-3:]
            text = json.dumps({"choices": [{"message": {"content": f"What of {' and '.join(words)}?"}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/v1", seen
        listening.shutdown()
        thread.join()


def test_a_server_that_the_user_names_writes_questions(
    collection: Path, run: Callable, server: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, seen = server
    monkeypatch.setenv("ISOGLOSS_API_KEY", "secret-of-mine")
    asked = (*OWN, "--write-with", url, "--write-model", "small")
    dry = run(*asked, "--dry-run")
    assert f"would send passages of the documents to {url}" in dry.out
    assert seen == []
    ran = run(*asked, "--out", "out")
    assert ran.code == 0, ran.err
    assert "a language model" in ran.out
    assert {one["path"] for one in seen} == {"/v1/chat/completions"}
    assert {(one["model"], one["key"]) for one in seen} == {("small", "Bearer secret-of-mine")}
    written = [
        row for row in run("show", "queries", "--jsonl").out.splitlines() if json.loads(row)["kind"] == "written"
    ]
    assert written
    assert all(json.loads(row)["text"].startswith("What of ") for row in written)
    texts = [path.read_text(errors="replace") for path in collection.rglob("*") if path.is_file()]
    assert not any("secret-of-mine" in text for text in texts)
    record = json.loads((collection / "out" / "run.json").read_text())
    assert record["options"]["request"]["writer"] == url
    assert " ".join(["--write-with", url, "--write-model", "small"]) in " ".join(record["command"])
    calls = len(seen)
    assert run(*asked, "-q").code == 0, "kept questions are asked again"
    assert run(*OWN).code == 0, "those of no server are other questions"
    refused = run("reproduce", "out/run.json")
    assert refused.code == 2
    assert "--allow-network" in refused.err
    assert len(seen) == calls
    assert run("reproduce", "out/run.json", "--allow-network").code == 0


def test_a_server_that_cannot_be_used_is_an_error(collection: Path, run: Callable) -> None:
    for url in ("ftp://127.0.0.1/v1", "http://127.0.0.1/v1?key=abc", "http://me@127.0.0.1/v1", "127.0.0.1"):
        ran = run(*OWN, "--write-with", url)
        assert ran.code == 2, url
        assert "abc" not in ran.err
    ran = run(*OWN, "--write-with", "http://127.0.0.1:9/v1")
    assert ran.code == 1
    assert "cannot be reached" in ran.err
    ran = run("eval", "--qrels", "qrels.trec", "--queries", "queries.tsv", "--draws", "99", "--write-with", "http://a/")
    assert "--write-with says nothing" in ran.err


def obey_permissions() -> None:
    """Take from root, in the process to come, the right to write where permissions forbid it."""
    if os.geteuid() == 0:
        drop, write_anywhere = 24, 1  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
        ctypes.CDLL(None).prctl(drop, write_anywhere, 0, 0, 0)


@pytest.fixture
def read_only(collection: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Run the program where the index cannot be written, whoever runs the tests."""
    index = collection / ".isogloss"
    folders = [index, *(path for path in index.rglob("*") if path.is_dir())]

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "isogloss", *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, preexec_fn=obey_permissions
        )

    before = sorted(index.rglob("*"))
    for folder in folders:
        folder.chmod(0o555)
    yield call
    for folder in folders:
        folder.chmod(0o755)
    assert sorted(index.rglob("*")) == before


def test_an_index_that_cannot_be_written_leaves_its_questions_in_the_cache(read_only: Callable) -> None:
    assert "cannot be written" in read_only("add", "corpus.jsonl", "--with", "words:de").stderr
    ran = read_only(*OWN, "--compare", "words,words:en,static")
    assert ran.returncode == 0, ran.stderr
    cache = kept_in(Path(os.environ["XDG_CACHE_HOME"]) / "isogloss")
    assert f"kept in {cache}" in ran.stdout
    assert "asked the 20 questions of an earlier run again" in read_only(*OWN).stdout
    assert len(read_only("show", "queries").stdout.splitlines()) == 20
    assert json.loads(read_only("show", "queries", "--json").stdout)["path"] == str(cache)


def test_an_index_that_cannot_be_written_leaves_its_vectors_in_the_cache(minilm: Path, read_only: Callable) -> None:
    ran = read_only(*OWN, "--compare", f"words,{minilm}")
    assert ran.returncode == 0, ran.stderr
    vectors = Path(os.environ["XDG_CACHE_HOME"]) / "isogloss" / "evaluation"
    assert sum(path.stat().st_size for path in vectors.glob("*.vectors")) > 50 * 384 * 4
