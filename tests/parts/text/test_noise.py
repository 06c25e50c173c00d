"""Spoken noise: sounds by hand, distances against a loop, draws after their probabilities, rates that are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.text.noise import SpokenSubstitution, word_error_rate
from isogloss.text.pronunciation import _NUMBER, _costs, phonemes, sound_distances

WORDS = ["night", "knight", "right", "write", "table", "cable", "sea", "see", "ship", "sheep", "house", "mouse"]


@pytest.mark.parametrize(
    ("one", "other"), [("night", "knight"), ("see", "sea"), ("write", "right"), ("their", "there")]
)
def test_words_that_sound_the_same(one, other):
    assert phonemes(one) != ()
    assert sound_distances(one, [other])[0] < 0.1


def slow(a, b):
    table = np.zeros((len(a) + 1, len(b) + 1))
    table[:, 0], table[0] = 0.7 * np.arange(len(a) + 1), 0.7 * np.arange(len(b) + 1)
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            swap = table[i - 1, j - 1] + _costs()[_NUMBER[x], _NUMBER[y]]
            table[i, j] = min(swap, table[i - 1, j] + 0.7, table[i, j - 1] + 0.7)
    return table[-1, -1] / max(len(a), len(b))


@given(st.lists(st.text("abcdefghiklmnorstuvwyz", min_size=1, max_size=9), min_size=2, max_size=6))
def test_distances_are_the_loop(words):
    word, *others = words
    if not phonemes(word):
        return
    expected = [slow(phonemes(word), phonemes(other)) if phonemes(other) else np.inf for other in others]
    np.testing.assert_allclose(sound_distances(word, others), expected)
    for other, distance in zip(others, expected, strict=True):
        if phonemes(other):
            assert sound_distances(other, [word])[0] == pytest.approx(distance)


def test_sounds_are_a_distance():
    costs = _costs()
    np.testing.assert_allclose(costs, costs.T)
    assert (np.diag(costs) == 0).all()
    assert costs.max() == 1
    assert costs[_NUMBER["t"], _NUMBER["d"]] < costs[_NUMBER["t"], _NUMBER["m"]] < costs[_NUMBER["t"], _NUMBER["u"]]


@pytest.fixture
def noise():
    return SpokenSubstitution(WORDS, np.random.default_rng(0).standard_normal((12, 4)) + 3, farthest=0.45)


def test_candidates_sound_alike_and_draws_follow_them(noise):
    stats = pytest.importorskip("scipy.stats")
    others, probabilities, distances = noise.candidates("night")
    assert others[0] == "knight"
    assert probabilities.sum() == pytest.approx(1)
    assert (np.diff(probabilities) <= 1e-12).all()
    assert (distances < 0.45).all()
    drawn = noise.corrupt(["night"] * 4000, rate=1.0)
    counts = [drawn.count(other) for other in others]
    assert sum(counts) == 4000
    assert stats.chisquare(counts, probabilities * 4000).pvalue > 0.001


def test_rates_and_what_stays(noise):
    texts = ["Night ship, table; unknownword!"] * 500
    assert noise.reachable(texts) == 0.75
    assert noise.corrupt(texts, rate=0.0) == texts
    for rate in (0.2, 1.0):
        after = noise.corrupt(texts, rate=rate, seed=1)
        assert abs(word_error_rate(texts, after) - 0.75 * rate) < 0.04
        assert all(one[0].isupper() and one.endswith("; unknownword!") for one in after)
    assert noise.corrupt(texts, 0.5, seed=2) == noise.corrupt(texts, 0.5, seed=2) != noise.corrupt(texts, 0.5, seed=3)


def test_chance_sounds_farther():
    vectors = np.random.default_rng(0).standard_normal((12, 4)) + 3
    by_chance = SpokenSubstitution(WORDS, vectors, by="chance")
    by_sound = SpokenSubstitution(WORDS, vectors, most=3)
    chance, sound = (one.candidates("night")[2].mean() for one in (by_chance, by_sound))
    assert sound < 0.8 * chance
    assert len(by_chance.candidates("night")[0]) == 11


def test_bad_input(noise):
    with pytest.raises(UsageError, match="rate"):
        noise.corrupt(["a"], rate=1.5)
    with pytest.raises(UsageError, match="vocabulary"):
        SpokenSubstitution(["a", "a"], np.ones((2, 2)))
    with pytest.raises(UsageError, match="replaced by"):
        SpokenSubstitution(["a", "b"], np.ones((2, 2)), by="luck")
    with pytest.raises(UsageError, match="numbers of words"):
        word_error_rate(["a b"], ["a"])
