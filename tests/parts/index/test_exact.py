"""The exact index: hand values, brute force in float64 as the oracle, and equality of engines bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isogloss.arrays import CSR, Similarity, counting, normalise
from isogloss.errors import NonFiniteError, UsageError
from isogloss.index import engines, exact, scan, vnni_kernel
from isogloss.index.exact import Exact
from isogloss.index.segment import BLOCK, Chunk, make_segment

BOTH = [Similarity.COSINE, Similarity.DOT]
ENGINES = [engines.Float32(), engines.Int8(), engines.Int8(levels=64)]
NAMES = ["float32", "int8", "int8-64"]
if vnni_kernel.usable():
    ENGINES.append(engines.Vnni())
    NAMES.append("vnni")


def _vectors(count, width, seed=0):
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


def _full(index, queries, k):
    """The answer by ``score_all``, sorted here."""
    rows = np.full((len(queries), k), -1)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    for i, query in enumerate(queries):
        all_rows, all_scores = index.score_all(query)
        order = np.lexsort((all_rows, -all_scores))[:k]
        rows[i, : len(order)], scores[i, : len(order)] = all_rows[order], all_scores[order]
    return rows, scores


def _assert_full(index, queries, k, **options):
    hits = index.search(queries, k, **options)
    rows, scores = _full(index, queries, k)
    np.testing.assert_array_equal(hits.rows, rows)
    np.testing.assert_array_equal(hits.scores, scores)


def test_hand_values():
    vectors = np.array([[3, 4], [1, 0], [0, 0], [6, 8]], np.float32)
    rows = np.array([10, 4, 7, 2])
    cosine, dot = Exact(), Exact(similarity=Similarity.DOT)
    for index in (cosine, dot):
        index.add(rows, vectors)
    query = np.array([[1, 0]], np.float32)
    found = cosine.search(query, 5)
    assert found.rows.tolist() == [[4, 2, 10, 7, -1]]  # 2 and 10 tie at 0.6
    np.testing.assert_allclose(found.scores, [[1, 0.6, 0.6, 0, -np.inf]], rtol=1e-6)
    assert dot.search(query, 2).rows.tolist() == [[2, 10]]
    assert dot.search(query, 2).scores.tolist() == [[6, 3]]
    assert cosine.score_all(query)[0].tolist() == [2, 4, 7, 10]


@pytest.mark.parametrize("similarity", BOTH)
@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
@pytest.mark.parametrize(("count", "width"), [(1, 3), (31, 8), (1000, 5), (3001, 64), (500, 384)])
def test_every_engine_gives_the_full_answer(engine, similarity, count, width):
    index = Exact(similarity=similarity, engine=engine)
    index.add(
        np.arange(count)[::-1] * 3, _vectors(count, width) * np.linspace(0.1, 3, count, dtype=np.float32)[:, None]
    )
    _assert_full(index, _vectors(9, width, seed=1), 10)


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_the_answer_is_that_of_float64(engine):
    vectors, queries = _vectors(2000, 48), _vectors(20, 48, seed=1)
    index = Exact(engine=engine)
    index.add(np.arange(2000), vectors)
    truth = normalise(queries).astype(np.float64) @ normalise(vectors).astype(np.float64).T
    hits = index.search(queries, 10)
    np.testing.assert_array_equal(hits.rows, np.argsort(-truth, axis=1)[:, :10])
    np.testing.assert_allclose(hits.scores, -np.sort(-truth, axis=1)[:, :10], atol=1e-6)


def test_many_chunks_and_segments_and_threads_change_nothing():
    vectors, queries = _vectors(4000, 24), _vectors(600, 24, seed=1)
    live = np.ones(5000, bool)
    live[::7] = False
    rows = np.random.default_rng(2).permutation(5000)[:4000]
    expected = None
    for cuts in ([4000], [1, 33, 2000, 4000]):
        parts = [(rows[a:b], vectors[a:b]) for a, b in zip([0, *cuts[:-1]], cuts, strict=True)]
        for engine in ENGINES:
            for threads in (1, 3):
                index = Exact.from_segments(parts, live, engine=engine, threads=threads)
                hits = index.search(queries, 7)
                expected = expected or hits
                np.testing.assert_array_equal(hits.rows, expected.rows)
                np.testing.assert_array_equal(hits.scores, expected.scores)
    assert live[expected.rows].all()
    np.testing.assert_array_equal(expected.rows[:3], _full(index, queries[:3], 7)[0])
    hits, _ = scan.scan([(index._segments[-1], index._segments[-1].alive)], normalise(queries), 7, ENGINES[1], chunk=1)
    alone = Exact.from_segments(parts[-1:], live)
    np.testing.assert_array_equal([one[0] for one in hits], alone.search(queries, 7).rows)


numbers = st.floats(-4, 4, width=16) | st.sampled_from([0.0, 1.0, -1.0, 1e-30, 1e-40, 1e12, -1e12])


@given(st.data())
def test_any_numbers_give_the_full_answer(data):
    count, width = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 9))
    vectors = data.draw(hnp.arrays(np.float32, (count, width), elements=numbers))
    queries = data.draw(hnp.arrays(np.float32, (6, width), elements=numbers))
    rows = np.array(data.draw(st.lists(st.integers(0, 10**6), min_size=count, max_size=count, unique=True)))
    for similarity in BOTH:
        for engine in ENGINES:
            index = Exact(similarity=similarity, engine=engine)
            index.add(rows, vectors)
            _assert_full(index, queries, data.draw(st.integers(1, 80)))


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_tiny_vectors_tie_too(engine):
    """Squares of 1e-30 vanish in float32; a bound that is lost with them dropped the second of two equal rows."""
    index = Exact(similarity=Similarity.DOT, engine=engine)
    index.add(np.array([1, 0]), np.full((2, 2), 1e-30, np.float32))
    assert index.search(np.array([[1, -0.5]], np.float32), 1).rows.tolist() == [[0]]


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_duplicates_come_in_the_order_of_their_rows(engine):
    one = _vectors(1, 96)
    index = Exact(engine=engine)
    rows = np.random.default_rng(0).permutation(700)
    index.add(rows, np.repeat(one, 700, axis=0))
    assert index.search(np.repeat(one, 8, axis=0), 5).rows.tolist() == [[0, 1, 2, 3, 4]] * 8


def test_a_tie_in_a_later_chunk_goes_to_the_smaller_row():
    one = normalise(_vectors(1, 20))
    alive = np.ones(400, bool)
    segment = make_segment(np.arange(400)[::-1], np.repeat(one, 400, axis=0), alive, cosine=True)
    for engine in ENGINES:
        found, work = scan.scan([(segment, alive)], np.repeat(one, 5, axis=0), 3, engine, chunk=1)
        assert [rows.tolist() for rows, _ in found] == [[0, 1, 2]] * 5
        assert work.approximate == 400 * 5


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_a_score_depends_on_the_two_vectors_only(engine):
    vectors, queries = _vectors(900, 100), _vectors(30, 100, seed=1)
    index = Exact(engine=engine)
    index.add(np.arange(900), vectors)
    together = index.search(queries, 10)
    for i, query in enumerate(queries):
        alone = index.search(query, 10)
        np.testing.assert_array_equal(alone.scores[0], together.scores[i])
    small = Exact()
    small.add(together.rows[0], vectors[together.rows[0]])
    np.testing.assert_array_equal(small.search(queries[:1], 10).scores[0], together.scores[0])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_filters_act_before_k(engine, share):
    vectors, queries = _vectors(1500, 16), _vectors(8, 16, seed=1)
    allow = np.random.default_rng(3).random(1400) < share  # rows beyond the bitmap are not allowed
    index = Exact(engine=engine)
    index.add(np.arange(1500), vectors)
    hits = index.search(queries, 10, allow)
    only = Exact()
    only.add(np.flatnonzero(allow), vectors[:1400][allow])
    np.testing.assert_array_equal(hits.rows, only.search(queries, 10).rows)
    assert index.search(queries, 3, np.zeros(0, bool)).rows.tolist() == [[-1] * 3] * 8


def test_rows_survive_add_and_remove():
    vectors = _vectors(60, 8)
    index = Exact()
    index.add(np.arange(40) * 5, vectors[:40])
    index.remove(np.arange(10) * 5)
    index.add(np.array([0, 1000]), vectors[40:42])
    assert len(index) == 32
    assert index.search(vectors[41], 1).rows.tolist() == [[1000]]
    assert index.search(vectors[40], 1).rows.tolist() == [[0]]
    assert index.score_all(vectors[0])[0].tolist() == sorted([*range(50, 200, 5), 0, 1000])
    index.remove(index.score_all(vectors[0])[0])
    assert len(index) == 0
    assert index.search(vectors[:2], 2).rows.tolist() == [[-1, -1]] * 2


def test_added_vectors_are_copied():
    vectors = _vectors(3, 4)
    index = Exact()
    index.add(np.arange(3), vectors)
    before = index.score_all(vectors[0])[1]
    query = vectors[0].copy()
    vectors[:] = 9
    np.testing.assert_array_equal(index.score_all(query)[1], before)


def test_memory_maps_are_searched_in_place(tmp_path):
    vectors = _vectors(300, 12)
    vectors.tofile(tmp_path / "vectors")
    mapped = np.memmap(tmp_path / "vectors", np.float32, "r", shape=(300, 12))
    index = Exact.from_segments([(np.arange(300), mapped)], np.ones(300, bool))
    assert np.shares_memory(index._segments[0].vectors, mapped)
    assert index.search(vectors[17], 1).rows.tolist() == [[17]]


def test_empty():
    index = Exact()
    assert len(index) == 0
    assert index.search(np.ones((2, 3), np.float32), 2).rows.tolist() == [[-1, -1], [-1, -1]]
    assert [len(part) for part in index.score_all(np.ones(3, np.float32))] == [0, 0]
    index.add(np.zeros(0, int), np.zeros((0, 3), np.float32))
    index.add(np.arange(2), np.eye(2, 3, dtype=np.float32))
    assert index.search(np.zeros((0, 3), np.float32), 4).rows.shape == (0, 4)
    assert index.search(np.ones((2, 3), np.float32), 0).rows.shape == (2, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_are_refused(bad):
    vectors = _vectors(40, 3)
    vectors[33, 1] = bad
    index = Exact()
    with pytest.raises(NonFiniteError, match="row 66 "):
        index.add(np.arange(40) * 2, vectors)
    index.add(np.arange(33), vectors[:33])
    with pytest.raises(NonFiniteError, match="query"):
        index.search(vectors[33:34], 3)


def test_too_long_vectors_are_refused():
    index = Exact(similarity=Similarity.DOT)
    index.add(np.arange(1), np.full((1, 2), 1e20, np.float32))
    with pytest.raises(NonFiniteError, match="range of float32"):
        index.search(np.full((1, 2), 1e20, np.float32), 1)


def test_misuse_is_refused():
    index = Exact()
    index.add(np.arange(3), np.eye(3, dtype=np.float32))
    for rows in ([2], [5, 5], [-1]):
        with pytest.raises(UsageError, match="cannot be added"):
            index.add(np.array(rows), np.ones((len(rows), 3), np.float32))
    with pytest.raises(UsageError, match="row 9 is not"):
        index.remove(np.array([1, 9]))
    assert len(index) == 3
    with pytest.raises(UsageError, match="holds 3 dimensions"):
        index.search(np.ones((1, 4), np.float32), 1)
    with pytest.raises(UsageError, match="effort = 2"):
        index.search(np.ones((1, 3), np.float32), 1, effort=2)
    with pytest.raises(UsageError, match="dense vectors"):
        index.search(CSR(np.zeros(2, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32), 3), 1)
    with pytest.raises(UsageError, match="cannot compare by maxsim"):
        Exact(similarity=Similarity.MAXSIM)
    with pytest.raises(UsageError, match="takes one query"):
        index.score_all(np.ones((2, 3), np.float32))


@pytest.mark.parametrize("similarity", BOTH)
@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_the_bounds_hold_for_every_pair(engine, similarity):
    """The proof's premise: no true score lies further from the approximate one than the bound says."""
    vectors = _vectors(999, 40) * np.random.default_rng(5).lognormal(size=(999, 1)).astype(np.float32)
    segment = make_segment(np.arange(999), vectors, np.ones(999, bool), cosine=similarity is Similarity.COSINE)
    queries = _vectors(16, 40, seed=1)
    prepared, chunk = engine.prepare(queries), Chunk(segment, 0, 999, segment.alive)
    units, errors = engine.units(chunk, prepared)
    blocks = np.arange(999) // BLOCK
    rough = engine.scores(chunk, prepared) * units[blocks]
    true = queries.astype(np.float64) @ (vectors.astype(np.float64) * segment.factors[:, None]).T
    share = np.abs(rough - true.T) / errors[blocks]
    assert share.max() <= 1
    if engine.name != "float32":
        assert share.max() > 0.2  # and the bound is not idle


