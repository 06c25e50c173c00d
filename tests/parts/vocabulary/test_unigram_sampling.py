"""Sampled tokenizers: pieces by noisy frequency, no byte lost, the best segmentation of every word."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import CorpusError, UsageError
from isogloss.vocabulary.unigram_sampling import MARKS, decomposed, piece_counts, sampled_unigram

COUNTS = {"th": 9, "the": 8, "he": 7, "Ġt": 5, "at": 4, "cat": 3, "Ġcat": 2}


def test_counts_are_those_of_hand():
    assert piece_counts(["ab ab", "ab"], longest=2, rarest=1) == {"ab": 3, "Ġa": 1}


def test_the_segmentation_is_the_most_probable_of_all():
    tokenizer = sampled_unigram(COUNTS, 256 + len(MARKS) + len(COUNTS))
    total = math.log(sum(COUNTS.values()))
    scores = {piece: math.log(count) - total for piece, count in COUNTS.items()}
    lowest = min(scores.values()) - 10
    word = "Ġthecat"
    best = max(
        (tuple(word[a:b] for a, b in itertools.pairwise([0, *cuts, len(word)])) for n in range(len(word))
         for cuts in itertools.combinations(range(1, len(word)), n)),
        key=lambda parts: sum(scores.get(part, lowest if len(part) == 1 else -1e9) for part in parts),
    )  # fmt: skip
    assert tuple(tokenizer.encode(" thecat").tokens) == best


@given(st.text(max_size=40))
def test_every_text_comes_back(text):
    tokenizer = sampled_unigram(COUNTS, 262, noise=1.0, rng=np.random.default_rng(3))
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_noise_draws_other_pieces_and_a_seed_the_same():
    made = [sampled_unigram(COUNTS, 262, noise=2.0, rng=np.random.default_rng(seed)).get_vocab() for seed in (1, 1, 2)]
    assert made[0] == made[1]
    assert set(made[0]) != set(made[2])
    assert all(len(one) == 262 for one in made)


def test_tokens_in_an_old_tokenizers_pieces():
    old = sampled_unigram({"th": 9, "he": 2}, 261)
    new = sampled_unigram(COUNTS, 266)
    tokens = list(new.get_vocab())
    for token, ids in zip(tokens, decomposed(tokens, old), strict=True):
        assert "".join(old.id_to_token(one) for one in ids) == token


def test_what_cannot_be_is_said():
    with pytest.raises(UsageError, match="not possible"):
        sampled_unigram(COUNTS, 100)
    with pytest.raises(UsageError, match="not possible"):
        sampled_unigram(COUNTS, 5000)
    with pytest.raises(UsageError, match="generator"):
        sampled_unigram(COUNTS, 262, noise=1.0)
    with pytest.raises(CorpusError, match="no frequent piece"):
        piece_counts(["a", "b"])
