"""isogloss train, distill and merge as a user runs them: results on stdout, clear errors, nothing half-written."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch")
_WORDS = "red green blue dark pale old new tall small round flat soft"
WORDS = _WORDS.split()
_THINGS = "cat dog house tree river stone bread lamp ship horse road field cloud chair glass knife drum rope"
THINGS = _THINGS.split()


@pytest.fixture
def files(place):
    rows = [(f"what is {thing} {word}", f"the {word} {thing}") for word in WORDS for thing in THINGS]
    lines = [json.dumps({"query": query, "pos": [text]}) for query, text in rows]
    (place / "pairs.jsonl").write_text("\n".join(lines))
    (place / "scored.tsv").write_text(
        "a\tb\tscore\n" + "".join(f"{a}\t{b}\t{i % 5}\n" for i, (a, b) in enumerate(rows))
    )
    (place / "labelled.tsv").write_text(
        "a\tb\tlabel\n" + "".join(f"{a}\t{b}\t{i % 2}\n" for i, (a, b) in enumerate(rows))
    )
    classes = "".join(f"{text}\t{text.split()[1]}\n" for _, text in rows)
    (place / "classes.tsv").write_text("text\tlabel\n" + classes)
    (place / "texts.txt").write_text("".join(f"{text}\n" for _, text in rows))
    return place


@pytest.fixture
def small(minilm, tmp_path):
    """MiniLM's first layer alone: a real tokenizer and real weights, quick to train."""
    from isogloss.training.models import keep_layers, load_trainable
    from isogloss.training.saving import save_trainable

    return str(save_trainable(keep_layers(load_trainable(minilm), [0]), tmp_path / "small"))


@pytest.mark.parametrize("rows", ["pairs.jsonl", "scored.tsv", "labelled.tsv", "classes.tsv", "texts.txt"])
def test_every_kind_of_rows_trains_with_the_objective_that_fits(files, small, run, rows):
    more = ["--set", "steps=2", "--set", "batch_size=16", "--no-merge", "--threads", "1", "--json"]
    done = run("train", "--on", rows, "--base", small, "--out", "made", *more)
    assert done.code == 0, done.err
    content = done.json
    assert content["schema"] == "isogloss.train/1"
    assert content["facts"]["steps"] == 2
    names = [one["name"] for one in content["results"]]
    assert names[-1] == "general probe set"
    assert (rows == "texts.txt") == (len(names) == 1)
    assert (files / "made" / "model.safetensors").is_file()
    assert not list(files.glob(".made*"))


def test_a_config_file_runs_its_stages(files, small, run):
    (files / "config.toml").write_text(
        f'base = "{small}"\nout = "staged"\nmerge = false\non = "pairs.jsonl"\nsteps = 2\nbatch_size = 16\n[[stage]]\n'
        '[[stage]]\non = "scored.tsv"\nobjective = "angle"\nsteps = 3\n'
    )
    done = run("train", "config.toml", "--json", "--threads", "1")
    assert done.code == 0, done.err
    assert done.json["facts"]["objectives"] == ["in-batch", "angle"]
    assert done.json["facts"]["steps"] == 5  # what stands at the top holds where a stage says nothing else
    assert run("train", "config.toml", "--budget", "3s").code == 2


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["train"], "what shall it learn from"),
        (["train", "--on", "pairs.jsonl"], "where shall the model go"),
        (["train", "--on", "none.jsonl", "--out", "m"], "nothing to train on"),
        (["train", "--on", "pairs.jsonl", "--out", "m", "--set", "stepz=3"], "no setting 'stepz'"),
        (["train", "--on", "pairs.jsonl", "--out", "m", "--set", "steps=0"], "cannot be 0"),
        (["train", "--on", "pairs.jsonl", "--out", "m", "--base", "no-such-model"], "no-such-model"),
        (["train", "no-such-recipe", "--on", "pairs.jsonl", "--out", "m"], "no-such-recipe"),
        (["distill", "minilm", "--to", "nothing", "--on", ".", "--out", "m"], "nothing is distilled to"),
        (["distill", "minilm", "--to", "dim=128", "--on", "no-such-folder", "--out", "m"], "nothing at"),
        (["distill", "minilm", "--to", "static", "--on", "few.txt", "--out", "m"], "at least"),
        (["merge", "minilm", "--out", "m", "--share", "0.5"], "one model cannot be mixed"),
        (["merge", "minilm", "minilm", "--out", "m"], "which shares"),
        (["merge", "minilm", "minilm", "--out", "m", "--share", "2"], "not possible"),
        (["merge", "minilm", "minilm", "--out", "m", "--share", "0.5", "--by", "ties"], "trained from"),
    ],
)
def test_what_is_wrong_is_said_in_three_lines(files, run, arguments, what):
    (files / "few.txt").write_text("one sentence of words\n")
    done = run(*arguments)
    assert done.code in (1, 2, 4)
    assert what in done.err
    assert done.err.count("error:") == 1
    assert not (files / "m").exists()
    assert not list(files.glob(".m*"))


def test_distilling_to_fewer_dimensions_and_layers(files, small, run):
    for goal, dimensions in (("dim=32", 32), ("static=16", 16)):
        more = ["--on", "texts.txt", "--out", goal, "--budget", "20s", "--threads", "1", "--json"]
        done = run("distill", small, "--to", goal, *more)
        assert done.code == 0, done.err
        assert {one["name"] for one in done.json["results"]} == {"own sentences", "general probe set"}
        from isogloss.encoders.names import load_encoder

        assert load_encoder(str(files / goal)).encode(["the red cat"]).shape == (1, dimensions)


def test_a_missing_torch_is_no_bug_but_an_extra_to_install():
    from isogloss.cli.main import _explain
    from isogloss.errors import MissingExtraError

    said = _explain(ModuleNotFoundError("No module named 'torch'", name="torch"))
    assert isinstance(said, MissingExtraError)
    assert "isogloss[train]" in said.fix
    assert "bug" in _explain(ModuleNotFoundError("No module named 'nonsense'", name="nonsense")).why


def test_a_recipe_that_tunes_is_made_from_the_command(files, small, run):
    more = ["--set", "steps=2", "--set", "batch_size=16", "--set", "learning_rate=1e-3", "--threads", "1", "--json"]
    done = run("train", "e5", "--on", "pairs.jsonl", "--base", small, "--out", "made", *more)
    assert done.code == 0, done.err
    own, general = done.json["results"]
    assert (own["name"], general["name"]) == ("your data: pairs.jsonl", "general probe set")
    assert general["gain"][0] != 0  # the base was not changed along with it
    assert (files / "made" / "model.safetensors").is_file()


def test_what_cannot_be_written_says_so_before_the_long_part(files, small, run):
    more = ["--set", "steps=100000", "--set", "batch_size=4", "--threads", "1"]
    done = run("train", "promcse", "--on", "pairs.jsonl", "--base", small, "--out", "made", *more)
    assert done.code == 2
    assert "cannot be written as a model folder" in done.err
    assert not (files / "made").exists()
