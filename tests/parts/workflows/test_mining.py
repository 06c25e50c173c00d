"""Mining on a user's data, as the command does it: every kind of data, what is said of errors, files, mistakes."""

from __future__ import annotations

import io
import json
from argparse import ArgumentParser

import pytest

from isogloss.cli.commands import mine as command
from isogloss.cli.console import Console
from isogloss.corpus.test_collections.training_pairs import read_training_pairs
from isogloss.errors import CorpusError, IsoglossError, UsageError
from isogloss.evaluation.statistics.proportion import share_interval
from isogloss.mining.rules import Limits
from isogloss.protocols import Silent
from isogloss.workflows.mining import MiningRequest, mine, write_mined, write_to_judge
from isogloss.workflows.mining_data import open_material

TEXTS = {
    "a": "Composite slabs conduct heat badly across layers.",
    "b": "Heat crosses a slab of layered metal slowly.",
    "c": "Swept wings delay the rise of drag near the speed of sound.",
    "d": "The tide at the mouth of the river follows the moon.",
    "e": "Bread rises where yeast is kept warm.",
    "f": "A wing of low drag stalls late.",
}
QUERIES = {"1": "how do layered slabs conduct heat", "2": "drag of swept wings"}
QRELS = [("1", "a", 1), ("1", "b", 1), ("1", "d", 0), ("2", "c", 1)]


@pytest.fixture
def folder(tmp_path):
    """A tiny test collection."""
    root = tmp_path / "tiny"
    (root / "qrels").mkdir(parents=True)
    lines = [json.dumps({"_id": id, "title": "", "text": text}) for id, text in TEXTS.items()]
    (root / "corpus.jsonl").write_text("\n".join(lines))
    (root / "queries.jsonl").write_text("\n".join(json.dumps({"_id": id, "text": t}) for id, t in QUERIES.items()))
    rows = "\n".join(f"{query}\t{document}\t{grade}" for query, document, grade in QRELS)
    (root / "qrels" / "train.tsv").write_text(f"query-id\tcorpus-id\tscore\n{rows}\n")
    return root


def free(place, **settings):
    """A request with no limit of score, so that few documents give negatives."""
    return MiningRequest(place=str(place), limits=settings.pop("limits", Limits()), **settings)


def test_a_collection_never_gives_a_labelled_right_answer(folder):
    found = mine(free(folder, per_query=5))
    assert len(found.pairs.queries) == 3
    for query, rows in zip(found.pairs.queries, found.mined.negatives, strict=True):
        right = {"a", "b"} if query == QUERIES["1"] else {"c"}
        assert {found.pairs.corpus[row] for row in rows} == {TEXTS[id] for id in TEXTS if id not in right}
    share = found.negatives
    # of fifteen negatives that nobody's label would have stopped, two are right answers and two were judged wrong
    assert (share.total, share.judged, share.right, share.rate) == (15, 4, 2, 0.5)
    # both right answers and both wrong ones are of the two pairs of one query: one independent trial, not four
    assert (share.low, share.high) == (share_interval(0.5, 1).low, share_interval(0.5, 1).high)
    assert (share.least, share.most) == (pytest.approx(2 / 15), pytest.approx(13 / 15))
    assert "2 of 4 judged" in found.sentence()
    complete = mine(free(folder, per_query=5, complete=True)).negatives
    assert (complete.judged, complete.rate) == (15, pytest.approx(2 / 15))


