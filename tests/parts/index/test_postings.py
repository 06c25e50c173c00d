"""Posting segments: built by hand and at random, merged, stored and read back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import CSR
from isogloss.compiled import numba_available
from isogloss.errors import CorruptIndexError, UsageError
from isogloss.index import postings as module
from isogloss.index.postings import Postings, flags_of


def csr(documents, width=1000):
    """Make counts of lists of (term, count) dictionaries."""
    offsets = np.cumsum([0, *map(len, documents)]).astype(np.int64)
    items = [sorted(document.items()) for document in documents]
    terms = [term for document in items for term, _ in document]
    counts = [count for document in items for _, count in document]
    return CSR(offsets, np.array(terms, np.int64), np.array(counts, np.float32), width)


def same(a, b):
    for name, array in a.arrays().items():
        other = b.arrays()[name]
        assert array.dtype == other.dtype, name
        np.testing.assert_array_equal(array, other, err_msg=name)


DOCUMENTS = st.lists(st.dictionaries(st.integers(0, 12), st.integers(1, 400), max_size=6), max_size=12)


def test_a_segment_by_hand():
    segment = Postings.build(np.array([7, 3]), csr([{1: 2, 5: 1}, {5: 300}]))
    assert segment.rows.tolist() == [3, 7]
    assert segment.lengths.tolist() == [300, 3]
    assert segment.terms.tolist() == [1, 5]
    assert segment.offsets.tolist() == [0, 1, 3]
    assert segment.positions.tolist() == [1, 0, 1]
    assert segment.counts.tolist() == [2, 300, 1]
    assert segment.counts.dtype == np.uint16
    assert len(segment) == 2
    starts, stops = segment.find(np.array([0, 5, 9]))
    assert list(zip(starts.tolist(), stops.tolist(), strict=True))[1] == (1, 3)
    assert (stops - starts).tolist() == [0, 2, 0]


@pytest.mark.parametrize(("count", "kind"), [(255, "u1"), (256, "u2"), (65_536, "u4"), (2.0**33, "f4"), (0.5, "f4")])
def test_counts_take_the_smallest_type_that_holds_them(count, kind):
    segment = Postings.build(np.array([0]), csr([{1: 1, 2: count}]))
    assert segment.counts.dtype == np.dtype(kind)
    assert segment.counts.tolist() == [1, count]


def test_what_cannot_be_indexed_is_an_error():
    with pytest.raises(UsageError, match="2 row numbers for 1"):
        Postings.build(np.array([1, 2]), csr([{1: 1}]))
    with pytest.raises(UsageError, match="given twice"):
        Postings.build(np.array([1, 1]), csr([{1: 1}, {2: 1}]))
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(UsageError, match="positive finite"):
            Postings.build(np.array([1]), csr([{1: bad}]))


@given(DOCUMENTS, st.randoms(use_true_random=False), st.integers(1, 4))
def test_a_merge_equals_a_build_of_what_lives(documents, random, parts):
    rows = random.sample(range(40), len(documents))
    live = np.array([random.random() < 0.7 for _ in range(random.choice([40, 25]))], np.bool_)
    owner = [random.randrange(parts) for _ in documents]
    segments = []
    for part in range(parts):
        mine = [i for i, o in enumerate(owner) if o == part]
        segments.append(Postings.build(np.array([rows[i] for i in mine], np.int64), csr([documents[i] for i in mine])))
    kept = [i for i, row in enumerate(rows) if row < len(live) and live[row]]
    expected = Postings.build(np.array([rows[i] for i in kept], np.int64), csr([documents[i] for i in kept]))
    same(Postings.merge(segments, live), expected)


def test_merging_the_same_live_row_twice_is_an_error():
    segment = Postings.build(np.array([1]), csr([{1: 1}]))
    with pytest.raises(UsageError, match="same live row"):
        Postings.merge([segment, segment], np.ones(2, np.bool_))
    assert len(Postings.merge([segment, segment], np.zeros(2, np.bool_))) == 0
    assert len(Postings.merge([], np.ones(2, np.bool_))) == 0


@pytest.mark.skipif(not numba_available(), reason="Numba is not here")
@given(DOCUMENTS)
def test_the_kernel_equals_numpy(documents):
    counts = csr(documents)
    terms, numbers = np.unique(counts.indices, return_inverse=True)
    expected = module._inverted(counts.offsets, numbers.astype(np.int32), counts.values, len(terms))
    ours = module._scatter(counts.offsets, numbers.astype(np.int32), counts.values, expected[0])
    np.testing.assert_array_equal(ours[0], expected[1])
    np.testing.assert_array_equal(ours[1], expected[2])


def test_arrays_come_back_from_read_only_maps(tmp_path):
    segment = Postings.build(np.array([7, 3]), csr([{1: 2, 5: 1}, {5: 300}]))
    stored = {}
    for name, array in segment.arrays().items():
        assert array.dtype.byteorder in "<|="
        assert array.flags.c_contiguous
        array.tofile(tmp_path / name)
        stored[name] = np.memmap(tmp_path / name, array.dtype, "r")
    read = Postings.from_arrays(stored)
    same(read, segment)
    same(Postings.merge([read], np.ones(9, np.bool_)), segment)


def test_arrays_that_do_not_fit_are_an_error():
    arrays = Postings.build(np.array([7, 3]), csr([{1: 2, 5: 1}, {5: 300}])).arrays()
    with pytest.raises(CorruptIndexError, match="lacks counts"):
        Postings.from_arrays({name: array for name, array in arrays.items() if name != "counts"})
    for name in arrays:
        with pytest.raises(CorruptIndexError, match="do not fit"):
            Postings.from_arrays({**arrays, name: arrays[name][:-1]})


def test_flags_beyond_a_bitmap_are_false():
    assert flags_of(np.array([0, 5]), np.ones(3, np.bool_)).tolist() == [True, False]
    assert flags_of(np.zeros(0, np.int64), np.ones(3, np.bool_)).tolist() == []
