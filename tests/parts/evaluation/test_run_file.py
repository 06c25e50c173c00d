"""Run files: what they hash, what they never tell, what a comparison of two of them finds."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import IncompatibleError, IsoglossError
from isogloss.evaluation import run_file
from isogloss.evaluation.run_comparison import compare_runs, compare_scores
from isogloss.evaluation.run_file import DataHash, RunFile, SystemSettings, portable, read_run
from isogloss.protocols import EncodeReport, Record

SYSTEM = SystemSettings(
    "minilm", "aa", "all-MiniLM-L6-v2", {"query": "q: "}, "mean", 256, 384, "float32", "cosine",
    {"document": {"texts": 10, "share": 0.1}}, {"fusion": "none"},
)  # fmt: skip
RUN = RunFile(
    "index", ["eval"], [DataHash("documents", "d1", 10, "docs")], [SYSTEM], {"ndcg@10": "in words"},
    {"ndcg@10": {"minilm": [0.4, 0.35, 0.45]}}, 0, 1000, {"python": "3.11", "numpy": "2.3"},
    {"request": {"kind": "index"}},
)  # fmt: skip


def test_a_run_file_is_read_back(tmp_path):
    RUN.write(tmp_path / "run.json")
    assert read_run(tmp_path / "run.json") == RUN
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]  # nothing is left aside


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        RUN.write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_scores_that_are_no_numbers_come_back(tmp_path):
    odd = replace(RUN, scores={"ndcg@10": {"minilm": [float("nan"), float("-inf"), 1.0]}})
    odd.write(tmp_path / "run.json")
    values = read_run(tmp_path / "run.json").scores["ndcg@10"]["minilm"]
    assert values[0] != values[0]
    assert values[1:] == [float("-inf"), 1.0]
    assert "NaN" not in (tmp_path / "run.json").read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[1]", "format is None"),
        ('{"format": "isogloss.run/2"}', "isogloss.run/2"),
        ('{"format": "isogloss.run/1"}', "field is missing"),
        (json.dumps({**RUN.to_dict(), "extra": 1}), "extra"),
        (json.dumps({**RUN.to_dict(), "scores": {"ndcg@10": {"minilm": ["many"]}}}), "many"),
        (json.dumps({**RUN.to_dict(), "scores": {"ndcg@10": 3}}), "field is missing"),
        (json.dumps({**RUN.to_dict(), "data": [{"what": "x"}]}), "sha256"),
    ],
)
def test_a_file_that_is_no_run_file_is_refused(tmp_path, text, words):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(IncompatibleError, match=words):
        read_run(tmp_path / "run.json")


def test_a_missing_file_is_an_error_of_its_own(tmp_path):
    with pytest.raises(IsoglossError, match="cannot be read"):
        read_run(tmp_path / "run.json")


@given(st.dictionaries(st.text(min_size=1), st.text(), min_size=1, max_size=5), st.randoms())
def test_the_order_of_documents_does_not_matter_but_every_text_does(texts, random):
    records = [Record(id, text) for id, text in texts.items()]
    mixed = random.sample(records, len(records))
    first = run_file.hash_records(records)
    assert run_file.hash_records(mixed) == first
    changed = [replace(records[0], text=records[0].text + "x"), *records[1:]]
    assert run_file.hash_records(changed).sha256 != first.sha256
    assert run_file.hash_records([replace(records[0], title="x"), *records[1:]]).sha256 != first.sha256


def test_ids_and_texts_cannot_change_places():
    assert run_file.hash_questions({"a": "b"}).sha256 != run_file.hash_questions({"b": "a"}).sha256


def test_qrels_are_hashed_by_grade():
    assert run_file.hash_qrels({"q": {"d": 1}}) == run_file.hash_qrels({"q": {"d": 1.0}})
    assert run_file.hash_qrels({"q": {"d": 1}}).sha256 != run_file.hash_qrels({"q": {"d": 2}}).sha256


def test_a_file_is_hashed_by_its_bytes(tmp_path):
    import hashlib

    path = tmp_path / "a.run"
    path.write_bytes(b"x" * 3_000_000)
    found = run_file.hash_file(path, "run a")
    assert found == DataHash("run a", hashlib.sha256(b"x" * 3_000_000).hexdigest(), 3_000_000, "a.run")


def test_an_encoder_is_described_by_what_it_knows():
    plan = SimpleNamespace(
        prompts=SimpleNamespace(value={"query": "query: ", "document": ""}), pooling=SimpleNamespace(value="cls")
    )
    model = SimpleNamespace(
        plan=plan, name="/home/somebody/models/small/", identity="ab", window=128, dimensions=64, similarity="dot"
    )
    found = run_file.describe("s", model, {"document": EncodeReport(4, 100, 1, 10, 128)}, fusion="rrf")
    assert (found.model, found.prompts, found.pooling, found.max_length) == ("small", {"query": "query: "}, "cls", 128)
    assert found.cut["document"]["share"] == 0.25
    assert found.options == {"fusion": "rrf"}


def test_minilm_is_described_whole(minilm):
    from isogloss.encoders.names import load_encoder

    found = run_file.describe("minilm", load_encoder(str(minilm)))
    assert (found.pooling, found.max_length, found.dimensions, found.similarity) == ("mean", 256, 384, "cosine")
    assert len(found.identity) == 64


def test_no_path_of_this_machine_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["eval", str(tmp_path / "sub" / "q.trec"), "/home/somebody/docs", "~/secret/q.tsv", "../up/x", "a/b",
             "--vectors=/data/a.npy,/data/b.npy", "http://host/v1", "words,rrf(words,static)"]  # fmt: skip
    assert portable(words) == [
        "eval", os.path.join("sub", "q.trec"), "docs", "q.tsv", "x", "a/b", "--vectors=a.npy,b.npy", "http://host/v1",
        "words,rrf(words,static)",
    ]  # fmt: skip


def test_equal_runs_do_not_differ():
    assert compare_runs(RUN, RUN) == []
    assert all(one.came_back for one in compare_scores(RUN, RUN))


CHANGES = {
    "minilm: identity": ({"identity": "bb"}, "model", "scores"),
    "minilm: prompts": ({"prompts": {}}, "setting", "scores"),
    "minilm: pooling": ({"pooling": "cls"}, "setting", "scores"),
    "minilm: max_length": ({"max_length": 128}, "setting", "scores"),
    "minilm: dimensions": ({"dimensions": 128}, "setting", "scores"),
    "minilm: dtype": ({"dtype": "int8"}, "setting", "scores"),
    "minilm: similarity": ({"similarity": "dot"}, "setting", "scores"),
    "minilm: options": ({"options": {}}, "setting", "scores"),
    "minilm: texts cut: document": ({"cut": {"document": {"texts": 10, "share": 0.2}}}, "setting", "scores"),
    "minilm: model": ({"model": "other"}, "name", "nothing"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_setting_of_a_system_is_compared(what):
    change, sort, matters = CHANGES[what]
    [delta] = compare_runs(RUN, replace(RUN, systems=[replace(SYSTEM, **change)]))
    assert (delta.what, delta.sort, delta.matters) == (what, sort, matters)


@pytest.mark.parametrize(
    ("change", "what", "sort", "matters"),
    [
        ({"data": [DataHash("documents", "d2", 10, "docs")]}, "data: documents", "data", "scores"),
        ({"data": []}, "data: documents", "data", "scores"),
        ({"data": [DataHash("documents", "d1", 10, "else")]}, "data: documents, source", "name", "nothing"),
        ({"systems": []}, "system minilm", "setting", "scores"),
        ({"metrics": {"ndcg@10": "other"}}, "metric: ndcg@10", "metric", "scores"),
        ({"versions": {"python": "3.11", "numpy": "1.0"}}, "version: numpy", "version", "scores"),
        ({"versions": {"python": "3.12", "numpy": "2.3"}}, "version: python", "version", "nothing"),
        ({"seed": 1}, "seed", "statistics", "intervals"),
        ({"draws": 1}, "draws", "statistics", "intervals"),
        ({"kind": "runs"}, "kind", "setting", "scores"),
        ({"options": {"request": {"kind": "runs"}}}, "request: kind", "setting", "scores"),
        ({"options": {"request": {"kind": "index", "qrels": "x"}}}, "request: qrels", "name", "nothing"),
    ],
)
def test_everything_else_is_compared(change, what, sort, matters):
    [delta] = compare_runs(RUN, replace(RUN, **change))
    assert (delta.what, delta.sort, delta.matters) == (what, sort, matters)


def test_another_seed_makes_other_questions():
    made = replace(RUN, kind="questions")
    [delta] = compare_runs(made, replace(made, seed=1))
    assert delta.matters == "scores"


def test_what_changes_scores_comes_first():
    other = replace(RUN, draws=5, versions={"python": "3.12", "numpy": "1"}, systems=[replace(SYSTEM, model="x")])
    assert [one.matters for one in compare_runs(RUN, other)] == ["scores", "intervals", "nothing", "nothing"]


@pytest.mark.parametrize(
    ("values", "came_back"),
    [
        ([0.4004, 0.35, 0.45], True),
        ([0.4006, 0.35, 0.45], False),
        ([0.4, 0.36, 0.45], False),
        ([float("nan"), 0.35, 0.45], False),
    ],
)
def test_scores_come_back_within_rounding(values, came_back):
    [delta] = compare_scores(RUN, replace(RUN, scores={"ndcg@10": {"minilm": values}}))
    assert delta.came_back is came_back


def test_a_score_that_is_missing_did_not_come_back():
    [delta] = compare_scores(RUN, replace(RUN, scores={}))
    assert not delta.came_back
    assert delta.change != delta.change