def test_without_labels_it_says_that_nothing_is_known(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [{"query": QUERIES["1"], "pos": TEXTS["a"]}, {"query": QUERIES["2"], "pos": TEXTS["c"]}]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    found = mine(free(path))
    assert found.negatives.rate is None
    assert "not known (0 to 100 %)" in found.sentence()
    assert "3.7%" in found.sentence()  # Wilson's bound for none of 100
    assert found.mined.negatives == [[1], [0]]


def test_right_answers_only_give_a_lower_bound(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [{"query": QUERIES["1"], "pos": [TEXTS["a"], TEXTS["b"]]}, {"query": QUERIES["2"], "pos": [TEXTS["c"]]}]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    found = mine(free(path, per_query=9))
    assert found.negatives.rate is None
    assert (found.negatives.right, found.negatives.total) == (2, 6)
    assert "at least 33.3%" in found.sentence()


def test_judgements_of_a_person_give_the_rate_and_its_interval(folder, tmp_path):
    request = free(folder, per_query=5)
    path = tmp_path / "judge.jsonl"
    count = write_to_judge(mine(request), path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert count == len(rows) - 1
    kept = [row for row in rows[1:] if row["stratum"] == "kept"]
    for row in kept:
        row["relevant"] = row["document"] == TEXTS["f"]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    found = mine(free(folder, per_query=5, judged=str(path)))
    assert found.negatives.right == 3  # the document f for each of three pairs
    assert found.negatives.low < found.negatives.rate < found.negatives.high
    assert not any("other settings" in note for note in found.notes)
    other = mine(free(folder, per_query=4, judged=str(path)))
    assert any("other settings" in note for note in other.notes)


def test_documents_give_pairs_of_their_own(tmp_path):
    root = tmp_path / "documents"
    root.mkdir()
    for id, text in TEXTS.items():
        (root / f"{id}.txt").write_text(f"{text} {TEXTS['e' if id != 'e' else 'd']} Number {id} says so.")
    found = mine(free(root, questions=4))
    assert found.material.groups is not None
    owner = dict(zip(found.pairs.corpus, found.material.groups, strict=True))
    assert len(found.pairs.queries) >= 2
    for i, rows in enumerate(found.mined.negatives):
        own = owner[found.pairs.corpus[int(found.pairs.positives[i])]]
        assert own not in {owner[found.pairs.corpus[row]] for row in rows}
    assert any("questions made from 6 documents" in note for note in found.notes)


def test_a_check_by_a_better_encoder_takes_candidates_out(folder):
    plain, checked = mine(free(folder)), mine(free(folder, encoders=("words",), check="static"))
    assert "check" not in plain.mined.rules
    assert checked.mined.counts()["check"]["candidates"] > 0
    with pytest.raises(UsageError, match="check itself"):
        mine(free(folder, check="static"))


@pytest.mark.parametrize("form", ["fe", "columns"])
def test_both_formats_are_read_back(folder, tmp_path, form):
    found = mine(free(folder, per_query=2))
    path = tmp_path / "out.jsonl"
    assert write_mined(found, path, form) == (3, 0)
    pairs = read_training_pairs(path)
    assert pairs.anchors == list(found.pairs.queries)
    assert pairs.negatives == [[found.pairs.corpus[row] for row in rows] for rows in found.mined.negatives]
    row = json.loads(path.read_text().splitlines()[0])
    if form == "fe":
        assert row["pos_scores"][0] == pytest.approx(found.mined.found.positive[0], abs=1e-6)
        assert sorted(row["neg_scores"], reverse=True) == row["neg_scores"]
    else:
        assert list(row) == ["anchor", "positive", "negative_1", "negative_2"]
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_pairs_with_too_few_negatives_are_left_out_and_counted(folder, tmp_path):
    found = mine(free(folder, per_query=5))
    assert write_mined(found, tmp_path / "a.jsonl") == (3, 0)
    assert write_mined(found, tmp_path / "b.jsonl", "columns") == (1, 2)  # two pairs have only four


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ([{"query": "", "pos": "a"}], CorpusError),
        ([{"query": "q", "pos": "a"}, {"query": "r", "pos": "a"}], CorpusError),
        ([{"query": "q"}], IsoglossError),
    ],
)
def test_data_that_give_nothing_are_said(tmp_path, rows, error):
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    with pytest.raises(error):
        mine(free(path))


def test_places_that_hold_nothing_are_said(folder, tmp_path):
    for place, split in ((tmp_path / "none", "train"), (folder, "dev")):
        with pytest.raises(IsoglossError):
            open_material(str(place), split=split, questions=5, seed=0, progress=Silent())


def ask(*arguments, data=False):
    """Run the command; return what it printed and noted."""
    parser = ArgumentParser()
    command.configure(parser)
    parser.set_defaults(seed=0, threads=None)
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err, form="json" if data else "text")
    assert command.run(parser.parse_args(list(arguments)), console) == 0
    return out.getvalue(), err.getvalue()


def test_the_command_prints_rules_and_examples_and_writes(folder, tmp_path):
    target = tmp_path / "mined.jsonl"
    out, err = ask("--on", str(folder), "--relative", "0", "--out", str(target), "--judge", str(tmp_path / "judge"))
    assert "labelled as right" in out
    assert "kept, drawn at random" in out
    assert "wrote 3 rows" in err
    assert len(read_training_pairs(target)) == 3
    told = json.loads(ask("--on", str(folder), "--relative", "0", data=True)[0])
    assert told["schema"] == "isogloss.mine/1"
    assert told["negatives"] == 9
    assert {one["rule"] for one in told["rules"]} >= {"rank", "equals the positive", "labelled as right"}
    assert len(told["examples"]["kept"]) == 9


@pytest.mark.parametrize("arguments", [["--ranks", "9-2"], ["--ranks", "x"], ["--out", "/nowhere/a"], ["--with", ""]])
def test_the_command_refuses_before_it_works(folder, arguments):
    with pytest.raises(UsageError):
        ask("--on", str(folder), *arguments)
