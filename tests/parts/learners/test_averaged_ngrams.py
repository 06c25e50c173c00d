"""The averaged n-gram classifier: features and one step by hand, learning, what is frozen stays."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.errors import NotFittedError, UsageError
from isogloss.learners.averaged_ngrams import AveragedNgrams
from isogloss.text.hashing import hash_term

GOOD, BAD = ["a fine good day", "good fine work"] * 20, ["a poor bad day", "bad poor work"] * 20
TEXTS, LABELS = GOOD + BAD, np.array([0] * 40 + [1] * 40)


@pytest.fixture(scope="module")
def model():
    return AveragedNgrams(epochs=10, seed=1).fit(TEXTS, LABELS)


def test_features_are_words_and_pairs(model):
    offsets, places = model.features(["fine day unseen", ""])
    keys = model.keys_[places]
    assert offsets.tolist() == [0, 2, 2]
    assert keys.tolist() == [hash_term("fine") >> 1, hash_term("day") >> 1]
    pairs = model.features(["day good", "fine good"])[0]
    assert np.diff(pairs).tolist() == [2, 3]  # "day good" never stood together


def test_scores_are_means_times_outputs(model):
    _, places = model.features(["a fine day"])
    expected = model.rows_[places].mean(0) @ model.outputs_.T
    np.testing.assert_allclose(model.scores(["a fine day"])[0], expected, atol=1e-6)
    assert not model.scores(["unseen"]).any()


def test_it_learns_and_order_of_words_counts_by_pairs(model):
    assert model.predict(["fine work", "poor work"]).tolist() == [0, 1]
    texts = ["not good bad"] * 30 + ["not bad good"] * 30
    labels = np.array([1] * 30 + [0] * 30)
    assert AveragedNgrams(ngrams=2, epochs=20).fit(texts, labels).predict(texts[29:31]).tolist() == [1, 0]
    words = AveragedNgrams(ngrams=1, epochs=20).fit(texts, labels).scores(texts[29:31])
    np.testing.assert_allclose(words[0], words[1], atol=1e-6)


def test_the_same_seed_gives_the_same_bits(model):
    again = AveragedNgrams(epochs=10, seed=1).fit(TEXTS, LABELS)
    assert (again.rows_ == model.rows_).all()
    assert not np.array_equal(AveragedNgrams(epochs=10, seed=2).fit(TEXTS, LABELS).rows_, model.rows_)


def test_learning_outputs_anew_leaves_the_rows(model):
    copy = model.with_rows(model.keys_, model.rows_ * 0.5)
    rows, outputs = copy.rows_.copy(), copy.outputs_.copy()
    copy.refit_outputs(TEXTS, LABELS)
    assert (copy.rows_ == rows).all()
    assert not np.array_equal(copy.outputs_, outputs)


def test_what_makes_no_sense_is_said():
    with pytest.raises(NotFittedError):
        AveragedNgrams().predict(["a"])
    with pytest.raises(UsageError, match="settings"):
        AveragedNgrams(dimensions=0)
    with pytest.raises(UsageError, match="do not match"):
        AveragedNgrams().fit(["a", "b"], np.array([0]))
