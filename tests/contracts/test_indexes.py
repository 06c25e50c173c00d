"""What every index promises."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.arrays import CSR, Ragged, counting, ragged_take
from isogloss.errors import IsoglossError

ROWS = np.random.default_rng(9).permutation(400)[:150] * 1000 + 7


def _take(vectors, rows):
    if isinstance(vectors, CSR):
        return vectors.take(rows if isinstance(rows, slice) else np.asarray(rows))
    if isinstance(vectors, Ragged):
        offsets, flat = ragged_take(vectors.offsets, np.arange(len(vectors))[rows])
        return Ragged(vectors.values[flat], offsets)
    return vectors[rows]


def _full(index, query, k, positive):
    """The best ``k`` by ``score_all``, ties by rising row."""
    rows, scores = index.score_all(query)
    if positive:
        rows, scores = rows[scores > 0], scores[scores > 0]
    order = np.lexsort((rows, -scores))[:k]
    pad = k - len(order)
    return [*rows[order].tolist(), *[-1] * pad], [*scores[order].tolist(), *[-np.inf] * pad]


def _assert_full(part, index, queries, k, **options):
    hits = index.search(queries, k, **options)
    assert hits.rows.shape == hits.scores.shape == (len(queries), k)
    assert (hits.rows.dtype, hits.scores.dtype) == (np.int64, np.float32)
    for i in range(len(queries)):
        rows, scores = _full(index, _take(queries, [i]), k, part.positive)
        assert hits.rows[i].tolist() == rows
        assert hits.scores[i].tolist() == scores


@pytest.fixture
def filled(index):
    made = index.make()
    made.add(ROWS, index.vectors(len(ROWS), 0))
    return made


def test_full_effort_is_score_all(index, filled):
    rows, scores = filled.score_all(index.vectors(1, 1))
    assert rows.tolist() == sorted(ROWS)
    assert scores.dtype == np.float32
    for k in (1, 10, len(ROWS), len(ROWS) + 5):
        _assert_full(index, filled, index.vectors(7, 1), k, effort=1.0)


def test_a_query_alone_is_the_query_among_others(index, filled):
    queries = index.vectors(20, 2)
    together = filled.search(queries, 5)
    for i in range(20):
        alone = filled.search(_take(queries, [i]), 5)
        assert alone.rows[0].tolist() == together.rows[i].tolist()
        assert alone.scores[0].tolist() == together.scores[i].tolist()


def test_rows_survive_add_and_remove(index, filled):
    vectors = index.vectors(len(ROWS), 0)
    filled.remove(ROWS[:60])
    assert len(filled) == len(ROWS) - 60
    assert not set(filled.search(index.vectors(5, 3), 100).rows.ravel()) & set(ROWS[:60])
    filled.add(ROWS[:20], _take(vectors, slice(0, 20)))
    fresh = index.make()
    kept = np.r_[0:20, 60 : len(ROWS)]
    fresh.add(ROWS[kept], _take(vectors, kept))
    queries = index.vectors(6, 4)
    found, expected = filled.search(queries, 30), fresh.search(queries, 30)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_the_way_of_adding_does_not_matter(index):
    vectors, queries = index.vectors(90, 5), index.vectors(4, 6)
    rows = ROWS[:90]
    once, often = index.make(), index.make()
    once.add(rows, vectors)
    for part in np.array_split(np.random.default_rng(1).permutation(90), 12):
        often.add(rows[part], _take(vectors, part))
    np.testing.assert_array_equal(once.search(queries, 20).rows, often.search(queries, 20).rows)
    np.testing.assert_array_equal(once.search(queries, 20).scores, often.search(queries, 20).scores)


def test_duplicates_and_ties_come_by_row(index):
    made, one = index.make(), index.vectors(1, 11)
    rows = np.array([50, 3, 41, 7, 12])
    made.add(rows, _take(one, [0] * 5))
    made.add(np.array([90]), index.vectors(1, 12))
    assert made.search(one, 4).rows.tolist() == [[3, 7, 12, 41]]


def test_a_filter_acts_before_k(index, filled):
    queries = index.vectors(6, 7)
    for share in (0.5, 0.02):
        allow = np.random.default_rng(2).random(int(ROWS.max()) - 5000) < share
        hits = filled.search(queries, 8, allow)
        for i in range(len(queries)):
            rows, scores = filled.score_all(_take(queries, [i]))
            usable = np.array([row < len(allow) and bool(allow[row]) for row in rows])
            if index.positive:
                usable &= scores > 0
            order = np.lexsort((rows[usable], -scores[usable]))[:8]
            expected = rows[usable][order].tolist()
            assert hits.rows[i].tolist() == expected + [-1] * (8 - len(expected))
    assert (filled.search(queries, 3, np.zeros(10**6, bool)).rows == -1).all()


def test_an_empty_index_answers(index):
    made, queries = index.make(), index.vectors(3, 8)
    assert len(made) == 0
    assert made.search(queries, 4).rows.tolist() == [[-1] * 4] * 3
    assert np.isneginf(made.search(queries, 4).scores).all()
    rows, scores = made.score_all(index.vectors(1, 8))
    assert len(rows) == len(scores) == 0
    made.add(ROWS[:0], index.vectors(0, 0))
    assert len(made) == 0


def test_no_queries_and_no_places(index, filled):
    assert filled.search(index.vectors(0, 0), 3).rows.shape == (0, 3)
    assert filled.search(index.vectors(2, 0), 0).rows.shape == (2, 0)


def test_removing_everything_empties_it(index, filled):
    filled.remove(ROWS)
    assert len(filled) == 0
    assert (filled.search(index.vectors(2, 1), 2).rows == -1).all()


def test_unknown_and_repeated_rows_are_refused(index, filled):
    with pytest.raises(IsoglossError):
        filled.remove(np.array([ROWS[0], 999_999_999]))
    with pytest.raises(IsoglossError):
        filled.add(ROWS[:1], index.vectors(1, 0))
    with pytest.raises(IsoglossError):
        filled.add(np.array([5, 5]), index.vectors(2, 0))
    assert len(filled) == len(ROWS)


def test_the_ledger_grows_with_the_work(index, filled):
    with counting() as one:
        filled.search(index.vectors(1, 1), 3)
    with counting() as many:
        filled.search(index.vectors(9, 1), 3)
    assert 0 < one.bytes_read <= many.bytes_read
    assert one.multiply_adds < many.multiply_adds
