"""Arrays: CSR against SciPy, ragged arrays, similarities, top-k and the cost ledger."""

from __future__ import annotations

import contextlib
import threading

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isogloss.arrays import (
    CSR,
    Hits,
    Ragged,
    Similarity,
    charge,
    counting,
    normalise,
    pad_hits,
    ragged_take,
    top_k,
)

small = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=st.sampled_from([0, 0, 1, -2, 3])
)


@given(small)
def test_csr_is_scipys(dense):
    ours = CSR.fromcsr(scipy.sparse.csr_matrix(dense))
    np.testing.assert_array_equal(ours.tocsr().toarray(), dense)
    assert ours.shape == dense.shape
    assert len(ours) == len(dense)
    for i, row in enumerate(dense):
        columns, values = ours.row(i)
        np.testing.assert_array_equal(columns, np.flatnonzero(row))
        np.testing.assert_array_equal(values, row[row != 0])


@given(small, st.data())
def test_csr_takes_rows_in_any_order(dense, data):
    rows = np.array(data.draw(st.lists(st.integers(0, len(dense) - 1), max_size=8)), np.int64)
    ours = CSR.fromcsr(scipy.sparse.csr_matrix(dense)).take(rows)
    np.testing.assert_array_equal(ours.tocsr().toarray(), dense[rows])


def test_csr_sums_duplicates_and_takes_slices():
    matrix = scipy.sparse.coo_matrix(([1.0, 2.0, 4.0], ([0, 0, 2], [3, 3, 1])), shape=(3, 5))
    ours = CSR.fromcsr(matrix)
    assert ours.indices.tolist() == [3, 1]
    assert ours.values.tolist() == [3, 4]
    assert ours.take(slice(1, 3)).offsets.tolist() == [0, 0, 1]


def test_csr_allocates_nothing_by_width():
    one = CSR(np.array([0, 1]), np.array([2**62]), np.ones(1, np.float32), 2**63 - 1)
    assert one.take(np.array([0, 0])).indices.tolist() == [2**62] * 2


def test_ragged():
    ragged = Ragged.from_list([np.ones((2, 3)), np.zeros((0, 3)), np.full((1, 3), 2.0)])
    assert len(ragged) == 3
    assert [len(part) for part in ragged] == [2, 0, 1]
    assert ragged[-1].tolist() == [[2, 2, 2]]
    with pytest.raises(IndexError):
        ragged[3]
    assert len(Ragged.from_list([])) == 0


def test_ragged_take_by_hand():
    offsets, flat = ragged_take(np.array([0, 2, 2, 5]), np.array([2, 1, 0]))
    assert offsets.tolist() == [0, 3, 3, 5]
    assert flat.tolist() == [2, 3, 4, 0, 1]


@given(hnp.arrays(np.float32, (4, 3), elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_normalised_rows_have_length_one_or_zero(vectors):
    lengths = np.linalg.norm(normalise(vectors).astype(np.float64), axis=1)
    zero = np.linalg.norm(vectors.astype(np.float64), axis=1) < 1e-37
    np.testing.assert_allclose(lengths[~zero], 1, rtol=1e-5)


def test_similarities_by_hand():
    a, b = np.array([[3, 4]], np.float32), np.array([[4, 3], [0, 0]], np.float32)
    np.testing.assert_allclose(Similarity.COSINE(a, b), [[0.96, 0]], rtol=1e-6)
    assert Similarity.DOT(a, b).tolist() == [[24, 0]]
    sparse = [CSR.fromcsr(scipy.sparse.csr_matrix(one)) for one in (a, b)]
    assert Similarity.DOT(*sparse).tolist() == [[24, 0]]
    with pytest.raises(TypeError, match="hamming"):
        Similarity.HAMMING(a, b)
    with pytest.raises(TypeError, match="two dense or two sparse"):
        Similarity.DOT(a, sparse[0])


@given(
    hnp.arrays(np.float64, st.integers(0, 30), elements=st.sampled_from([0, 1, 2, -np.inf, np.inf, np.nan])),
    st.integers(0, 31),
)
def test_top_k_against_sorting(scores, k):
    usable = [i for i in range(len(scores)) if scores[i] > -np.inf]
    expected = sorted(usable, key=lambda i: (-scores[i], i))[:k]
    assert top_k(scores, k).tolist() == expected


def test_padded_hits():
    hits = pad_hits([(np.array([5]), np.array([0.5], np.float32)), (np.array([], int), np.array([], np.float32))], 2)
    assert isinstance(hits, Hits)
    assert len(hits) == 2
    assert hits.rows.tolist() == [[5, -1], [-1, -1]]
    assert hits.scores.tolist() == [[0.5, -np.inf], [-np.inf, -np.inf]]


def test_the_ledger_counts_inside_and_outside():
    charge(multiply_adds=1)  # nobody counts
    with counting() as outer:
        charge(multiply_adds=2, bytes_read=3)
        with counting() as inner:
            charge(random_reads=4, decode_steps=5)
    charge(multiply_adds=100)
    assert inner.to_dict() == {"multiply_adds": 0, "bytes_read": 0, "random_reads": 4, "decode_steps": 5}
    assert outer.to_dict() == {"multiply_adds": 2, "bytes_read": 3, "random_reads": 4, "decode_steps": 5}


def test_the_ledger_survives_an_error_and_is_its_threads_own():
    with counting() as outer:
        with contextlib.suppress(ZeroDivisionError), counting():
            charge(multiply_adds=7 // int(outer.bytes_read == 0))
            charge(multiply_adds=1 // outer.bytes_read)
        other = threading.Thread(target=lambda: charge(multiply_adds=50))
        other.start()
        other.join()
    assert outer.multiply_adds == 7


def test_similarity_of_hashed_columns():
    wide = 2**63 - 1
    a = CSR(np.array([0, 2]), np.array([5, 2**62]), np.array([2.0, 3.0], np.float32), wide)
    b = CSR(np.array([0, 1, 3]), np.array([2**62, 5, 7]), np.array([4.0, 1.0, 9.0], np.float32), wide)
    assert Similarity.DOT(a, b).tolist() == [[12.0, 2.0]]
