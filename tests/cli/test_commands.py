"""The verbs on a small real index: what they print, what they refuse, what they leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from isogloss.collection.collection import Collection

NOTES = {
    "tea.md": "# Tea\n\nGreen tea is steeped at 80 degrees.\n\n## Storing\n\nKeep the leaves dry and dark.\n",
    "bread.md": "# Bread\n\nKnead the dough for ten minutes and let it rise twice.\n",
    "sub/bicycle.txt": "The bicycle chain needs oil every month.\n",
    "empty.txt": "",
}


@pytest.fixture
def notes(place: Path) -> Path:
    """A folder of notes in the current folder."""
    for name, text in NOTES.items():
        path = place / "notes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return place / "notes"


@pytest.fixture
def index(notes: Path, run) -> Path:
    """The notes, added with words only."""
    assert run("add", "notes", "--with", "words").code == 0
    return notes


def test_add_reports_what_it_read_and_skipped(notes: Path, run) -> None:
    ran = run("add", "notes", "--with", "words", "--json")
    assert ran.code == 0
    report = ran.json
    assert report["schema"] == "isogloss.add/1"
    assert (report["files"], report["documents"], report["new"]) == (4, 3, 3)
    assert report["skipped"] == [{"id": "empty.txt", "reason": "empty", "detail": report["skipped"][0]["detail"]}]
    assert report["encoders"]["words"]["encoded"] == report["chunks"] == 3


def test_add_again_changes_nothing_and_then_only_what_changed(index: Path, run) -> None:
    assert "0 new, 0 changed, 0 deleted, 3 unchanged" in run("add", "notes").out
    (index / "tea.md").write_text("# Tea\n\nBlack tea is steeped at 95 degrees.\n")
    (index / "new.md").write_text("A new note.\n")
    assert run("add", "notes", "-q").out.startswith("1 new, 1 changed, 0 deleted, 2 unchanged (")


def test_a_dry_run_leaves_no_index_and_changes_none(notes: Path, run, place: Path) -> None:
    ran = run("add", "notes", "--with", "words", "--dry-run")
    assert "dry run, nothing was written: would be 3 new" in ran.out
    assert not (place / ".isogloss").exists()
    run("add", "notes", "--with", "words")
    (notes / "tea.md").write_text("changed")
    assert "would be 0 new, 1 changed" in run("add", "notes", "--dry-run").out
    assert "0 new, 1 changed" in run("add", "notes").out


def test_a_missing_folder_is_an_error_and_leaves_no_index(run, place: Path) -> None:
    ran = run("add", "nowhere")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [
        "error: there is nothing at nowhere", "why:   no such file or folder", "fix:   check the path",
    ]  # fmt: skip
    assert not (place / ".isogloss").exists()


def test_an_unknown_model_is_an_error_and_leaves_no_index(notes: Path, run, place: Path) -> None:
    ran = run("add", "notes", "--with", "words,nonesuch")
    assert ran.code == 4
    assert "nonesuch" in ran.err
    assert not (place / ".isogloss").exists()


def test_many_deletions_need_a_yes(index: Path, run) -> None:
    (index / "tea.md").unlink()
    (index / "bread.md").unlink()
    ran = run("add", "notes", "--no-input")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert json.loads(run("stats", "--json").out)["documents"] == 3
    assert "2 deleted" in run("add", "notes", "--yes").out


def test_the_budget_belongs_to_a_new_index(index: Path, run) -> None:
    ran = run("add", "notes", "--budget", "100")
    assert ran.code == 2
    assert "--budget is for a new index" in ran.err


def test_documents_from_standard_input(place: Path, process) -> None:
    rows = '{"_id": "a", "text": "Zip archives hold files."}\n{"_id": "b", "text": "Heat conduction in slabs."}\n'
    ran = process("add", "-", "--with", "words", input=rows)
    assert ran.returncode == 0, ran.stderr
    found = process("search", "conduction of heat", "-k", "1", "--json")
    assert json.loads(found.stdout)["hits"][0]["document"] == "b"


def test_several_sources_are_added_in_turn(place: Path, run) -> None:
    for name in ("one.txt", "two.txt"):
        (place / name).write_text(f"the text of {name}\n")
    ran = run("add", "one.txt", "two.txt", "--with", "words", "--json")
    assert [report["new"] for report in ran.json["results"]] == [1, 1]


def test_search_without_an_index_says_how_to_make_one(run) -> None:
    ran = run("search", "heat")
    assert ran.code == 1
    assert "isogloss add" in ran.err.splitlines()[2]


def test_a_search_answers_with_the_schema(index: Path, run) -> None:
    answer = run("search", "temperature for green tea", "-k", "2", "--json").json
    assert answer["schema"] == "isogloss.search/1"
    assert answer["query"] == "temperature for green tea"
    hit = answer["hits"][0]
    assert (hit["document"], hit["rank"]) == ("tea.md", 1)
    assert {"id", "document", "score", "percentile", "snippet", "matches", "heading", "start", "end", "also"} <= set(
        hit
    )
    start, end = hit["matches"][0]
    assert hit["snippet"][start:end].lower() in ("green", "tea")


def test_words_without_quotes_are_one_question(index: Path, run) -> None:
    assert run("search", "knead", "the", "dough", "--json").json["query"] == "knead the dough"


def test_questions_from_standard_input(index: Path, run) -> None:
    both = run("search", "-", "-k", "1", "--jsonl", stdin="bicycle oil\n\nknead dough\n")
    lines = [json.loads(line) for line in both.out.splitlines()]
    assert [line["hits"][0]["document"] for line in lines] == ["sub/bicycle.txt", "bread.md"]
    assert {line["schema"] for line in lines} == {"isogloss.search/1"}
    together = run("search", "-", "-k", "1", "--json", stdin="bicycle oil\nknead dough\n").json
    assert [answer["query"] for answer in together["results"]] == ["bicycle oil", "knead dough"]
    plain = run("search", "-", "-k", "1", stdin="bicycle oil\nknead dough\n").out.splitlines()
    assert [line.split("\t")[:3] for line in plain] == [
        ["bicycle oil", "1", "sub/bicycle.txt"], ["knead dough", "1", "bread.md"],
    ]  # fmt: skip


@pytest.mark.parametrize("arguments", [["-"], [" "]])
def test_no_question_is_a_usage_error(index: Path, run, arguments: list[str]) -> None:
    assert run("search", *arguments).code == 2


def test_a_filter_that_leaves_too_few_says_so(index: Path, run) -> None:
    ran = run("search", "the", "--where", "path like 'sub/%'", "-k", "5")
    assert [line.split("\t")[1] for line in ran.out.splitlines()] == ["sub/bicycle.txt"]
    assert "note: 1 of 5: only 1 document matches the filter" in ran.err


def test_a_wrong_filter_points_at_the_mistake(index: Path, run) -> None:
    ran = run("search", "tea", "--where", "pth = 'x'")
    assert ran.code == 2
    assert "did you mean path?" in ran.err
    assert "\n         ^\n" in ran.err


def test_search_in_a_folder_needs_no_index(notes: Path, run, place: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ran = run("search", "notes", "oil for the chain", "-k", "1")
    assert ran.out.split("\t")[1] == "sub/bicycle.txt"
    assert "3 documents of notes read" in ran.err
    assert not (place / ".isogloss").exists()
    assert sorted(path.name for path in notes.iterdir()) == ["bread.md", "empty.txt", "sub", "tea.md"]
    (notes / "sub" / "bicycle.txt").write_text("Nothing.\n")
    (notes / "chain.txt").write_text("Oil the chain.\n")
    assert run("search", "notes", "oil for the chain", "-k", "1").out.split("\t")[1] == "chain.txt"


def test_show_prints_the_document_and_its_chunks(index: Path, run) -> None:
    assert run("show", "bread.md").out.strip() == NOTES["bread.md"].strip()
    chunks = run("show", "tea.md", "--chunks", "--jsonl").out.splitlines()
    assert "".join(json.loads(line)["text"] for line in chunks).strip() == NOTES["tea.md"].strip()
    assert run("show", "tea.md", "--json").json["chunks"][0]["start"] == 0
    ran = run("show", "bred.md")
    assert ran.code == 2
    assert "bread.md" in ran.err


def test_removing_many_asks_and_one_does_not(index: Path, run) -> None:
    refused = run("remove", "--where", "path like '%'")
    assert (refused.code, refused.out) == (2, "")
    assert "add --yes" in refused.err
    assert run("remove", "tea.md", "--dry-run").out == "would remove 1 document, 1 chunk\ntea.md\n"
    assert run("remove", "tea.md").out == "removed 1 document, 1 chunk\n"
    assert run("remove", "--where", "path like '%'", "--yes", "--json").json["documents"] == 2
    assert run("stats", "--json").json["documents"] == 0


def test_removing_what_is_not_there_is_an_error(index: Path, run) -> None:
    assert run("remove", "nothing.md").code == 2
    assert run("remove").code == 2


def test_ids_to_remove_from_standard_input(index: Path, run) -> None:
    assert run("remove", "-", "--yes", stdin="tea.md\nbread.md\n").out == "removed 2 documents, 2 chunks\n"


def test_stats_counts_documents_and_encoders(index: Path, run) -> None:
    stats = run("stats", "--json").json
    assert (stats["documents"], stats["chunks"], stats["encoders"][0]["name"]) == (3, 3, "words")
    lines = dict(line.split("\t")[:2] for line in run("stats").out.splitlines())
    assert lines["documents"] == "3"
    assert lines["words"] == "words"


def test_compact_frees_what_was_deleted(index: Path, run) -> None:
    run("remove", "tea.md")
    assert run("stats", "--json").json["dead_chunks"] == 1
    assert run("compact", "--json").json["schema"] == "isogloss.compact/1"
    assert run("stats", "--json").json["dead_chunks"] == 0
    assert run("search", "green tea", "--json").json["hits"] == []
    assert run("search", "knead dough", "--json").json["hits"][0]["document"] == "bread.md"


def test_export_writes_a_table_that_pyarrow_reads(index: Path, run, place: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    report = run("export", "--parquet", "out.parquet", "--json").json
    assert report["rows"] == 3
    assert parquet.read_table(place / "out.parquet").num_rows == 3
    assert run("export").code == 2


def test_info_names_every_source_of_a_setting(run, minilm: Path) -> None:
    facts = run("info", str(minilm), "--json").json
    assert facts["max_length"]["value"] == 256
    assert ["tokenizer_config.json", 512] in facts["max_length"]["said"]
    line = next(line for line in run("info", str(minilm)).out.splitlines() if line.startswith("max length"))
    assert line.split("\t")[1:3] == ["256", "sentence_bert_config.json"]


def test_pull_says_where_the_model_lies_and_how_to_use_it(run, monkeypatch, tmp_path: Path) -> None:
    asked = []

    def pull(name, **options):
        asked.append((name, options))
        return tmp_path / "model"

    monkeypatch.setattr("isogloss.encoders.pull.pull", pull)
    ran = run("pull", "minilm", "--revision", "abc")
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'model'}\n")
    assert "isogloss add DIR --with words,static,minilm" in ran.err
    assert asked == [("minilm", {"folder": None, "revision": "abc", "progress": None})]
    assert run("pull", "minilm", "--json").json["folder"] == str(tmp_path / "model")


def test_verify_says_same_or_names_the_cause(run, minilm: Path, tmp_path: Path) -> None:
    import shutil

    texts = tmp_path / "texts.txt"
    texts.write_text("one short text\nand another one about tea\nheat in slabs\n")
    same = run("verify", str(minilm), str(minilm), "--texts", str(texts))
    assert (same.code, same.out[:12]) == (0, "same vectors")
    other = tmp_path / "other"
    shutil.copytree(minilm, other)
    pooling = other / "1_Pooling" / "config.json"
    config = json.loads(pooling.read_text())
    pooling.write_text(json.dumps({**config, "pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}))
    different = run("verify", str(other), str(minilm), "--texts", str(texts), "--json")
    assert (different.code, different.json["cause"]) == (3, "pooling")


def test_the_demonstration_ends_with_sensible_answers(run, place: Path) -> None:
    assert run("demo", "--dry-run", "--json").json["folder"] == os.path.join("demo", "docs")
    assert not (place / "demo").exists()
    report = run("demo", "--out", "here", "--json").json
    assert report["docs"]["files"] == report["add"]["documents"]
    wanted = ["shutil.unpack_archive.md", "textwrap.fill.md", "collections.Counter.md"]
    for answer, document in zip(report["results"], wanted, strict=True):
        assert document in [hit["document"] for hit in answer["hits"]]
        assert answer["hits"][0]["document"].split(".")[0] == document.split(".")[0]
    again = run("demo", "--out", "here")
    assert f"{report['add']['documents']:,} unchanged" in again.out
    assert again.out.rstrip().endswith('isogloss add DIR && isogloss search "..."')


def test_the_demonstration_keeps_away_from_what_is_not_its_own(index: Path, run, place: Path) -> None:
    for folder in (".", "notes"):
        ran = run("demo", "--out", folder)
        assert ran.code == 2
        assert "--out DIR" in ran.err
    assert run("stats", "--json").json["documents"] == 3
    assert sorted(path.name for path in index.iterdir()) == ["bread.md", "empty.txt", "sub", "tea.md"]


def test_doctor_finds_nothing_wrong_with_a_whole_index(index: Path, run) -> None:
    report = run("doctor", "--json").json
    assert (report["problems"], report["schema"]) == (0, "isogloss.doctor/1")
    checks = {check["check"] for check in report["checks"]}
    assert {"words: coverage", "segments", "processor"} <= checks
    lines = [line.split("\t") for line in run("doctor", ".isogloss").out.splitlines()]
    assert {line[1] for line in lines} == checks
    assert all(len(line) == 4 for line in lines)


def test_doctor_fails_where_there_is_a_problem(index: Path, run, place: Path) -> None:
    array = max((place / ".isogloss" / "segments").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(array.read_bytes())
    content[-1] ^= 0xFF
    array.chmod(0o644)
    array.write_bytes(content)
    ran = run("doctor", "--jsonl")
    assert ran.code == 3
    problems = [check for check in map(json.loads, ran.out.splitlines()) if check["status"] == "problem"]
    assert array.name in problems[0]["found"]


def test_doctor_tries_a_model_on_texts(index: Path, run, minilm: Path, tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("heat " * 1000)
    checks = {check["check"]: check for check in run("doctor", str(minilm), "--json").json["checks"]}
    assert "3 texts" in checks["truncation"]["found"]
    ran = run("doctor", str(minilm), "--texts", str(tmp_path / "long.txt"), "--json")
    checks = {check["check"]: check for check in ran.json["checks"]}
    assert "1 of 1 texts" in checks["truncation"]["found"]
    assert run("doctor", "nonesuch").code == 3


def test_ctrl_c_keeps_what_is_done_and_add_goes_on(place: Path) -> None:
    notes = ({"_id": str(i), "text": f"note {i} on {i * 7919 % 997} things"} for i in range(4500))
    rows = "".join(json.dumps(note) + " " * 2000 + "\n" for note in notes)  # long lines: more than any buffer holds
    command = [sys.executable, "-m", "isogloss", "add", "-", "--with", "words"]
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    assert child.stdin is not None
    child.stdin.write(rows)
    child.stdin.flush()  # and left open: the program waits for more
    wait_for(lambda: Collection.exists(".isogloss") and documents() >= 4096)
    time.sleep(0.5)  # Python acts on a signal that comes between two reads only after the second one
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=60) == 130
    assert child.stderr is not None
    assert "work so far kept, run the same command to go on" in child.stderr.read()
    for stream in (child.stdin, child.stdout, child.stderr):
        stream.close()
    kept = documents()
    done = subprocess.run([*command, "--json"], input=rows, capture_output=True, text=True, timeout=120, check=True)
    report = json.loads(done.stdout)
    assert (report["new"], report["unchanged"]) == (4500 - kept, kept)


def hear_ctrl_c() -> None:
    """Undo what a shell does to a background job, which inherits an ignored SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def documents() -> int:
    with Collection.open(".isogloss") as collection:
        return len(collection)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_read_only_place_is_a_clear_error(notes: Path, process) -> None:
    if os.geteuid() == 0:  # root may write anywhere: a file in the way instead
        Path(".isogloss").write_text("in the way")
        ran = process("add", "notes", "--with", "words")
    else:
        os.chmod(".", 0o555)
        ran = process("add", "notes", "--with", "words")
        os.chmod(".", 0o755)
    assert ran.returncode == 1
    assert [line.split(":")[0] for line in ran.stderr.splitlines()] == ["error", "why", "fix"]