def test_less_effort_scores_fewer_rows_truly_and_loses_little():
    vectors, queries = normalise(_vectors(20_000, 64)), normalise(_vectors(64, 64, seed=1))
    index = Exact(engine=engines.Int8())
    index.add(np.arange(20_000), vectors)
    full, cost = index.search(queries, 10), []
    for effort in (1.0, 0.3, 0.05):
        with counting() as ledger:
            hits = index.search(queries, 10, effort=effort)
        cost.append(ledger.random_reads)
        recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(full.rows, hits.rows, strict=True)])
        assert recall >= (1.0 if effort == 1.0 else 0.95 if effort == 0.3 else 0.5)
    assert cost[0] > cost[1] > cost[2]


def test_the_ledger_is_charged():
    index = Exact(engine=engines.Int8())
    index.add(np.arange(1000), _vectors(1000, 32))
    with counting() as single:
        index.search(_vectors(2, 32), 5)
    assert (single.multiply_adds, single.bytes_read) == (2 * 1000 * 32, 2 * 1000 * 32 * 4)
    with counting() as bulk:
        index.search(_vectors(50, 32), 5)
    assert bulk.multiply_adds == (50 * 1000 + bulk.random_reads) * 32
    assert bulk.bytes_read == 1000 * 32 + bulk.random_reads * 32 * 4
    assert 50 * 5 <= bulk.random_reads < 50 * 1000


