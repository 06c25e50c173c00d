"""Bulk counts: the kernel and its Python twin agree on any text; hashes are what they are said to be."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.compiled import numba_available
from isogloss.text import counting, hashing
from isogloss.text.words import WordRules, words

needs_numba = pytest.mark.skipif(not numba_available(), reason="Numba is not here")
PIECES = st.sampled_from(
    [
        "heat",
        "Heat",
        "the",
        "connections",
        "é",
        "e\u0301",
        "naïve",
        "–",
        "’",
        " ",
        "\n",
        "_",
        "大熊猫",
        "水",
        "น้ำ",
        "x1",
        "\0",
    ]
)
TEXTS = st.lists(st.one_of(st.lists(PIECES, max_size=20).map("".join), st.text()), max_size=12)


def test_counts_by_hand():
    offsets, hashes, counts = counting.count_terms(["a b a", "", "B"], WordRules())
    a, b = hashing.hash_term("a"), hashing.hash_term("b")
    assert offsets.tolist() == [0, 2, 2, 3]
    assert dict(zip(hashes[:2].tolist(), counts[:2].tolist(), strict=True)) == {a: 2.0, b: 1.0}
    assert (hashes[2], counts[2]) == (b, 1.0)
    assert (offsets.dtype, hashes.dtype, counts.dtype) == (np.int64, np.int64, np.float32)


def test_the_hash_is_fnv1a_with_a_finaliser():
    # the published FNV-1a of "a", finished step by step as the docstring says
    value, mask = 0xAF63DC4C8601EC8C, 2**64 - 1
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53, 1):
        value = ((value ^ (value >> 33)) * factor) & mask
    assert hashing.hash_term("a") == value >> 1


def test_a_million_short_terms_do_not_collide():
    hashes = {hashing.hash_term(f"{i}") for i in range(150_000)}
    letters = "abcdefghijklmnopqrstuvwxyz"
    hashes |= {hashing.hash_term(a + b + c) for a in letters for b in letters for c in letters}
    hashes |= {hashing.hash_term(f"run{i}x") for i in range(50_000)}
    assert len(hashes) == 150_000 + 26**3 + 50_000


@needs_numba
@given(TEXTS)
def test_the_kernel_equals_python(texts):
    for rules in (WordRules(), WordRules(language="en", stop_words=True)):
        for ours, twin in zip(counting._count_block(texts, rules), counting._count_few(texts, rules), strict=True):
            assert ours.dtype == twin.dtype
            np.testing.assert_array_equal(ours, twin)


@given(TEXTS)
def test_counts_equal_those_of_single_texts(texts):
    rules = WordRules()
    offsets, hashes, counts = counting.count_terms(texts, rules)
    for i, text in enumerate(texts):
        expected = Counter(hashing.hash_term(word) for word, _, _ in words(text))
        row = slice(offsets[i], offsets[i + 1])
        assert hashes[row].tolist() == sorted(expected)
        assert counts[row].tolist() == [expected[term] for term in sorted(expected)]


@needs_numba
def test_bulk_is_cut_into_blocks_and_joined(monkeypatch):
    texts = [f"w{i % 7} w{i} café {'x' * (i % 50)}" for i in range(400)]
    whole = counting._count_few(texts, WordRules())
    monkeypatch.setattr(counting, "BULK", 0)
    monkeypatch.setattr(counting, "BULK_COLD", 0)
    monkeypatch.setattr(counting, "BLOCK", 1000)
    assert len(list(counting._blocks(texts))) > 5
    for ours, twin in zip(counting.count_terms(texts, WordRules()), whole, strict=True):
        np.testing.assert_array_equal(ours, twin)
    assert counting.count_terms([], WordRules())[0].tolist() == [0]


@needs_numba
@given(st.lists(st.one_of(PIECES, st.text(max_size=6)), min_size=30, max_size=120).map("".join))
def test_a_text_longer_than_a_block_is_counted_in_pieces(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "BLOCK", 40)
        ours = counting._count_block([text], WordRules())
    for array, twin in zip(ours, counting._count_few([text], WordRules()), strict=True):
        np.testing.assert_array_equal(array, twin)
        assert array.dtype == twin.dtype


@needs_numba
def test_tables_grow():
    texts = [" ".join(f"t{i}" for i in range(start, start + 5000)) for start in range(0, 100_000, 5000)]
    offsets, hashes, counts = counting._count_block(texts, WordRules())
    assert len(np.unique(hashes)) == 100_000
    assert (counts == 1).all()
    assert offsets[-1] == 100_000


@needs_numba
@given(st.lists(st.integers(0, hashing.WIDTH - 1)), st.integers(1, 5))
def test_numbering_equals_unique(values, repeats):
    array = np.array(values * repeats, np.int64)
    keys, numbers = np.unique(array, return_inverse=True)
    distinct, first = hashing._numbered(array)
    assert len(distinct) == len(keys)
    assert (distinct[first] == array).all()
    ours = hashing.number_hashes(array)
    np.testing.assert_array_equal(ours[0], keys)
    np.testing.assert_array_equal(ours[1], numbers)


@needs_numba
def test_many_hashes_are_numbered_by_the_kernel():
    from isogloss.compiled import numba_loaded

    array = np.random.default_rng(0).integers(0, 100_000, 3_000_000) * 0x9E3779B97F4A
    keys, numbers = hashing.number_hashes(array)
    assert numba_loaded()
    assert (keys[numbers] == array).all()
    assert (np.diff(keys) > 0).all()
