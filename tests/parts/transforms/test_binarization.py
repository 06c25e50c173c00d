"""Binary codes: bits by hand, distances by counting, half of all bits set, the better of two comparisons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.transforms.binarization import Binarizer, hamming


def test_hand_values():
    calibration = np.array([[1.0, 8.0, 5.0], [2.0, 6.0, 5.0], [9.0, 1.0, 5.0]])
    median, mean, zero = (Binarizer(threshold=one).fit(calibration) for one in ("median", "mean", "zero"))
    assert median.threshold_.tolist() == [2, 6, 5]
    assert mean.threshold_.tolist() == [4, 5, 5]
    asked = [[3.0, 5.5, -1.0]]
    assert median.transform(asked).tolist() == [[0b10000000]]
    assert mean.transform(asked).tolist() == [[0b01000000]]
    assert zero.transform(asked).tolist() == [[0b11000000]]
    assert median.transform([[2.0, 6.0, 5.0]]).tolist() == [[0]]  # a number at its threshold is not above it
    # a bit stands for the mean of the numbers on its side; the constant column for its constant
    assert median.inverse_transform(median.transform(asked)).tolist() == [[9, 3.5, 5]]
    assert median.scores([[1.0, 2.0, 0.0]], median.transform(asked)).tolist() == [[16]]


@given(st.integers(0, 10_000), st.integers(1, 20))
def test_distances_are_counted_bits(seed, width):
    rng = np.random.default_rng(seed)
    binarizer = Binarizer().fit(rng.standard_normal((30, width)))
    one, other = rng.standard_normal((3, width)), rng.standard_normal((5, width))
    bits = [side > binarizer.threshold_ for side in (one, other)]
    expected = (bits[0][:, None] != bits[1]).sum(2)
    assert hamming(binarizer.transform(one), binarizer.transform(other)).tolist() == expected.tolist()
    back = binarizer.inverse_transform(binarizer.transform(other))
    assert ((back > binarizer.threshold_) == bits[1]).all()
    np.testing.assert_allclose(binarizer.scores(one, binarizer.transform(other)), one @ back.T, atol=1e-4)


def test_the_median_sets_half_of_all_bits_and_vectors_uncoded_rank_better():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((1200, 64)).astype(np.float32) ** 3 + 1
    binarizer = Binarizer().fit(vectors)
    codes = binarizer.transform(vectors)
    assert codes.shape == (1200, 8)
    assert abs(np.unpackbits(codes, axis=1).mean() - 0.5) < 0.001
    queries = vectors[:100] + 0.5 * rng.standard_normal((100, 64)).astype(np.float32)
    true = (queries - vectors.mean(0)) @ (vectors - vectors.mean(0)).T
    best = true.argmax(1)
    asymmetric = binarizer.scores(queries - vectors.mean(0), codes)
    symmetric = -hamming(binarizer.transform(queries), codes)
    ranks = [(scores > scores[np.arange(100), best][:, None]).sum(1).mean() for scores in (asymmetric, symmetric)]
    assert ranks[0] < ranks[1]


def test_wrong_codes_are_refused():
    binarizer = Binarizer().fit(np.eye(9))
    for wrong in (np.zeros((1, 3)), np.full((1, 2), 256), np.full((1, 2), 0.5), np.array([["a", "b"]])):
        with pytest.raises(ValueError, match="codes"):
            binarizer.inverse_transform(wrong)
    with pytest.raises(ValueError, match="must be uint8 of one width"):
        hamming(np.zeros((1, 2), np.uint8), np.zeros((1, 3), np.uint8))
    with pytest.raises(ValueError, match="none of"):
        Binarizer(threshold="mode").fit(np.eye(3))
