"""What a user trains on becomes rows; nothing is lost in silence, and bad input says what is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isogloss.errors import CorpusError, UsageError
from isogloss.workflows.training.data import read_training_data, together
from isogloss.workflows.training.split import split


def write(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def test_flagembeddings_rows_become_columns(tmp_path):
    path = write(
        tmp_path / "a.jsonl",
        json.dumps({"query": "q1", "pos": ["p1", "p2"], "neg": ["n1", "n2"]}),
        json.dumps({"query": "q2", "pos": ["p3"], "neg": ["n3", "n4", "n5"]}),
        json.dumps({"query": "q3", "pos": "p4", "neg": []}),
    )
    data = read_training_data(path)
    assert data.kind == "pairs"
    assert data.columns[0] == ["q1", "q1", "q2", "q3"]
    assert data.columns[1] == ["p1", "p2", "p3", "p4"]
    assert [column[:3] for column in data.columns[2:]] == [["n1", "n1", "n3"], ["n2", "n2", "n4"]]
    assert {data.columns[2][3], data.columns[3][3]} <= {"p1", "p2", "p3"}
    assert "1 rows have fewer" in data.notes[0]
    assert "1 have more" in data.notes[0]


def test_named_columns_of_a_table(tmp_path):
    path = write(tmp_path / "a.tsv", "anchor\tpositive\tnegative_1", "a\tb\tc", "d\te\tf")
    assert read_training_data(path).columns == (["a", "d"], ["b", "e"], ["c", "f"])


def test_scores_labels_classes_and_plain_texts(tmp_path):
    scored = read_training_data(write(tmp_path / "s.tsv", "a\tb\tscore", "x\ty\t4.5", "u\tv\t1"))
    assert (scored.kind, scored.targets.tolist()) == ("scored pairs", [4.5, 1.0])
    labelled = read_training_data(write(tmp_path / "l.tsv", "a\tb\tlabel", "x\ty\t1", "u\tv\t0"))
    assert (labelled.kind, labelled.targets.tolist()) == ("labelled pairs", [1, 0])
    classes = read_training_data(write(tmp_path / "c.tsv", "text\tlabel", "x\tnews", "u\tsport"))
    assert classes.kind == "labelled texts"
    assert len(set(classes.targets.tolist())) == 2
    texts = read_training_data(write(tmp_path / "t.txt", "one", "", "two", "one"))
    assert texts.columns == (["one", "two"],)
    assert "1 repeated" in texts.notes[0]


def test_a_beir_folder_gives_its_training_judgements(tmp_path):
    (tmp_path / "qrels").mkdir()
    write(tmp_path / "corpus.jsonl", '{"_id": "d1", "title": "T", "text": "x"}', '{"_id": "d2", "text": "y"}')
    write(tmp_path / "queries.jsonl", '{"_id": "q1", "text": "one"}', '{"_id": "q2", "text": "two"}')
    write(tmp_path / "qrels" / "train.tsv", "query-id\tcorpus-id\tscore", "q1\td1\t1", "q2\td2\t1", "q2\td1\t0")
    assert read_training_data(str(tmp_path)).columns == (["one", "two"], ["T x", "y"])
    with pytest.raises(UsageError, match=r"no judgements called test"):
        read_training_data(str(tmp_path), split="test")


@pytest.mark.parametrize(
    ("name", "lines", "match"),
    [
        ("a.tsv", ["a\tb\tlabel", "x\ty\tentailment"], "label"),
        ("a.jsonl", ['{"query": "q", "pos": []}'], "no positive"),
        ("a.jsonl", ['{"query": "q", "pos": [3]}'], "positive"),
        ("a.tsv", ["anchor\tpositive"], "no pairs|empty|no rows"),
        ("a.tsv", ["anchor\tpositive", "x\ty"], "too little"),
        ("a.tsv", ["anchor\tpositive", *["x\tx"] * 5], "all texts"),
        ("a.bin", ["x"], "no file to train on"),
    ],
)
def test_bad_rows_are_a_clear_error(tmp_path, name, lines, match):
    with pytest.raises((CorpusError, UsageError), match=match):
        read_training_data(write(tmp_path / name, *lines))


def test_nothing_there_is_an_error():
    with pytest.raises(CorpusError, match="nothing to train on"):
        read_training_data("no-such-thing")


def test_rows_that_share_a_text_or_a_group_hang_together():
    assert together((["a", "b", "c", "d"], ["x", "y", "y", "z"]), ["1", "2", "3", "1"]).tolist() == [0, 1, 1, 0]


def test_no_text_is_in_two_parts(pairs):
    data = read_training_data(str(pairs))
    parts = split(data, 3)
    texts = [set(part.texts()) for part in (parts.train, parts.choose, parts.prove)]
    assert all(texts)
    assert texts[0].isdisjoint(texts[1] | texts[2])
    assert texts[1].isdisjoint(texts[2])
    assert sum(map(len, (parts.train, parts.choose, parts.prove))) == len(data)
    again = split(data, 3)
    assert again.prove.columns == parts.prove.columns
    assert split(data, 4).prove.columns != parts.prove.columns


def test_too_few_rows_or_one_large_group_hold_nothing_out():
    from isogloss.workflows.training.data import TrainingData

    few = TrainingData("few", "pairs", (["a", "b"], ["c", "d"]), np.arange(2))
    assert split(few, 0).prove is None
    one = TrainingData("one", "pairs", (["a"] * 500, [str(i) for i in range(500)]), np.zeros(500, np.int64))
    assert "hang together" in split(one, 0).note
