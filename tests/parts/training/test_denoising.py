"""Pairs made from plain text: what is taken out can be put back, and what follows does follow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from isogloss.errors import UsageError
from isogloss.training.denoising import continuations, corrupted

SENTINELS = list(range(100, 110))


def put_back(source, target):
    """Fill each sentinel of the source with what stands after it in the target."""
    spans, mark = {}, None
    for token in target.tolist():
        if token in SENTINELS:
            mark = token
            spans[mark] = []
        else:
            spans[mark].append(token)
    return [token for one in source.tolist() for token in (spans[one] if one in SENTINELS else [one])]


@given(st.integers(2, 80), st.floats(0.05, 0.9), st.floats(1.0, 6.0), st.integers(0, 99))
def test_what_is_taken_out_can_be_put_back(length, share, span, seed):
    ids = np.arange(length)
    source, target = corrupted(ids, SENTINELS, np.random.default_rng(seed), share=share, length=span)
    assert put_back(source, target) == ids.tolist()
    marks = [token for token in source.tolist() if token in SENTINELS]
    assert marks == SENTINELS[: len(marks)] == [token for token in target.tolist() if token in SENTINELS]
    taken = len(target) - len(marks)
    assert taken == min(max(1, round(length * share)), length - 1)


def test_spans_are_as_long_as_asked_for_on_average():
    random = np.random.default_rng(0)
    made = [corrupted(np.arange(60), SENTINELS, random) for _ in range(50)]
    assert {len(target) - 3 for _, target in made} == {9}  # 15 % of 60 tokens in three spans of three on average
    assert len({tuple(source) for source, _ in made}) > 40


def test_half_of_the_pairs_follow_and_the_others_do_not():
    documents = [[f"{d}.{s}" for s in range(6)] for d in range(5)]
    first, second, follows = continuations(documents, 200, 1)
    assert follows.sum() == 100
    places = [tuple(tuple(map(int, one.split("."))) for one in pair) for pair in zip(first, second, strict=True)]
    assert all((b == (a[0], a[1] + 1)) == bool(yes) for (a, b), yes in zip(places, follows, strict=True))
    near = [a[0] == b[0] for (a, b), yes in zip(places, follows, strict=True) if not yes]
    assert 30 < sum(near) < 70
    assert continuations(documents, 200, 1)[0] == first != continuations(documents, 200, 2)[0]
    one, other, yes = continuations(documents, 50, 1, near=0)
    apart = [a[0] != b[0] for a, b, follows in zip(one, other, yes, strict=True) if not follows]
    assert all(apart)


@pytest.mark.parametrize(
    "settings", [{"ids": np.arange(1)}, {"sentinels": []}, {"share": 0.0}, {"share": 1.0}, {"length": 0.5}]
)
def test_spans_that_cannot_be_taken_are_refused(settings):
    chosen = {"ids": np.arange(9), "sentinels": SENTINELS, "random": np.random.default_rng(0)} | settings
    with pytest.raises(UsageError, match="no spans"):
        corrupted(**chosen)
    with pytest.raises(UsageError, match="1 of 2"):
        continuations([["a", "b"], ["c"]], 4, 0)
