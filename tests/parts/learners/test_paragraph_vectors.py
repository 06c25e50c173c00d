"""Paragraph vectors: planted topics, inference that leaves the rest alone and ignores other texts."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.arrays import normalise
from isogloss.errors import UsageError
from isogloss.learners.paragraph_vectors import ParagraphVectors
from isogloss.learners.vocabulary_counts import count_words

TOPICS = [["cat", "dog", "mouse", "horse", "tail"], ["tax", "law", "court", "judge", "fine"]]


def texts(n, seed):
    draw = np.random.default_rng(seed)
    return [" ".join(["the", *draw.choice(TOPICS[i % 2], 12), "of"]) for i in range(n)]


@pytest.mark.parametrize("mode", ["dbow", "dm"])
def test_texts_of_a_topic_come_near_and_so_do_new_ones(mode):
    made = ParagraphVectors(mode=mode, dimensions=12, epochs=30, sample=0.0).fit(count_words(texts(200, 0)), seed=1)
    rows, new = normalise(made.vectors), normalise(made.infer(texts(20, 9)))
    nearest = (new @ rows.T).argmax(1)
    assert (nearest % 2 == np.arange(20) % 2).mean() >= 0.95


@pytest.mark.parametrize("mode", ["dbow", "dm"])
def test_inference_is_alone_and_moves_nothing_else(mode):
    made = ParagraphVectors(mode=mode, dimensions=6, epochs=4).fit(count_words(texts(40, 0)))
    words, outputs = made.word_rows.copy(), made.outputs.copy()
    new = texts(5, 3)
    together = made.infer([*new, "xyz qqq", ""])
    assert (made.word_rows == words).all()
    assert (made.outputs == outputs).all()
    assert not together[5:].any()
    for i in (4, 0, 2):
        assert (made.infer([new[i]])[0] == together[i]).all()
    assert (made.infer([new[0]], seed=1)[0] != together[0]).any()
    assert made.word_rows.shape == ((len(made.words) if mode == "dm" else 0), 6)


def test_runs_repeat_and_errors_are_said():
    corpus = count_words(texts(40, 0))
    first, again = (ParagraphVectors(dimensions=6, epochs=2).fit(corpus, seed=3).vectors for _ in range(2))
    assert (first == again).all()
    with pytest.raises(UsageError, match="nothing to learn"):
        ParagraphVectors().fit(count_words(["one text of some words"], min_count=1))
    with pytest.raises(UsageError, match="make no sense"):
        ParagraphVectors(mode="cbow").fit(corpus)
