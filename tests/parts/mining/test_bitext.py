"""Bitext mining: margins by hand, against brute force over the whole table, thresholds against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve

from isogloss.errors import UsageError
from isogloss.mining.bitext import Bitext, best_threshold, mine_bitext
from isogloss.seeding import generator


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def brute(source, target, k, margin):
    """The full table of margin scores."""
    table = unit(source.astype(np.float64)) @ unit(target.astype(np.float64)).T
    near = np.sort(table, axis=1)[:, -k:].mean(1)[:, None] + np.sort(table, axis=0)[-k:].mean(0)[None]
    return {"ratio": table / (near / 2), "distance": table - near / 2, "absolute": table}[margin]


def test_margins_by_hand():
    # cosines: (x1, y1) .8, (x1, y2) .6; one neighbour more than needed on the target's side
    source = np.array([[1.0, 0.0]], np.float32)
    target = np.array([[0.8, 0.6], [0.6, 0.8]], np.float32)
    # neighbours of x1: mean (.8 + .6) / 2 = .7; of y1: .8 alone; a = .75
    expected = {"ratio": 0.8 / 0.75, "distance": 0.05, "absolute": 0.8}
    for margin, value in expected.items():
        found = mine_bitext(source, target, k=2, margin=margin)
        if margin == "absolute":
            assert found.target.tolist() == [0]
        got = dict(zip(found.target.tolist(), found.scores.tolist(), strict=True))
        forward = mine_bitext(source, target, k=2, margin=margin, retrieval="backward")
        got |= dict(zip(forward.target.tolist(), forward.scores.tolist(), strict=True))
        assert got[0] == pytest.approx(value, abs=1e-6)


def test_the_margin_holds_back_a_hub():
    # the last target is near to everything; by cosine it takes every source, by the ratio none
    source = unit(np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]], np.float32))
    target = unit(np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0.5, 0.5, 0.5, 1.0]], np.float32))
    assert mine_bitext(source, target, k=3, margin="absolute", retrieval="forward").target.tolist() == [3, 3, 3]
    best = mine_bitext(source, target, k=3, margin="ratio", retrieval="forward")
    assert sorted(zip(best.source.tolist(), best.target.tolist(), strict=True)) == [(0, 0), (1, 1), (2, 2)]


@given(seed=st.integers(0, 10_000), margin=st.sampled_from(["ratio", "distance", "absolute"]), k=st.integers(2, 5))
def test_as_brute_force(seed, margin, k):
    random = generator(seed, "bitext")
    source = np.abs(random.standard_normal((9, 4))).astype(np.float32)
    target = np.abs(random.standard_normal((7, 4))).astype(np.float32)
    table = brute(source, target, k, margin)
    cosine = brute(source, target, k, "absolute")
    reach = np.argsort(-cosine, axis=1)[:, :k]
    best = [int(row[np.argmax(table[i, row])]) for i, row in enumerate(reach)]
    forward = mine_bitext(source, target, k=k, margin=margin, retrieval="forward")
    assert dict(zip(forward.source.tolist(), forward.target.tolist(), strict=True)) == dict(enumerate(best))
    np.testing.assert_allclose(forward.scores, table[forward.source, forward.target], atol=1e-5)
    whole = mine_bitext(source, target, k=k, margin=margin)
    assert (np.diff(whole.scores) <= 1e-12).all()
    assert len(set(whole.source.tolist())) == len(whole) == len(set(whole.target.tolist()))
    both = mine_bitext(source, target, k=k, margin=margin, retrieval="intersection")
    turned = mine_bitext(target, source, k=k, margin=margin, retrieval="intersection")
    pairs = set(zip(both.source.tolist(), both.target.tolist(), strict=True))
    assert pairs == set(zip(turned.target.tolist(), turned.source.tolist(), strict=True))
    assert pairs <= set(zip(forward.source.tolist(), forward.target.tolist(), strict=True))


def test_the_threshold_with_the_best_f1_as_scikit_learn_finds_it():
    random = generator(0, "threshold")
    scores = np.sort(np.round(random.random(60), 2))[::-1]
    right = random.random(60) < scores
    found = best_threshold(Bitext(np.arange(60), np.arange(60), scores), right, int(right.sum()))
    precision, recall, _ = precision_recall_curve(right, scores)
    assert found.f1 == pytest.approx(np.nanmax(2 * precision * recall / (precision + recall)))
    kept = scores >= found.value
    assert found.precision == pytest.approx(right[kept].mean())
    assert found.recall == pytest.approx(right[kept].sum() / right.sum())


def test_translations_are_found_and_a_threshold_keeps_strangers_out():
    random = generator(1, "planted")
    meaning = random.standard_normal((60, 16))
    source = (meaning[:50] + 0.2 * random.standard_normal((50, 16))).astype(np.float32)
    target = (meaning[10:] + 0.2 * random.standard_normal((50, 16))).astype(np.float32)  # 40 of 50 have a translation
    pairs = mine_bitext(source, target)
    right = pairs.source == pairs.target + 10
    best = best_threshold(pairs, right, 40)
    assert best.f1 > 0.97
    assert len(pairs.above(best.value)) < len(pairs)


def test_what_cannot_be_mined_is_said():
    rows = np.eye(2, dtype=np.float32)
    for bad in ({"k": 0}, {"margin": "cosine"}, {"retrieval": "all"}):
        with pytest.raises(UsageError):
            mine_bitext(rows, rows, **bad)
    with pytest.raises(UsageError, match="nothing to pair"):
        mine_bitext(rows[:0], rows)
    with pytest.raises(UsageError, match="threshold"):
        best_threshold(Bitext(np.arange(1), np.arange(1), np.ones(1)), np.array([True]), 0)