def test_the_probe_chooses_once_and_only_for_bulk_work(monkeypatch):
    calls = []
    monkeypatch.setattr(exact, "faster", lambda segment, count, compiled: calls.append(count) or engines.FLOAT32)
    monkeypatch.setattr(exact, "WORTHWHILE", 3000 * 8 * 100)
    index = Exact()
    index.add(np.arange(3000), _vectors(3000, 8))
    for _ in range(30):
        index.search(_vectors(1, 8), 1)
    assert calls == []
    index.search(_vectors(60, 8), 1)
    assert calls == []  # not yet worth it
    index.search(_vectors(60, 8), 1)
    assert calls == [60]


def test_the_probe_measures_and_remembers(monkeypatch):
    monkeypatch.setattr(engines, "_faster", {})
    segment = make_segment(np.arange(300), _vectors(300, 16), np.ones(300, bool), cosine=True)
    monkeypatch.setattr(engines, "_seconds", lambda engine, sample, queries: {"float32": 2.0, "int8": 1.0}[engine.name])
    assert engines.faster(segment, 100).name == "int8"
    monkeypatch.setattr(engines, "_seconds", lambda engine, sample, queries: {"float32": 1.0, "int8": 2.0}[engine.name])
    assert engines.faster(segment, 120).name == "int8"  # same dimensions, same power of two
    assert engines.faster(segment, 20).name == "float32"
    monkeypatch.undo()
    assert engines._seconds(engines.FLOAT32, segment, _vectors(4, 16)) > 0


def test_a_processor_that_saturates_gets_smaller_codes(monkeypatch):
    engines._safe_levels.cache_clear()
    monkeypatch.setattr(engines, "_multiply", lambda left, right: np.full((32, 32), 32767 * 32))
    assert engines._safe_levels() == 64
    engines._safe_levels.cache_clear()
    monkeypatch.undo()
    assert np.abs(engines.Int8(levels=64).prepare(_vectors(3, 8))[0]).max() == 64
