"""The questions that ``isogloss eval`` makes: ``isogloss show queries``, where they are kept, who writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from isogloss.mining.questions.question import QuestionSet

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
