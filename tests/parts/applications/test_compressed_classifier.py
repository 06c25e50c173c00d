"""The compressed classifier: what is kept by hand, codes near their rows, bytes as counted, equal after loading."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.applications.compressed_classifier import CompressedClassifier, compressed, kept_features
from isogloss.errors import UsageError
from isogloss.learners.averaged_ngrams import AveragedNgrams

RNG = np.random.default_rng(0)
TEXTS = [" ".join(f"{'ab'[i % 2]}{n}" for n in RNG.integers(0, 60, 8)) for i in range(150)]
LABELS = np.arange(150) % 2


@pytest.fixture(scope="module")
def model():
    return AveragedNgrams(dimensions=4, epochs=10).fit(TEXTS, LABELS)


def test_kept_features_by_hand():
    model = AveragedNgrams(dimensions=2, ngrams=1, epochs=1).fit(["a b", "c d", "a c"], np.array([0, 1, 1]))
    words = [model.features([word])[1][0] for word in "abcd"]
    model.rows_[words] = [[4, 0], [9, 0], [3, 0], [2, 0]]
    assert kept_features(model, ["a b", "c d", "a c"], 2, "norm").tolist() == sorted([words[0], words[1]])
    assert kept_features(model, ["a b", "c d", "a c"], 2).tolist() == sorted([words[1], words[2]])
    assert len(kept_features(model, ["a b"], 3)) == 3


def test_few_bytes_and_nearly_the_same_answers(model):
    small = compressed(model, TEXTS, LABELS, features=400)
    assert small.nbytes == 400 * (8 + 2 + 1) + 2 * 256 * 2 * 4 + 256 * 4 + 2 * 4 * 4
    assert (small.predict(TEXTS) == LABELS).mean() > 0.95


def test_lengths_apart_make_rows_nearer(model):
    kept = kept_features(model, TEXTS, 400)
    rows = model.rows_[kept] * np.where(np.arange(len(kept)) % 10, 0.01, 10)[:, None]
    uneven = model.with_rows(model.keys_[kept], rows.astype(np.float32))

    def error(apart):
        coded = compressed(uneven, TEXTS, LABELS, features=400, retrain=False, lengths_apart=apart).model.rows_
        return np.median(np.linalg.norm(coded - uneven.rows_, axis=1) / np.linalg.norm(uneven.rows_, axis=1))

    assert error(apart=True) < 0.8 * error(apart=False)


def test_what_is_saved_predicts_the_same(model, tmp_path):
    small = compressed(model, TEXTS, LABELS, features=300)
    small.save(tmp_path / "model.safetensors")
    back = CompressedClassifier.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(back.model.scores(TEXTS), small.model.scores(TEXTS))
    assert (tmp_path / "model.safetensors").stat().st_size < small.nbytes + 1024


def test_too_few_features_are_refused(model):
    with pytest.raises(UsageError, match="256"):
        compressed(model, TEXTS, LABELS, features=100)
