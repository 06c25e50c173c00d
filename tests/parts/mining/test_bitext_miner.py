"""The miner: its threshold is the best one, its placebo keeps the scores and loses whose they are."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.errors import UsageError
from isogloss.mining.bitext import best_threshold, mine_bitext
from isogloss.mining.bitext_miner import BitextMiner
from isogloss.seeding import generator


def piles(seed, crowded=0.0):
    """Vectors of 60 and 60 sentences, of which 40 are translations; some sentences are near to everything."""
    draw = generator(seed, "piles")
    meaning = draw.standard_normal((80, 24))
    common = draw.standard_normal(24)
    sides = []
    for rows in (slice(0, 60), slice(20, 80)):
        own = meaning[rows] + 0.6 * draw.standard_normal((60, 24)) + crowded * draw.random((60, 1)) * common
        sides.append(own.astype(np.float32))
    return *sides, np.r_[np.full(20, -1), np.arange(40)]


def right(found, gold):
    return (gold[found.source] == found.target).sum()


def test_the_threshold_is_the_one_with_the_best_f1():
    source, target, gold = piles(0)
    miner = BitextMiner().tuned(source, target, gold)
    every = mine_bitext(source, target)
    assert miner.threshold == best_threshold(every, gold[every.source] == every.target, 40).value
    kept = miner.mine(source, target)
    assert kept.scores.min() == miner.threshold
    assert 2 * right(kept, gold) / (len(kept) + 40) == best_threshold(every, gold[every.source] == every.target, 40).f1


def test_neighbours_of_strangers_do_not_help_where_sentences_are_crowded():
    source, target, gold = piles(1, crowded=3.0)
    own, strange, cosine = (
        BitextMiner(**how).tuned(source, target, gold).mine(source, target)
        for how in ({}, {"strangers": 0}, {"margin": "absolute"})
    )
    f1 = [2 * right(found, gold) / (len(found) + 40) for found in (own, strange, cosine)]
    assert f1[0] > f1[1] + 0.05
    assert f1[0] > f1[2] + 0.05
    again = BitextMiner(strangers=0).mine(source, target)
    assert again.scores.tolist() == mine_bitext(source, target, strangers=0).scores.tolist()


def test_sentences_need_an_encoder():
    with pytest.raises(UsageError, match="cannot be compared"):
        BitextMiner().mine(["a"], ["b"])
