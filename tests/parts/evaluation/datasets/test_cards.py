"""Data cards: every one is whole, agrees with the files by its golden items, and loads."""

import os
from pathlib import Path

import numpy as np
import pytest

from isogloss.corpus.examples import LabelledTexts, ScoredPairs
from isogloss.corpus.judgements import TestCollection
from isogloss.errors import CorpusError, IsoglossWarning, UsageError
from isogloss.evaluation.datasets.card import card, names, parse_card
from isogloss.evaluation.datasets.forms import FORMS, locate
from isogloss.evaluation.datasets.items import content_sum, digest, golden_items, read_rows
from isogloss.evaluation.datasets.load import compare_sums, load, load_parts, part_files

NAMES = names()


def headless(known):
    return {
        file for view in known.views if not view.options.get("header", True) for part in view.parts
        for file in part_files(known, view, part)
    }  # fmt: skip


def test_there_is_a_card_for_every_folder_and_a_folder_for_every_card():
    root = os.environ.get("ISOGLOSS_DATA")
    if not root:
        pytest.skip("ISOGLOSS_DATA is not set: the real data sets are not here")
    assert sorted(one.name for one in Path(root).iterdir() if one.is_dir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_card_is_whole(name):
    known = card(name)
    listed = {file.path for file in known.files}
    assert known.name == name
    assert known.title
    assert known.licence
    assert known.source.startswith("https://")
    for view in known.views:
        assert view.form in FORMS
        assert view.main in view.parts
        assert not view.train or view.train in view.parts
        for part in view.parts:
            assert set(part_files(known, view, part)) <= listed
    assert all(
        nearness.split(":")[0] in ("same data", "same source", "same kind") for nearness in known.seen_by.values()
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_golden_items_of_a_card_are_those_of_the_files(data, name):
    known, folder = card(name), data(name)
    for file in known.files:
        rows, golden = golden_items(locate(folder, file.path), header=file.path not in headless(known))
        assert (file.path, rows, golden) == (file.path, file.rows, list(file.golden))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_sums_of_a_card_are_those_of_the_files(data, name):
    assert compare_sums(card(name), data(name)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_part_of_every_view_loads(data, name):
    data(name)
    for view in card(name).views:
        for part in view.parts:
            found = load(name, view.kind, f"{view.name}/{part}" if view.name and view.name not in part else part)
            assert found


SIZES = [
    ("sts-b", None, None, lambda x: len(x.scores), 1379),
    ("sts-b-multi", "sts", "fr.dev", lambda x: len(x.scores), 1500),
    ("banking77", None, "train", lambda x: len(x.texts), 10003),
    ("sst", None, "sst5", lambda x: (len(x.texts), len(x.names)), (2210, 5)),
    ("trec-questions", None, "fine/train", lambda x: (len(x.texts), len(x.names)), (5452, 50)),
    ("tatoeba", None, "deu-eng", lambda x: (len(x.source), x.languages), (1000, ("deu", "eng"))),
    ("pud-parallel", "bitext", None, lambda x: (len(x.source), x.languages), (1000, ("deu", "eng"))),
    ("bitext-mining", None, "rus", lambda x: sum(map(len, x.qrels.values())), 600),
    ("trecqa", None, None, lambda x: sum(map(len, x.texts)), 1517),
    ("quora-pairs", None, None, lambda x: int(x.labels.sum()), 1482),
    ("er-beer", None, None, lambda x: len(x.labels), 91),
    ("word-similarity", None, "ws-353-all", lambda x: len(x.left), 353),
    ("analogies-words", None, None, lambda x: len(x.rows), 19544),
    ("conll2003", None, None, lambda x: len(x.words), 3453),
    ("probing-ewt", None, "tree_depth.train", lambda x: len(x.texts), 2000),
    ("query-wellformedness", None, "train", lambda x: len(x.targets), 17500),
    ("xquad", None, "hi", lambda x: (len(x.documents), len(x.queries)), (240, 1190)),
    ("snli", "pairs", None, lambda x: len(x.negatives), 2954),
    ("brown", "text", None, len, 500),
    ("gutenberg", None, "dracula", lambda x: len(x[0].text) > 800_000, True),
    ("covid-faq", "retrieval", None, lambda x: sum(map(len, x.qrels.values())), 210),
    ("pud-parallel", "tagging", None, lambda x: len(x.words), 1000),
    ("heightceleb", None, None, len, 1251),
    ("seqrec-lastfm", "rows", None, len, 3646),
    ("ts-basicmotions", None, None, lambda x: x["x_train"].shape, (40, 6, 100)),
]


@pytest.mark.parametrize(("name", "kind", "part", "measure", "wanted"), SIZES, ids=lambda value: str(value)[:20])
def test_parts_have_the_sizes_that_their_folders_state(data, name, kind, part, measure, wanted):
    data(name)
    assert measure(load(name, kind, part)) == wanted


def test_loaded_kinds_are_what_tasks_take(data):
    assert isinstance(load("sts-b", folder=data("sts-b")), ScoredPairs)
    assert isinstance(load("cacm", folder=data("cacm")), TestCollection)
    parts = load_parts("trec-questions", view="fine")
    assert isinstance(parts["train"], LabelledTexts)
    assert parts["train"].names == parts["test"].names
    beer = load("er-beer").left[0]
    assert beer == "Bulleit Bourbon Barrel Aged G'Knight Oskar Blues Grill & Brew American Amber / Red Ale 8.70 %"


def test_missing_data_say_where_was_looked(monkeypatch, tmp_path):
    monkeypatch.delenv("ISOGLOSS_DATA", raising=False)
    with pytest.raises(CorpusError, match="ISOGLOSS_DATA is not set"):
        load("sts-b")
    monkeypatch.setenv("ISOGLOSS_DATA", str(tmp_path))
    with pytest.raises(CorpusError, match=f"looked for {tmp_path}/sts-b"):
        load("sts-b")
    with pytest.raises(CorpusError, match="there is no folder"):
        load("sts-b", folder=tmp_path / "none")
    (tmp_path / "sts-b").mkdir()
    with pytest.raises(CorpusError, match=r"has no test\.jsonl"):
        load("sts-b")


def test_wrong_names_propose_right_ones():
    with pytest.raises(UsageError, match="the nearest are sts-b"):
        card("stsb")
    with pytest.raises(UsageError, match="it serves sts"):
        load("sts-b", "retrieval")
    with pytest.raises(UsageError, match="it has train, dev, test"):
        load("sts-b", "sts", "valid")
    with pytest.raises(UsageError, match="has no part fine/none"):
        load("trec-questions", None, "fine/none", folder=".")
    for broken in ("name = ", 'name = "x"', 'name = "x"\nviews = [{ sort = "y" }]'):
        with pytest.raises(UsageError, match="a data card is broken"):
            parse_card(broken)


def test_changed_files_are_a_warning_with_both_sums_or_an_error(data, tmp_path):
    text = (data("sts-b") / "test.jsonl").read_text()
    (tmp_path / "test.jsonl").write_text(text.replace('"score": 2.5', '"score": 2.25', 1))
    ours = next(file.sha256 for file in card("sts-b").files if file.path == "test.jsonl")
    with pytest.warns(IsoglossWarning, match=f"the card has {ours}, the file [0-9a-f]{{64}}"):
        assert load("sts-b", folder=tmp_path).scores[0] == 2.25
    with pytest.raises(CorpusError, match=ours):
        load("sts-b", folder=tmp_path, verify=True)


def test_packing_changes_neither_sum_nor_items(data, tmp_path):
    import gzip

    (tmp_path / "test.jsonl.gz").write_bytes(gzip.compress((data("sts-b") / "test.jsonl").read_bytes()))
    same = load("sts-b", folder=tmp_path, verify=True)
    assert np.array_equal(same.scores, load("sts-b", folder=data("sts-b")).scores)


def test_golden_items_by_hand(tmp_path):
    lines = [f"line {number}" for number in range(12)]
    (tmp_path / "a.txt").write_text("\r\n".join(lines))
    rows, golden = golden_items(tmp_path / "a.txt")
    assert (rows, [(one.row, one.digest) for one in golden]) == (
        12,
        [(place + 1, digest(f"line {place}".encode())) for place in (0, 9, 11)],
    )
    (tmp_path / "a.tsv").write_text("id\tx\n1\ta\n2\tb\n")
    assert [one.row for one in golden_items(tmp_path / "a.tsv")[1]] == [1, 2]
    assert golden_items(tmp_path / "a.tsv", header=False)[0] == 3
    (tmp_path / "a.jsonl").write_text('{"_id": "k7"}\n')
    assert [one.id for one in golden_items(tmp_path / "a.jsonl")[1]] == ["k7"]
    np.savez(tmp_path / "a.npz", x=np.arange(20).reshape(10, 2), y=np.arange(3))
    assert golden_items(tmp_path / "a.npz")[0] == 10
    before = golden_items(tmp_path / "a.npz")[1]
    np.savez(tmp_path / "a.npz", x=np.arange(20).reshape(10, 2), y=np.arange(1, 4))
    assert [a == b for a, b in zip(before, golden_items(tmp_path / "a.npz")[1], strict=True)] == [False, False, True]
    assert content_sum(tmp_path / "a.tsv") == __import__("hashlib").sha256(b"id\tx\n1\ta\n2\tb\n").hexdigest()


def test_rows_that_do_not_fit_are_errors(tmp_path):
    for name, text in (("a.tsv", "a\tb\n1\n"), ("a.jsonl", "[1]\n"), ("b.jsonl", "{\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises(CorpusError, match="line"):
            list(read_rows(tmp_path / name))
