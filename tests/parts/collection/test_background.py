"""Invariants: like pairs are left out; percentiles rise with the score and stay within 0 and 100."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isogloss.collection.background import LEVELS, levels, percentile, question_of, sample_numbers


def test_own_pairs_are_left_out() -> None:
    numbers = np.arange(40)
    scores = np.full((40, 40), 0.25, np.float32)
    np.fill_diagonal(scores, 0.9)
    assert set(levels(scores, numbers, numbers)) == {0.25}


def test_too_few_texts_say_nothing() -> None:
    numbers = np.arange(19)
    assert levels(np.eye(19, dtype=np.float32), numbers, numbers) == []


def test_percentiles_of_a_known_background() -> None:
    numbers = np.arange(200)
    scores = np.random.default_rng(0).uniform(0, 1, (200, 200)).astype(np.float32)
    known = levels(scores, numbers, numbers)
    assert percentile(0.5, known) in (50.0, 51.0)
    assert percentile(2.0, known) == 100.0
    assert percentile(-1.0, known) == 0.0


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=2))
def test_percentiles_rise_with_the_score(pair: list[float]) -> None:
    known = list(np.linspace(-0.2, 0.6, len(LEVELS)))
    low, high = (percentile(score, known) for score in sorted(pair))
    assert low is not None
    assert high is not None
    assert 0 <= low <= high <= 100


def test_questions_and_samples() -> None:
    assert question_of(" ".join(map(str, range(30)))) == " ".join(map(str, range(18, 30)))
    numbers = np.arange(1000, dtype=np.int64)
    sample = sample_numbers(numbers)
    assert (np.diff(sample) > 0).all()
    assert len(sample) == 256
    assert (sample == sample_numbers(numbers)).all()
