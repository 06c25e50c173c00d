"""Learning from a folder: every method gives a model that loads, runs repeat, nothing is half-written."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isogloss.encoders.names import load_encoder
from isogloss.errors import CorpusError, UsageError
from isogloss.learners.word_vectors import load_text
from isogloss.workflows import learning
from isogloss.workflows.learning import METHODS, Plan, learn_static, weights_of

TOPICS = [["cat", "dog", "mouse", "horse", "tail", "fur"], ["tax", "law", "court", "judge", "fine", "appeal"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    draw = np.random.default_rng(0)
    place = tmp_path_factory.mktemp("documents")
    for i in range(120):
        lines = [" ".join(["the", *draw.choice(TOPICS[i % 2], 9), "of"]) + "." for _ in range(4)]
        (place / f"{i}.txt").write_text("\n".join(lines), "utf-8")
    return place


@pytest.mark.parametrize("method", [method for method in METHODS if method != "distil"])
def test_every_method_gives_a_model_that_tells_topics_apart(method, folder, tmp_path):
    epochs = {"glove": 60, "ppmi": None}.get(method, 15)
    report = learn_static(folder, tmp_path / "model", Plan(method=method, dimensions=8, epochs=epochs))
    model = load_encoder(str(tmp_path / "model"))
    pet, other, law = model.encode(["a dog and its tail", "the horse", "judge of the court"])
    assert pet @ other > pet @ law + 0.3
    assert report.documents == 120
    assert report.words == 120 * 4 * 11
    assert report.dimensions == model.dimensions == 8
    assert report.known == 1.0
    assert json.loads((tmp_path / "model" / "learning.json").read_text("utf-8"))["plan"]["method"] == method


def test_runs_repeat_byte_for_byte_and_replace_an_older_model(folder, tmp_path):
    plan = Plan(method="skip-gram", dimensions=6, epochs=2, seed=5)
    files = []
    for name in ("one", "two", "one"):
        learn_static(folder, tmp_path / name, plan)
        files.append((tmp_path / name / "model.safetensors").read_bytes())
    assert files[0] == files[1] == files[2]
    learn_static(folder, tmp_path / "one", Plan(method="skip-gram", dimensions=6, epochs=2, seed=6))
    assert (tmp_path / "one" / "model.safetensors").read_bytes() != files[0]


def test_unknown_words_have_vectors_from_their_letters(folder, tmp_path):
    learn_static(folder, tmp_path / "model", Plan(method="subword", dimensions=8, epochs=15))
    pet, unseen, law = load_encoder(str(tmp_path / "model")).encode(["horse", "horses", "court"])
    assert pet @ unseen > pet @ law
    learn_static(folder, tmp_path / "plain", Plan(dimensions=8))
    assert not load_encoder(str(tmp_path / "plain")).encode(["horses"]).any()


def test_vectors_are_exported_and_dimensions_capped(folder, tmp_path):
    report = learn_static(folder, tmp_path / "model", Plan(dimensions=500), export=tmp_path / "vectors.txt")
    table = load_text(tmp_path / "vectors.txt")
    assert set(table.words) == {"the", "of", *TOPICS[0], *TOPICS[1]}
    assert report.dimensions == 14
    assert "not 500" in " ".join(report.notes)


def test_weights_by_hand():
    np.testing.assert_allclose(weights_of(np.array([9, 1]), 0.1), [0.1 / 1.0, 0.1 / 0.2])


def test_errors_come_before_work_and_leave_nothing(folder, tmp_path, monkeypatch):
    empty, out = tmp_path / "empty", tmp_path / "model"
    empty.mkdir()
    (empty / "blank.txt").write_text(" \n", "utf-8")
    with pytest.raises(UsageError, match="no method 'magic'"):
        learn_static(folder, out, Plan(method="magic"))
    with pytest.raises(CorpusError, match="no text to learn from"):
        learn_static(empty, out, Plan())
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine", "utf-8")
    with pytest.raises(UsageError, match="is not a model"):
        learn_static(folder, other, Plan())

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(learning, "encoder_of", stop)
    with pytest.raises(KeyboardInterrupt):
        learn_static(folder, out, Plan(dimensions=4))
    assert not out.exists()


@pytest.mark.slow
def test_a_model_is_fitted_to_minilm(minilm, folder, tmp_path):
    report = learn_static(folder, tmp_path / "model", Plan(method="distil", dimensions=16, budget=20))
    model = load_encoder(str(tmp_path / "model"))
    pet, other, law = model.encode(["a dog and its tail", "the horse", "judge of the court"])
    assert pet @ other > pet @ law
    assert report.dimensions == 16
