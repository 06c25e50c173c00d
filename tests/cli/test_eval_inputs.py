"""``isogloss eval`` on what others made: runs, vectors, a server; and on what is wrong with files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

JUDGED = ("--qrels", "qrels.trec", "--queries", "queries.tsv", "--draws", "200")


def rows_of(out: str) -> dict[str, list[str]]:
    """The rows of a piped table by their first cell."""
    return {line.split("\t")[0]: line.split("\t") for line in out.splitlines() if "\t" in line}


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
    assert "is judged and no row" in said()
    assert (
        "there is no file nothing.npy"
        in run("eval", "--vectors", "nothing.npy", "queries.npy", "--qrels", "qrels.trec").err
    )


def test_rows_stand_for_ids_only_where_the_judgements_count_so(collection: Path, run: Callable) -> None:
    """One row off gives a low score that looks like a bad model."""
    arrays(collection)
    (collection / "docs.ids.txt").unlink()
    asked = [line.split("\t")[0] for line in (collection / "queries.tsv").read_text().splitlines()]
    named = [json.loads(line)["_id"] for line in (collection / "corpus.jsonl").read_text().splitlines()]
    judged = [line.split() for line in (collection / "qrels.trec").read_text().splitlines()]
    call = ("eval", "--vectors", "docs.npy", "queries.npy", "--qrels", "rows.trec", "--draws", "99")
    scores = []
    for first, code in ((0, 0), (1, 2)):
        lines = [f"{asked.index(q) + first} 0 {named.index(d) + first} {grade}\n" for q, _, d, grade in judged]
        (collection / "rows.trec").write_text("".join(lines))
        ran = run(*call)
        assert ran.code == code, ran.err
        scores += [rows_of(ran.out)["cosine"]] if code == 0 else []
        assert ("rows count from 0" if code == 0 else "seem to count from 1") in ran.err
    (collection / "queries.ids.txt").write_text("".join(f"{row + 1}\n" for row in range(10)))
    (collection / "docs.ids.txt").write_text("".join(f"{row + 1}\n" for row in range(50)))
    again = run(*call)
    assert again.code == 0
    assert [rows_of(again.out)["cosine"]] == scores


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
