"""VecMap: the last map by hand and by its formula, dictionaries by brute force, a planted rotation without any pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isogloss.errors import IsoglossWarning
from isogloss.transforms.dictionary_induction import induce, similar_profiles
from isogloss.transforms.vecmap import VecMap, shared_directions


def planted(seed, n=400, d=16, noise=0.05, common=400):
    """Two spaces of which one is turned and shuffled; returns both and the row of each first row's partner."""
    rng = np.random.default_rng(seed)
    meanings = rng.standard_gamma(0.5, (n, d)) @ rng.standard_normal((d, d))
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    order = rng.permutation(common)
    second = (meanings @ turn + noise * rng.standard_normal((n, d)))[:common][order]
    return meanings, second, np.argsort(order)


def found(mapping, first, second):
    one, other = mapping.transform(first), mapping.transform_target(second)
    return (
        one / np.linalg.norm(one, axis=1, keepdims=True) @ (other / np.linalg.norm(other, axis=1, keepdims=True)).T
    ).argmax(1)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_a_planted_rotation_is_found_without_a_pair(seed):
    first, second, partner = planted(seed)
    mapping = VecMap(interval=5).fit(first, second)
    assert (found(mapping, first, second) == partner).mean() > 0.97
    assert (mapping.pairs_[:400, 1] == partner).mean() > 0.97
    # shuffled column by column the second space keeps its moments and no meaning
    nonsense = np.random.default_rng(seed).permuted(second, axis=0)
    assert (found(VecMap(interval=5).fit(first, nonsense), first, nonsense) == partner).mean() < 0.05


def test_sides_of_different_length_and_width():
    first, second, partner = planted(3, n=500)
    mapping = VecMap(interval=5).fit(first, second)
    assert (found(mapping, first, second)[:400] == partner).mean() > 0.9
    wide = np.column_stack([second, np.zeros((400, 3))])
    supervised = VecMap(self_learning=False).fit(first[:400], wide, pairs=np.column_stack([np.arange(400), partner]))
    assert supervised.transform(first).shape == (500, 16)
    assert (found(supervised, first[:400], wide) == partner).mean() > 0.9


def test_a_few_pairs_grow_and_stay_alone_without_self_learning():
    first, second, partner = planted(4, noise=1.1)
    few = np.column_stack([np.arange(20), partner[:20]])
    once = VecMap(self_learning=False).fit(first, second, pairs=few)
    assert once.pairs_.tolist() == few.tolist()
    grown = VecMap(interval=5).fit(first, second, pairs=few)
    right = [(found(one, first, second)[20:] == partner[20:]).mean() for one in (once, grown)]
    assert right[1] > right[0] + 0.2


def test_the_last_map_by_hand():
    # both sides vary by 2 and 1 along their axes; they agree along the first, half along the second
    first = np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1], [0, 1], [0, -1], [0, 1], [0, -1]])
    second = np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1], [0, 1], [0, -1], [0, -1], [0, 1]])
    agreement = np.array([1.0, 1 / 3])
    for power in (0.0, 0.5, 1.0):
        one, other = shared_directions(first, second, power=power)
        np.testing.assert_allclose(one @ one.T, np.diag(agreement ** (2 * power)), atol=1e-12)
        np.testing.assert_allclose(one @ other.T, np.diag(agreement ** (2 * power)), atol=1e-12)


@given(st.integers(0, 10_000))
def test_without_weights_the_last_map_turns_both_sides_only(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.standard_normal((30, 5)), rng.standard_normal((30, 5))
    for weights in shared_directions(first, second, power=0.0):
        np.testing.assert_allclose(weights @ weights.T, np.eye(5), atol=1e-9)
    one, other = shared_directions(first, second, power=0.5)
    # by the formula, with roots from SciPy's definition of them
    whiten = [np.linalg.inv(_root(side.T @ side)) for side in (first, second)]
    left, agreement, right = np.linalg.svd(whiten[0] @ first.T @ second @ whiten[1])
    for made, turn, white in ((one, left, whiten[0]), (other, right.T, whiten[1])):
        formula = white @ turn @ np.diag(agreement**0.5) @ turn.T @ np.linalg.inv(white) @ turn
        np.testing.assert_allclose(np.abs(made), np.abs(formula), atol=1e-7)


def _root(matrix):
    values, directions = np.linalg.eigh(matrix)
    return directions @ np.diag(np.sqrt(values)) @ directions.T


@given(st.integers(0, 10_000), st.integers(0, 6))
@settings(max_examples=25)
def test_dictionaries_are_those_of_brute_force(seed, neighbours):
    rng = np.random.default_rng(seed)
    first, second = rng.standard_normal((8, 3)), rng.standard_normal((6, 3))
    scores = first @ second.T
    near_first = np.sort(scores, axis=1)[:, -neighbours:].mean(1) if neighbours else np.zeros(8)
    near_second = np.sort(scores, axis=0)[-neighbours:].mean(0) if neighbours else np.zeros(6)
    forward, backward = (2 * scores - near_second).argmax(1), (2 * scores - near_first[:, None]).argmax(0)
    made = induce(first, second, neighbours=neighbours)
    assert made.pairs[:8].tolist() == [[i, int(j)] for i, j in enumerate(forward)]
    assert made.pairs[8:].tolist() == [[int(i), j] for j, i in enumerate(backward)]
    assert made.objective == pytest.approx((scores.max(1).mean() + scores.max(0).mean()) / 2)


def test_dropped_scores_are_as_many_as_asked():
    same = np.ones((300, 1))  # all scores are 1: the first one that stays is chosen
    made = induce(same, same, neighbours=0, keep=0.25, rng=np.random.default_rng(0))
    assert 2.4 < made.pairs[:300, 1].mean() < 3.6  # geometric, mean 3


def test_profiles_do_not_change_when_the_space_is_turned():
    first, second, partner = planted(5, noise=0)
    assert (similar_profiles(first, second, rows=400, neighbours=5).pairs[:400, 1] == partner).mean() > 0.99


def test_it_repeats_and_float32_stays():
    first, second, _ = (np.asarray(side, np.float32) for side in planted(6, n=100, common=100))
    one, again, other = (VecMap(interval=2, seed=seed).fit(first, second) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.weights_, again.weights_)
    assert one.identity == again.identity != other.identity
    assert one.transform(first).dtype == one.transform_target(second).dtype == np.float32


def test_what_cannot_be_learnt_is_said():
    first, second, partner = planted(7, n=50, common=50)
    with pytest.raises(ValueError, match="0 pairs do not settle a map of 16 dimensions"):
        VecMap(self_learning=False).fit(first, second)
    with pytest.raises(ValueError, match="15 pairs do not settle"):
        VecMap(self_learning=False).fit(first, second, pairs=np.column_stack([np.arange(15), partner[:15]]))
    with pytest.raises(ValueError, match="pairs name rows beyond the 50 rows"):
        VecMap().fit(first, second, pairs=[[0, 50]])
    with pytest.raises(ValueError, match=r"must be \(p, 2\) row numbers"):
        VecMap().fit(first, second, pairs=[[0.5, 1.0]])
    with pytest.raises(ValueError, match="keep=0 must lie above 0"):
        VecMap(keep=0).fit(first, second)
    with pytest.warns(IsoglossWarning, match="stopped after 3 rounds"):
        VecMap(rounds=3).fit(first, second)
