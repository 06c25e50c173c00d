"""Hashes of letter n-grams: by hand, against the n-grams one by one, against gensim's own kernel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.text.hashing import hash_term
from isogloss.text.letter_hashes import hashes_of, letter_hashes, whole_hashes

ODD = st.text(st.sampled_from("ab<>é大😀\u0301"), max_size=8)


def fnv(gram):
    value = 2166136261
    for byte in gram.encode():
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) % 2**32
    return value


def grams(word, shortest, longest):
    whole = f"<{word}>"
    found = [whole[i : i + n] for i in range(len(whole)) for n in range(shortest, longest + 1) if i + n <= len(whole)]
    marks = {0, len(whole) - 1} if shortest == 1 else set()
    if not marks:
        return found
    return [
        whole[i : i + n]
        for i in range(len(whole))
        for n in range(shortest, longest + 1)
        if i + n <= len(whole) and not (n == 1 and i in marks)
    ]


def test_by_hand():
    found = letter_hashes(["ab"], 3, 3)
    assert found.hashes.tolist() == [fnv("<ab"), fnv("ab>")]
    assert fnv("a") == 0xE40C292C  # of the authors of FNV
    assert letter_hashes(["é"], 3, 3).hashes.tolist() == [fnv("<é>")]


@given(st.lists(ODD, max_size=6), st.integers(1, 4), st.integers(0, 3))
def test_it_is_each_n_gram_hashed_by_itself(words, shortest, more):
    found = letter_hashes(words, shortest, shortest + more)
    for i, word in enumerate(words):
        mine = found.hashes[found.offsets[i] : found.offsets[i + 1]].tolist()
        assert mine == [fnv(gram) for gram in grams(word, shortest, shortest + more)]
        assert hashes_of(word, shortest, shortest + more) == mine
    assert found.offsets[-1] == len(found.hashes)


def test_gensim_hashes_the_same():
    inner = pytest.importorskip("gensim.models.fasttext_inner")
    for word in ("isogloss", "naïveté", "猫", "😀!", ""):
        theirs = sorted(inner.ft_hash_bytes(gram) for gram in inner.compute_ngrams_bytes(word, 3, 6))
        assert sorted(letter_hashes([word], 3, 6).hashes.tolist()) == theirs


@given(st.lists(ODD, max_size=8))
def test_whole_words_are_hashed_as_terms(words):
    raw = [word.encode() for word in words]
    offsets = np.cumsum([0, *map(len, raw)])
    found = whole_hashes(np.frombuffer(b"".join(raw), np.uint8), offsets)
    assert found.tolist() == [hash_term(word) for word in words]
