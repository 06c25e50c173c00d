"""BM25: by hand, beside bm25s, and the same whatever segments, deletions, merges, reloads and engine."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import CSR, Hits, counting, top_k
from isogloss.compiled import numba_available
from isogloss.encoders.lexical import WordEncoder
from isogloss.errors import UsageError
from isogloss.index import inverted as module
from isogloss.index import inverted_bulk
from isogloss.index.inverted import Inverted
from isogloss.index.postings import Postings

needs_numba = pytest.mark.skipif(not numba_available(), reason="Numba is not here")


def csr(documents, width=1000):
    offsets = np.cumsum([0, *map(len, documents)]).astype(np.int64)
    items = [sorted(document.items()) for document in documents]
    terms = [term for document in items for term, _ in document]
    counts = [count for document in items for _, count in document]
    return CSR(offsets, np.array(terms, np.int64), np.array(counts, np.float32), width)


def random_counts(seed, n, terms=60, longest=12):
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        words = np.minimum(draw.zipf(1.3, draw.integers(0, longest)), terms)
        found.append({int(word): int((words == word).sum()) for word in np.unique(words)})
    return found


def index_of(documents, rows=None, **options):
    index = Inverted(**options)
    index.add(np.arange(len(documents)) if rows is None else np.asarray(rows), csr(documents))
    return index


def equal_hits(a, b):
    np.testing.assert_array_equal(a.rows, b.rows)
    np.testing.assert_array_equal(a.scores, b.scores)


@pytest.mark.parametrize("variant", ["lucene", "robertson"])
def test_a_score_by_hand(variant):
    index = index_of([{1: 2, 2: 1}, {2: 4}, {3: 1}, {4: 2}], k1=1.2, b=0.75, variant=variant)
    rows, scores = index.score_all(csr([{1: 1, 2: 3}]))
    average, plus = 10 / 4, 1 if variant == "lucene" else 0

    def part(tf, length, df):
        idf = max(0, math.log(plus + (4 - df + 0.5) / (df + 0.5)))
        return idf * tf / (tf + 1.2 * (0.25 + 0.75 * length / average))

    expected = [part(2, 3, 1) + 3 * part(1, 3, 2), 3 * part(4, 4, 2), 0, 0]
    assert rows.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    hits = index.search(csr([{1: 1, 2: 3}]), 3)
    found = [i for i in (0, 1) if expected[i] > 0]
    assert hits.rows.tolist() == [sorted(found, key=lambda i: -expected[i]) + [-1] * (3 - len(found))]


@pytest.mark.parametrize("method", ["lucene", "robertson"])
def test_scores_equal_those_of_bm25s(method):
    bm25s = pytest.importorskip("bm25s")
    documents, queries = random_counts(1, 400), random_counts(2, 50, longest=6)
    lists = [[str(t) for t, n in document.items() for _ in range(n)] for document in documents]
    rival = bm25s.BM25(k1=1.5, b=0.75, method=method)
    rival.index(lists, show_progress=False)
    index = index_of(documents, k1=1.5, b=0.75, variant=method)
    for query in queries:
        words = [str(t) for t, n in query.items() for _ in range(n) if str(t) in rival.vocab_dict]
        expected = rival.get_scores(words) if words else np.zeros(400)
        np.testing.assert_allclose(index.score_all(csr([query]))[1], expected, atol=1e-5)


@pytest.mark.parametrize("method", ["lucene", "robertson"])
def test_texts_score_as_in_bm25s_given_the_same_words(method):
    bm25s = pytest.importorskip("bm25s")
    texts = ["Heat flows from hot to cold.", "The café was hot, hot, hot!", "大熊猫 lives in the cold", "a", ""] * 3
    encoder = WordEncoder(language="en", variant=method)
    rival = bm25s.BM25(k1=encoder.k1, b=encoder.b, method=method)
    rival.index([[word for word, _, _ in encoder.words(text)] for text in texts], show_progress=False)
    index = Inverted(k1=encoder.k1, b=encoder.b, variant=encoder.variant)
    index.add(np.arange(len(texts)), encoder.encode(texts))
    for query in ("hot hot cafe", "熊猫 the cold", "flowing heat"):
        expected = rival.get_scores([word for word, _, _ in encoder.words(query)])
        np.testing.assert_allclose(index.score_all(encoder.encode(query))[1], expected, atol=1e-5)


def test_full_search_equals_score_all():
    index = index_of(random_counts(3, 300))
    for query in random_counts(4, 30):
        rows, scores = index.score_all(csr([query]))
        best = top_k(np.where(scores > 0, scores, -np.inf), 300)
        hits = index.search(csr([query]), 300)
        assert hits.rows[0, : len(best)].tolist() == rows[best].tolist()
        assert hits.scores[0, : len(best)].tolist() == scores[best].tolist()
        assert (hits.rows[0, len(best) :] == -1).all()


@given(st.integers(0, 10**6), st.integers(1, 5), st.booleans())
def test_scores_depend_on_live_documents_only(seed, parts, shuffled):
    draw = np.random.default_rng(seed)
    documents = random_counts(seed, 40)
    rows = draw.permutation(60)[:40] if shuffled else np.sort(draw.permutation(60)[:40])
    cuts = np.array_split(np.arange(40), parts)
    index = Inverted()
    for cut in cuts:
        index.add(rows[cut], csr([documents[i] for i in cut]))
    gone = draw.permutation(40)[: draw.integers(0, 40)]
    index.remove(rows[gone])
    stay = np.setdiff1d(np.arange(40), gone)
    fresh = index_of([documents[i] for i in stay], rows[stay])
    live = np.zeros(60, np.bool_)
    live[rows[stay]] = True
    segments = [Postings.build(rows[cut], csr([documents[i] for i in cut])) for cut in cuts]
    stored = Inverted.from_segments(segments, live)
    merged = Inverted.from_segments([Postings.merge(segments, live)], live)
    queries = csr(random_counts(seed + 1, 6, longest=5))
    allow = draw.random(50) < 0.6
    warm = Inverted.from_segments(segments, live)
    warm._asked = module.WARM
    for other in (index, stored, merged, warm):
        assert len(other) == len(fresh) == len(stay)
        equal_hits(other.search(queries, 7), fresh.search(queries, 7))
        equal_hits(other.search(queries, 7, allow), fresh.search(queries, 7, allow))
        for i in range(len(queries)):
            for a, b in zip(
                other.score_all(queries.take(slice(i, i + 1))),
                fresh.score_all(queries.take(slice(i, i + 1))),
                strict=True,
            ):
                np.testing.assert_array_equal(a, b)


def test_an_index_that_is_asked_often_gets_ready():
    index, queries = index_of(random_counts(3, 300)), csr(random_counts(4, module.WARM))
    cold = index.search(queries, 20)
    assert "_ready" not in index.__dict__
    warm = index.search(queries, 20)
    assert "_ready" in index.__dict__
    equal_hits(cold, warm)
    index.remove(np.array([7]))
    assert "_ready" not in index.__dict__


def test_a_row_may_come_back_with_another_text():
    index = index_of([{1: 1}, {2: 1}])
    index.remove(np.array([0]))
    index.add(np.array([0]), csr([{2: 5}]))
    assert index.search(csr([{1: 1}]), 2).rows.tolist() == [[-1, -1]]
    assert sorted(index.search(csr([{2: 1}]), 2).rows[0].tolist()) == [0, 1]


def test_many_small_additions_are_merged():
    documents = random_counts(5, 100)
    index = Inverted()
    for i, document in enumerate(documents):
        index.add(np.array([i]), csr([document]))
        if i % 10 == 9:
            index.remove(np.array([i - 5]))
    assert len(index._segments) <= module.SEGMENTS + 1
    stay = [i for i in range(100) if i % 10 != 4]
    queries = csr(random_counts(6, 20))
    equal_hits(index.search(queries, 9), index_of([documents[i] for i in stay], stay).search(queries, 9))


@needs_numba
@given(st.integers(0, 10**6), st.integers(1, 40), st.booleans(), st.integers(1, 3))
def test_the_kernel_equals_numpy_to_the_bit(seed, k, dense, threads):
    draw = np.random.default_rng(seed)
    # few words give many ties; many documents for few words touched take the other branch
    documents = random_counts(seed, 200, terms=3 if dense else 400)
    index = index_of(documents, np.sort(draw.permutation(400)[:200]), threads=threads)
    queries = csr(random_counts(seed + 1, 130, terms=3 if dense else 500, longest=4))
    for allow in (None, draw.random(300) < 0.5):
        equal_hits(index._search_many(queries, k, allow), index.search(queries, k, allow))


@needs_numba
@pytest.mark.parametrize("threads", [1, 2])
def test_the_kernel_equals_numpy_over_several_blocks(threads):
    draw = np.random.default_rng(9)
    n = 2 * inverted_bulk.BLOCK + 700
    # words 0-2 are frequent (kept as one weight a document), the others rare; word 40 stands in the last document only
    chances = np.array([0.9, 0.5, 0.2, *0.1 / np.arange(1, 38)])
    documents = [
        {int(word): int(draw.integers(1, 4)) for word in np.flatnonzero(draw.random(40) < chances)} for _ in range(n)
    ]
    documents[-1][40] = 1
    index = index_of(documents, threads=threads)
    queries = csr(
        [{int(w): 1 for w in draw.permutation(41)[: draw.integers(1, 6)]} for _ in range(300)] + [{40: 1, 0: 2}]
    )
    assert (index._ready.dense_of >= 0).sum() == 3
    for k in (1, 10, 300):
        equal_hits(index._search_many(queries, k, None), index_by_numpy(index, queries, k))
    allow = draw.random(n) < 0.01
    equal_hits(index._search_many(queries, 10, allow), index_by_numpy(index, queries, 10, allow))


def index_by_numpy(index, queries, k, allow=None):
    parts = [index.search(queries.take(slice(i, i + 1)), k, allow) for i in range(len(queries))]
    return Hits(np.concatenate([part.rows for part in parts]), np.concatenate([part.scores for part in parts]))


@needs_numba
def test_many_queries_take_the_kernel(monkeypatch):
    import numba  # noqa: F401 - the kernel is used where Numba is loaded

    index, queries = index_of(random_counts(7, 300)), csr(random_counts(8, module.FEW_QUERIES))
    expected = [index.search(queries.take(slice(i, i + 1)), 5) for i in range(len(queries))]
    calls = []
    real = module.search_many
    monkeypatch.setattr(module, "search_many", lambda *args: calls.append(1) or real(*args))
    hits = index.search(queries, 5)
    assert calls == [1]
    for i, one in enumerate(expected):
        assert hits.rows[i].tolist() == one.rows[0].tolist()
        assert hits.scores[i].tolist() == one.scores[0].tolist()
    index.search(queries.take(slice(0, 5)), 5)
    index.search(queries, inverted_bulk.MOST + 1)
    assert calls == [1]


def test_empty_things():
    index = Inverted()
    assert len(index) == 0
    assert index.search(csr([{1: 1}]), 3).rows.tolist() == [[-1, -1, -1]]
    assert index.search(csr([]), 3).rows.shape == (0, 3)
    assert [len(part) for part in index.score_all(csr([{1: 1}]))] == [0, 0]
    index.add(np.zeros(0, np.int64), csr([]))
    index.add(np.array([4]), csr([{}]))
    assert len(index) == 1
    assert index.search(csr([{1: 1}, {}]), 1).rows.tolist() == [[-1], [-1]]
    index.remove(np.array([4]))
    assert len(index) == 0
    assert index.search(csr([{1: 1}]), 0).rows.shape == (1, 0)
    assert len(Inverted.from_segments([], np.zeros(0, np.bool_))) == 0


def test_misuse_is_an_error():
    index = index_of([{1: 1}])
    for wrong in ({"k1": -1.0}, {"b": 1.5}, {"k1": math.nan}, {"variant": "plus"}):
        with pytest.raises(UsageError):
            Inverted(**wrong)
    with pytest.raises(UsageError, match="row number is taken"):
        index.add(np.array([0]), csr([{1: 1}]))
    with pytest.raises(UsageError, match="1 of 2"):
        index.remove(np.array([0, 9]))
    assert len(index) == 1
    with pytest.raises(UsageError, match="sparse counts"):
        index.search(np.ones((1, 4), np.float32), 1)
    with pytest.raises(UsageError, match="effort"):
        index.search(csr([{1: 1}]), 1, effort=0)
    with pytest.raises(UsageError, match="one query"):
        index.score_all(csr([{1: 1}, {1: 1}]))
    segment = Postings.build(np.array([0]), csr([{1: 1}]))
    with pytest.raises(UsageError, match="same live row"):
        Inverted.from_segments([segment, segment], np.ones(1, np.bool_))


def test_the_ledger_counts_postings():
    index = index_of([{1: 1, 2: 1}, {2: 1}, {2: 2}])
    with counting() as ledger:
        index.search(csr([{1: 1, 2: 1}]), 1)
    assert ledger.multiply_adds == 2 * 4
    assert ledger.bytes_read == 5 * 4
    assert ledger.random_reads == 2
