"""The eight-bit kernel against integer products in NumPy, its twin; the layout by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isogloss.index import engines, vnni_kernel
from isogloss.index.segment import Chunk, make_segment


def needs_vnni(test):
    """Keep a test only where the processor has the instructions: elsewhere the engine is never offered."""
    return test if vnni_kernel.usable() else None


def _codes(count, queries, width, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, 256, (count, width), dtype=np.uint8),
        rng.integers(-127, 128, (queries, width)).astype(np.int8),
    )


def test_the_layout_by_hand():
    codes = np.arange(33 * 5, dtype=np.uint8).reshape(33, 5)
    packed = vnni_kernel.pack(codes)
    assert packed.shape == (2, 2, 2, 16, 4)
    assert packed[0, 0, 0, 3].tolist() == codes[3, :4].tolist()  # block 0, first 16 rows, dimensions 0 to 3, row 3
    assert packed[0, 1, 1, 2].tolist() == [codes[18, 4], 0, 0, 0]
    assert packed[1, 0, 0, 0].tolist() == codes[32, :4].tolist()
    assert packed[1, 0, 0, 1:].sum() == 0
    assert vnni_kernel.pack_queries(np.ones((13, 5), np.int8)).sum(1).tolist() == [5] * 13 + [0] * 11


@needs_vnni
@given(st.integers(1, 70), st.integers(1, 30), st.integers(1, 21), st.integers(0, 9))
def test_products_are_those_of_numpy(count, queries, width, seed):
    rows, asked = _codes(count, queries, width, seed)
    out = vnni_kernel.all_scores(vnni_kernel.pack(rows), vnni_kernel.pack_queries(asked))
    np.testing.assert_array_equal(out[:count, :queries], rows.astype(np.int32) @ asked.astype(np.int32).T)


@needs_vnni
def test_the_greatest_products_do_not_saturate():
    rows, asked = np.full((32, 384), 255, np.uint8), np.full((12, 384), -127, np.int8)
    out = vnni_kernel.all_scores(vnni_kernel.pack(rows), vnni_kernel.pack_queries(asked))
    assert (out == -255 * 127 * 384).all()


@needs_vnni
def test_pairs_that_reach_their_bound_and_no_others():
    rows, asked = _codes(500, 40, 16)
    packed, queries = vnni_kernel.pack(rows), vnni_kernel.pack_queries(asked)
    products = np.zeros((512, 48), np.int32)
    products[:500, :40] = rows.astype(np.int32) @ asked.astype(np.int32).T
    # one product of each query is its bound exactly, so that >= and > differ
    least = np.repeat(products[np.arange(48) * 7 % 500, np.arange(48)][None], 16, axis=0)
    positions, numbers, scores = vnni_kernel.reaching(packed, queries, least)
    expected = np.argwhere(products >= least[np.arange(512) // 32])
    found = sorted([position, number] for position, number in zip(positions.tolist(), numbers.tolist(), strict=True))
    assert found == expected.tolist()
    assert 40 < len(found) < products.size
    np.testing.assert_array_equal(scores, products[positions, numbers])


@needs_vnni
def test_more_pairs_than_a_buffer_holds():
    rows, asked = _codes(4096, 60, 8)
    least = np.full((128, 60), np.iinfo(np.int32).min, np.int32)
    positions, numbers, _ = vnni_kernel.reaching(vnni_kernel.pack(rows), vnni_kernel.pack_queries(asked), least)
    assert len(positions) == 4096 * 60
    assert len(np.unique(positions * 60 + numbers)) == len(positions)


@needs_vnni
def test_the_engine_is_the_onnx_engine():
    vectors = np.random.default_rng(0).standard_normal((777, 50)).astype(np.float32)
    segment = make_segment(np.arange(777), vectors, np.ones(777, bool), cosine=True)
    ours, theirs = engines.Vnni(), engines.Int8(levels=127)
    for start, stop in ((0, 777), (64, 320)):
        chunk = Chunk(segment, start, stop, segment.alive[start:stop])
        left = ours.scores(chunk, ours.prepare(vectors[:30]))
        right = theirs.scores(chunk, theirs.prepare(vectors[:30]))
        np.testing.assert_array_equal(left, right)


def test_another_instruction_set_may_be_asked_for(monkeypatch):
    import numba

    vnni_kernel._has_vnni.cache_clear()
    monkeypatch.setattr(numba.config, "CPU_NAME", "haswell")
    assert not vnni_kernel._has_vnni()
    vnni_kernel._has_vnni.cache_clear()


def test_it_is_offered_only_where_it_runs(monkeypatch):
    seen = []
    monkeypatch.setattr(engines, "_faster", {})
    monkeypatch.setattr(engines, "_seconds", lambda engine, sample, queries: seen.append(engine.name) or 1.0)
    vectors = np.random.default_rng(0).standard_normal((64, 8)).astype(np.float32)
    segment = make_segment(np.arange(64), vectors, np.ones(64, bool), cosine=True)
    for usable, compiled in ((True, True), (False, True), (True, False)):
        monkeypatch.setattr(vnni_kernel, "usable", lambda usable=usable: usable)
        engines._faster.clear()
        engines.faster(segment, 20, compiled=compiled)
    assert seen == ["float32", "int8", "vnni", "float32", "int8", "float32", "int8"]
