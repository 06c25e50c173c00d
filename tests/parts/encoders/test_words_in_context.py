"""Words in their sentences: the tokens that spell them, and the mean of their states over contexts."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import Ragged
from isogloss.encoders.names import load_encoder
from isogloss.encoders.words_in_context import mean_in_context, occurrences
from isogloss.errors import CorpusError, UsageError
from isogloss.text.words import words


def letters(texts):
    """One token a character, its state the character's number and place."""
    states = [np.array([[ord(char), i] for i, char in enumerate(text)], float).reshape(-1, 2) for text in texts]
    spans = [np.array([[i, i + 1] for i in range(len(text))], np.int64).reshape(-1, 2) for text in texts]
    return Ragged.from_list(states), Ragged.from_list(spans)


def test_a_cut_word_and_the_marks_are_no_occurrence():
    tokens = np.array([[0, 0], [0, 3], [4, 6], [6, 9], [0, 0]])  # 'henpeck' ends at 11
    rows = {"the": 3, "henpeck": 1}
    found = occurrences(["The henpeck", ""], Ragged.from_list([tokens, np.zeros((0, 2), np.int64)]), rows)
    assert found.places.values.tolist() == [-1, 0, -1, -1, -1]
    assert found.words.tolist() == [3]
    tokens[3, 1] = 11
    found = occurrences(["The henpeck"], Ragged.from_list([tokens]), rows)
    assert found.places.values.tolist() == [-1, 0, 1, 1, -1]


def test_the_mean_is_over_tokens_first_and_then_over_occurrences():
    vectors, counts = mean_in_context(letters, ["ab a", "a"], ["a", "ab"])
    np.testing.assert_allclose(vectors, [[97, 1.5], [97.5, 0.5]])
    assert counts.tolist() == [2, 1]


@given(st.lists(st.text("ab é", max_size=12), min_size=1, max_size=8), st.integers(1, 5))
def test_batches_change_nothing_and_every_word_counts(texts, batch):
    known = sorted({word for text in texts for word, _, _ in words(text)})
    if not known:
        with pytest.raises(CorpusError, match="none of the words"):
            mean_in_context(letters, texts, ["a"])
        return
    vectors, counts = mean_in_context(letters, texts, known, batch=batch)
    np.testing.assert_allclose(vectors, mean_in_context(letters, texts, known)[0], rtol=1e-6)
    assert counts.sum() == sum(len(words(text)) for text in texts)


def test_a_models_words_are_means_of_its_states(minilm):
    encoder, texts = load_encoder(str(minilm)), ["The hedgehogs sleep.", "Two hedgehogs."]
    vectors, counts = mean_in_context(partial(encoder.states, layers=[-1]), texts, ["hedgehogs", "two"])
    states, spans = encoder.states(texts, [-1])
    means = []
    for number, (start, stop) in enumerate(((4, 13), (4, 13))):
        inside = (spans[number][:, 0] >= start) & (spans[number][:, 1] <= stop) & (spans[number][:, 1] > 0)
        means.append(states[number][inside, 0].mean(0))
    np.testing.assert_allclose(vectors[0], np.mean(means, 0), atol=1e-5)
    assert counts.tolist() == [2, 1]


def test_what_does_not_belong_together_is_said():
    with pytest.raises(UsageError, match="1 texts, 0 rows"):
        occurrences(["a"], Ragged.from_list([]), {})
    with pytest.raises(UsageError, match="twice"):
        mean_in_context(letters, ["a"], ["a", "a"])
