"""Counts of neighbours against loops, PPMI by hand, factors against scikit-learn's and NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import UsageError
from isogloss.learners import cooccurrence
from isogloss.learners.cooccurrence import PpmiSvd, cooccurrences, leading_factors, positive_information
from isogloss.learners.vocabulary_counts import count_words

sparse = pytest.importorskip("scipy.sparse")
WEIGHTS = {"even": lambda d, w: 1.0, "harmonic": lambda d, w: 1 / d, "linear": lambda d, w: (w + 1 - d) / w}


@given(
    st.lists(st.lists(st.sampled_from("abcd"), max_size=9), min_size=2, max_size=5),
    st.integers(1, 4),
    st.sampled_from(sorted(WEIGHTS)),
    st.sampled_from([3, 1000]),
)
def test_counts_are_those_of_loops(texts, window, weighting, piece):
    try:
        corpus = count_words(texts, min_count=1)
    except UsageError:
        return
    true = np.zeros((len(corpus.words), len(corpus.words)))
    for row in corpus.rows():
        for i in range(len(row)):
            for j in range(len(row)):
                if 0 < abs(i - j) <= window:
                    true[row[i], row[j]] += WEIGHTS[weighting](abs(i - j), window)
    before, cooccurrence.PIECE = cooccurrence.PIECE, piece
    try:
        found = cooccurrences(corpus, window, weighting)
    finally:
        cooccurrence.PIECE = before
    np.testing.assert_allclose(found.toarray(), true)


def test_information_by_hand():
    counts = sparse.csr_matrix(np.array([[0.0, 3.0], [3.0, 2.0]]))
    found = positive_information(counts, power=1.0).toarray()
    # log(3 * 8 / (3 * 5)) and log(2 * 8 / (5 * 5)), which is negative
    np.testing.assert_allclose(found, [[0, np.log(8 / 5)], [np.log(8 / 5), 0]])
    shifted = positive_information(counts, power=1.0, shift=0.4).toarray()
    np.testing.assert_allclose(shifted[0, 1], np.log(8 / 5) - 0.4)
    # contexts of 3 and 5 count their roots
    smoothed = positive_information(counts, power=0.5).toarray()
    np.testing.assert_allclose(smoothed[0, 1], np.log(3 * (3**0.5 + 5**0.5) / (3 * 5**0.5)))


def test_factors_are_those_of_scikit_learn_and_numpy():
    decomposition = pytest.importorskip("sklearn.decomposition")
    draw = np.random.default_rng(0)
    dense = draw.normal(size=(60, 8)) @ draw.normal(size=(8, 50)) + 0.01 * draw.normal(size=(60, 50))
    matrix = sparse.csr_matrix(dense)
    left, values = leading_factors(matrix, 5)
    np.testing.assert_allclose(values, np.linalg.svd(dense)[1][:5], rtol=1e-6)
    theirs = decomposition.TruncatedSVD(5, algorithm="arpack").fit(matrix)
    np.testing.assert_allclose(values, theirs.singular_values_, rtol=1e-6)
    np.testing.assert_allclose(np.abs(left * values), np.abs(theirs.transform(matrix)), atol=1e-5)
    np.testing.assert_allclose(left.T @ left, np.eye(5), atol=1e-9)
    assert (left[np.abs(left).argmax(0), np.arange(5)] > 0).all()


def test_words_with_the_same_neighbours_come_near():
    draw = np.random.default_rng(0)
    topics = [["cat", "dog", "mouse"], ["tax", "law", "court"]]
    texts = [["the", *draw.choice(topics[i % 2], 5).tolist()] for i in range(300)]
    table = PpmiSvd(dimensions=3).fit(count_words(texts))
    assert {near for near, _ in table.nearest("cat", 2)} == {"dog", "mouse"}


def test_too_many_dimensions_and_no_neighbours_are_errors():
    with pytest.raises(UsageError, match="too many dimensions"):
        PpmiSvd(dimensions=50).fit(count_words(["a b c", "b c a"] * 5))
    with pytest.raises(UsageError, match="nothing to learn"):
        PpmiSvd(dimensions=1).fit(count_words(["a", "b"] * 9, min_count=1))
