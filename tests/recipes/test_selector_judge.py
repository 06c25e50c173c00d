"""Judging selections: equal bytes, the right order of good and bad selections, and what cannot be compared."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isogloss.corpus.selection import Selection
from isogloss.errors import UsageError
from isogloss.learners.kneser_ney import KneserNey
from isogloss.recipes._judges import LabJudge
from isogloss.recipes._selector_judge import bits_of_selection
from isogloss.seeding import generator

PROSE = [f"the slab of metal number {i} conducts heat well and the layer below it does not" for i in range(60)]
JUNK = ["".join(map(chr, row)) for row in generator(0, "junk").integers(33, 126, (60, 70))]
POOL = [text for pair in zip(PROSE, JUNK, strict=True) for text in pair]
HELD = ["the layer of metal conducts heat", "heat and metal below the slab"]


def chosen(keep):
    return Selection(np.asarray(keep, bool), ["" for _ in keep], np.asarray(keep, float))


class Frequencies:
    """A learner of how often each byte occurs."""

    def fit(self, texts):
        counts = np.bincount(np.frombuffer("".join(texts).encode(), np.uint8), minlength=256) + 1
        return FrequencyModel(np.log(counts / counts.sum()))


class FrequencyModel:
    def __init__(self, logs):
        self.logs = logs

    def nll(self, texts):
        raw = [np.frombuffer(text.encode(), np.uint8) for text in texts]
        return np.array([-self.logs[one].sum() for one in raw]), np.array([len(one) for one in raw])


def bits(keep, size=2000, **options):
    options.setdefault("learner", Frequencies())
    return -bits_of_selection(chosen(keep), HELD, pool=POOL, size=size, **options).value()


def test_prose_teaches_more_than_a_mixture_and_that_more_than_junk():
    prose = bits([i % 2 == 0 for i in range(120)])
    mixture = bits([True] * 120)
    junk = bits([i % 2 == 1 for i in range(120)])
    assert prose < mixture < junk
    assert bits([False] * 120) == pytest.approx(8.0)


def test_every_selection_is_learned_from_at_the_same_size():
    seen = []

    class Learner:
        def fit(self, texts):
            seen.append(list(texts))
            return KneserNey(order=2).fit(texts)

    for keep in ([True] * 120, [i % 2 == 0 for i in range(120)]):
        bits(keep, learner=Learner())
    assert [sum(len(text.encode()) for text in texts) for texts in seen] == [2000, 2000]
    assert [text for text in seen[0] if text in seen[1]] == [text for text in seen[1] if text in seen[0]]  # one order
    with pytest.raises(UsageError, match="equal size"):
        bits([True] + [False] * 119)
    with pytest.raises(UsageError, match="every text"):
        bits([True])


def test_the_lab_judges_selectors_and_selections_alike():
    class Evens:
        def select(self, texts):
            return chosen([i % 2 == 0 for i in range(len(texts))])

    judge = LabJudge("text", lambda: HELD, options={"pool": POOL, "size": 2000})
    sample = judge(Evens())
    assert sample.value() == judge(chosen([i % 2 == 0 for i in range(120)])).value()
    by_hand = KneserNey(order=6).fit(_first_bytes())
    nats, sizes = by_hand.nll(HELD)
    assert sample.value() == pytest.approx(-nats.sum() / sizes.sum() / math.log(2))


def _first_bytes():
    """The first 2,000 bytes of prose in the judge's order."""
    order = generator(0, "order").permutation(120)
    texts, left = [], 2000
    for i in order:
        if i % 2 == 0 and left > 0:
            texts.append(POOL[i][:left])
            left -= len(POOL[i])
    return texts
