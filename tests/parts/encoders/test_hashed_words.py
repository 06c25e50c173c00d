"""Words by hashes: sums of rows by hand, collisions as counted, equal in every process."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.encoders.hashed_words import HashedWordEncoder
from isogloss.errors import UsageError
from isogloss.text.word_features import feature_rows, shape_of, word_features


def test_a_word_is_the_sum_of_its_rows():
    tables = [np.arange(20, dtype=np.float32).reshape(10, 2), np.ones((5, 1), np.float32)]
    encoder = HashedWordEncoder(tables, features=("norm", "suffix"), hashes=3)
    rows = feature_rows(["heat"], 10, 3)[0]
    np.testing.assert_allclose(encoder.word_vectors(["Heat"])[0], [*tables[0][rows].sum(0), 3.0])
    two = encoder.encode(["Heat heat"])[0]
    np.testing.assert_allclose(two, encoder.encode(["heat"])[0], atol=1e-6)


def test_several_rows_keep_words_apart_where_one_does_not():
    words = [f"word{i}" for i in range(3000)]
    four, one = feature_rows(words, 500, 4), feature_rows(words, 500, 1)
    assert len(np.unique(np.sort(four, axis=1), axis=0)) > 2990  # 4.5 million pairs, about 6e10 / 24 sets
    assert len(np.unique(one)) <= 500
    counts = np.bincount(one.ravel(), minlength=500)
    assert counts.var() < 3 * counts.mean()  # near a Poisson law


def test_rows_are_the_same_everywhere():
    assert feature_rows(["heat", "", "Köln"], 1000, 2).tolist() == feature_rows(["heat", "", "Köln"], 1000, 2).tolist()
    assert feature_rows([], 10).shape == (0, 4)
    known = feature_rows(["heat"], 5000, 4)[0].tolist()
    assert known == EXPECTED


EXPECTED = [4574, 1697, 2154, 342]


@pytest.mark.parametrize(("word", "shape"), [("AAAAAA", "XXXX"), ("a", "x"), ("x-1", "x-d"), ("", ""), ("東京", "xx")])
def test_shapes(word, shape):
    assert shape_of(word) == shape
    assert word_features([word])["prefix"][0] == word[:1]


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="do not belong together"):
        HashedWordEncoder([np.ones((2, 2))], features=("colour",))
    with pytest.raises(UsageError, match="do not belong together"):
        HashedWordEncoder([np.ones((2, 2))])
