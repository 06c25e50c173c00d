"""Words of one language in the space of another, from words that are spelt alike."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.errors import UsageError
from isogloss.transforms.vecmap import VecMap
from isogloss.transforms.word_spaces import into_space, spelt_alike


def languages(noise, seed=0, size=300, width=8):
    """Two languages of one meaning: the second turned and stretched, with noise."""
    draw = np.random.default_rng(seed)
    first = draw.standard_gamma(0.5, (size, width)) + 2
    turn = np.linalg.qr(draw.standard_normal((width, width)))[0]
    return first, 3 * first @ turn + noise * draw.standard_normal(first.shape)


def prepared(side):
    """Rows of length one, centred, of length one again."""
    unit = side / np.linalg.norm(side, axis=1, keepdims=True)
    unit = unit - unit.mean(0)
    return unit / np.linalg.norm(unit, axis=1, keepdims=True)


def hits(first, second):
    """The share of words whose own partner is nearest, by what the map compares."""
    return ((prepared(first) @ (second - first.mean(0)).T).argmax(1) == np.arange(len(first))).mean()


@pytest.mark.parametrize("seed", range(3))
def test_a_few_pairs_bring_all_words_together(seed):
    first, second = languages(0.1, seed)
    pairs = np.column_stack([np.arange(20)] * 2)
    assert hits(first, second) < 0.1
    turned = into_space(first, second, pairs=pairs)
    assert hits(first, turned) > 0.9
    assert np.linalg.norm(turned.mean(0) - first.mean(0)) < 0.5
    wrong = np.column_stack([np.arange(20), np.roll(np.arange(20), 7)])
    assert hits(first, into_space(first, second, pairs=wrong, mapping=VecMap(self_learning=False))) < 0.2


def test_without_learning_it_is_procrustes_by_hand():
    first, second = languages(0.0, size=40, width=3)
    pairs = np.column_stack([np.arange(40)] * 2)
    turned = into_space(first, second, pairs=pairs, mapping=VecMap(self_learning=False))
    left, _, right = np.linalg.svd(prepared(second).T @ prepared(first))
    away = np.linalg.norm(first - first.mean(0), axis=1).mean()
    np.testing.assert_allclose(turned, prepared(second) @ left @ right * away + first.mean(0), atol=1e-6)


def test_words_without_a_partner_are_no_pair():
    assert spelt_alike(["a", "b"], ["c"]).shape == (0, 2)
    assert spelt_alike(["a", "b", "c"], ["c", "a"]).tolist() == [[0, 1], [2, 0]]
    with pytest.raises(UsageError, match="no pair"):
        into_space(np.eye(2), np.eye(2), pairs=np.zeros((0, 2), np.int64))
    with pytest.raises(UsageError, match="2 and 3"):
        into_space(np.eye(2), np.eye(3), pairs=np.array([[0, 0]]))
