"""A run learns, proves on held-out rows, goes on where it was broken, and writes one folder or nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from isogloss.encoders.names import load_encoder
from isogloss.errors import IncompatibleError, UsageError
from isogloss.protocols import Silent
from isogloss.workflows.training.dry_run import planned
from isogloss.workflows.training.mixing import Mixture, merge_models
from isogloss.workflows.training.run import run_training
from isogloss.workflows.training.settings import from_command

torch = pytest.importorskip("torch")
FAST = ["learning_rate=0.01", "batch_size=32", "precision=fp32"]


def settings(pairs, tiny, *more):
    return from_command(str(pairs), str(tiny), None, [*FAST, *more])


@pytest.fixture(scope="module")
def trained(tmp_path_factory, rows, tiny):
    folder = tmp_path_factory.mktemp("trained")
    pairs = folder / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = run_training(settings(pairs, tiny, "steps=60"), str(folder / "model"), threads=1, progress=Silent())
    return pairs, folder / "model", made


def test_training_gains_on_rows_that_it_never_saw(trained):
    _, folder, made = trained
    value, low, high = made.own.gain()
    assert low > 0.05
    assert low < value < high
    assert made.own.base == "base"
    assert made.facts["steps"] == 60
    card = (folder / "README.md").read_text()
    assert f"{made.own.comparison.score('trained').value:.3f}".lstrip("0") in card
    record = json.loads((folder / "training.json").read_text())
    assert record["settings"]["stages"][0]["steps"] == 60
    assert not list(folder.parent.glob(".*"))


def test_the_folder_gives_the_vectors_that_were_measured(trained):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    _, folder, _ = trained
    texts = ["the red cat", "what is dog old ?"]
    own = load_encoder(str(folder)).encode(texts)
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu").encode(texts)
    np.testing.assert_allclose(own, theirs, atol=1e-5)


def test_a_broken_run_goes_on_and_ends_with_the_same_bits(trained, tmp_path, tiny, monkeypatch):
    from isogloss.training import loop

    pairs, whole, _ = trained
    moved = []

    def breaks(*arguments, **options):
        moved.append(1)
        if len(moved) == 41:
            raise KeyboardInterrupt
        return loop_move(*arguments, **options)

    loop_move = loop.move
    monkeypatch.setattr(loop, "move", breaks)
    asked = settings(pairs, tiny, "steps=60")
    with pytest.raises(KeyboardInterrupt):
        run_training(asked, str(tmp_path / "m"), threads=1, progress=Silent())
    assert not (tmp_path / "m").exists()
    monkeypatch.setattr(loop, "move", loop_move)
    run_training(asked, str(tmp_path / "m"), threads=1, progress=Silent())
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_place_that_is_no_model_is_left_alone(trained, tmp_path, tiny):
    pairs, _, _ = trained
    (tmp_path / "precious.txt").write_text("keep")
    with pytest.raises(UsageError, match="not a model"):
        run_training(settings(pairs, tiny, "steps=2"), str(tmp_path), threads=1, progress=Silent())
    assert (tmp_path / "precious.txt").read_text() == "keep"


def test_a_dry_run_measures_and_writes_nothing(trained, tmp_path, tiny):
    pairs, _, _ = trained
    plan = planned(settings(pairs, tiny, "steps=30"), 1)
    assert plan["stages"][0]["steps"] == 30
    assert plan["stages"][0]["seconds"] > 0
    assert plan["stages"][0]["memory"] > 0
    assert plan["objectives"] == ["in-batch"]


def test_a_merge_searches_the_share_and_proves_it_elsewhere(trained, tmp_path, tiny):
    pairs, folder, _ = trained
    mixture = Mixture((str(tiny), str(folder)))
    made = merge_models(
        mixture, str(pairs), str(tmp_path / "mix"), split_name="train", seed=0, threads=1, progress=Silent()
    )
    assert sum(made.weights.values()) == pytest.approx(1)
    best = max(made.tried, key=lambda one: one["score"])
    assert list(made.weights.values()) == pytest.approx(best["weights"])
    assert made.own.gain()[1] > 0
    with pytest.raises(UsageError, match="which shares"):
        merge_models(mixture, "", str(tmp_path / "x"), split_name="train", seed=0, threads=1, progress=Silent())


def test_rows_that_a_model_has_learned_from_judge_it_only_under_the_seed_that_held_some_out(trained, tmp_path, tiny):
    pairs, folder, _ = trained
    made = tmp_path / "mix"
    mixture = Mixture((str(tiny), str(folder)))
    with pytest.raises(UsageError, match="split by seed 0"):
        merge_models(mixture, str(pairs), str(made), split_name="train", seed=1, threads=1, progress=Silent())
    with pytest.raises(UsageError, match="split by seed 0"):
        run_training(replace(settings(pairs, folder, "steps=2"), seed=3), str(made), threads=1, progress=Silent())
    assert not made.exists()
    merge_models(replace(mixture, share=0.5), "", str(made), split_name="train", seed=1, threads=1, progress=Silent())
    own, mixed = (json.loads((one / "training.json").read_text())["facts"]["learned_from"] for one in (folder, made))
    assert mixed == own
    assert [(one["name"], one["seed"]) for one in own] == [("pairs.jsonl", 0)]


def test_models_of_unlike_shape_are_refused(trained, tmp_path, minilm, tiny):
    with pytest.raises(IncompatibleError):
        merge_models(
            Mixture((str(tiny), str(minilm)), share=0.5), "", str(tmp_path / "x"), split_name="train", seed=0,
            threads=1, progress=Silent(),
        )  # fmt: skip
    assert not (tmp_path / "x").exists()


def test_an_unknown_objective_is_refused_before_anything_is_written(trained, tmp_path, tiny):
    pairs, _, _ = trained
    for objective, match in (("nonsense", "no objective"), ("cosent", "does not learn from these rows")):
        with pytest.raises(UsageError, match=match):
            run_training(
                settings(pairs, tiny, f"objective={objective}"), str(tmp_path / "m"), threads=1, progress=Silent()
            )
    assert list(tmp_path.iterdir()) == []
