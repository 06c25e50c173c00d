"""GloVe: a step by hand, kernel and twin alike, planted counts that come out again."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.compiled import numba_available
from isogloss.errors import UsageError
from isogloss.learners.glove import Entries, Factors, Glove, factor_cells
from isogloss.learners.vocabulary_counts import count_words

WAYS = [False, pytest.param(True, marks=pytest.mark.skipif(not numba_available(), reason="Numba is not here"))]


def factors(words=3, width=3, seed=0):
    draw = np.random.default_rng(seed)
    made = [draw.normal(size=(words, width)).astype(np.float32) for _ in range(2)]
    return Factors(*made, *(np.ones((words, width), np.float32) for _ in range(2)))


def cells(*parts):
    return Entries(*(np.array(part, kind) for part, kind in zip(parts, "iiff", strict=True)))


@pytest.mark.parametrize("compiled", WAYS)
def test_a_step_by_hand(compiled):
    made = Factors(
        np.array([[1.0, 2.0, 0.5]], np.float32), np.array([[3.0, 0.0, 0.25]], np.float32),
        np.full((1, 3), 4.0, np.float32), np.ones((1, 3), np.float32),
    )  # fmt: skip
    factor_cells(made, cells([0], [0], [2.75], [0.5]), 0.1, compiled)
    # 1 * 3 + 2 * 0 + .5 + .25 - 2.75 = 1, weight .5; the last component is the bias, roots 2 and 1
    np.testing.assert_allclose(made.words, [[1 - 0.1 * 1.5 / 2, 2.0, 0.5 - 0.1 * 0.5 / 2]], rtol=1e-6)
    np.testing.assert_allclose(made.contexts, [[3 - 0.1 * 0.5, -0.1 * 1.0, 0.25 - 0.1 * 0.5]], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(made.word_squares, [[4 + 1.5**2, 4.0, 4 + 0.25]], rtol=1e-6)


@pytest.mark.skipif(not numba_available(), reason="Numba is not here")
def test_kernel_and_twin_agree():
    draw = np.random.default_rng(0)
    many = cells(draw.integers(0, 3, 100), draw.integers(0, 3, 100), draw.normal(size=100), draw.random(100))
    plain, fast = factors(), factors()
    factor_cells(plain, many, 0.05, False)
    factor_cells(fast, many, 0.05, True)
    for one, other in zip(plain, fast, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_products_come_to_the_logarithms():
    draw = np.random.default_rng(1)
    rows, columns = (part.ravel() for part in np.meshgrid(np.arange(8), np.arange(8)))
    true = (draw.normal(size=(8, 2)) @ draw.normal(size=(2, 8)))[rows, columns]
    made, every = factors(8, 5), cells(rows, columns, true, np.ones(64))
    for _ in range(2000):
        factor_cells(made, every, 0.05)
    found = np.einsum("ij,ij->i", made.words[rows][:, :-1], made.contexts[columns][:, :-1])
    np.testing.assert_allclose(found + made.words[rows, -1] + made.contexts[columns, -1], true, atol=0.05)


def test_neighbours_and_repetition():
    draw = np.random.default_rng(0)
    topics = [["cat", "dog", "mouse"], ["tax", "law", "court"]]
    corpus = count_words([["the", *draw.choice(topics[i % 2], 5).tolist()] for i in range(300)])
    first, again = (Glove(dimensions=6, epochs=60, window=5).fit(corpus, seed=1) for _ in range(2))
    assert (first.vectors == again.vectors).all()
    assert first.nearest("cat", 1)[0][0] in ("dog", "mouse")
    with pytest.raises(UsageError, match="nothing to learn"):
        Glove().fit(count_words(["a", "b"] * 9, min_count=1))
