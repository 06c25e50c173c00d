"""Product codes: by hand, SciPy's vector quantiser, brute force distances, an error that falls with more codes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import counting
from isogloss.transforms.product_codes import ProductQuantizer


def cloud(seed, n=200, d=10):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) @ rng.standard_normal((d, d))


def test_hand_values():
    rows = np.array([[0.0, 0.0, 9.0], [0.0, 2.0, 1.0], [8.0, 8.0, 9.0], [8.0, 10.0, 1.0]])
    quantizer = ProductQuantizer(slices=2, codes=2).fit(rows)  # slices of two columns and of one
    codes = quantizer.transform([[7.0, 7.0, 3.0]])
    assert codes.dtype == np.uint8
    assert quantizer.inverse_transform(codes).tolist() == [[8, 9, 1]]
    tables = quantizer.tables([[7.0, 7.0, 3.0]])
    assert sorted(tables[0, 0].round(4).tolist()) == [5, 85]  # 1 + 4, and 49 + 36
    assert quantizer.distances([[7.0, 7.0, 3.0]], codes).round(4).tolist() == [[9]]
    # each row is 1 away from its centre in one column, the variances are 16, 17 and 16
    assert round(quantizer.error(rows), 6) == round(1 / 49, 6)


def test_codes_are_those_of_scipy():
    vq = pytest.importorskip("scipy.cluster.vq")
    vectors = cloud(0)
    quantizer = ProductQuantizer(slices=3, codes=16).fit(vectors)
    codes, new = quantizer.transform(cloud(1)), cloud(1)
    for number, (start, stop) in enumerate([(0, 4), (4, 7), (7, 10)]):
        theirs, _ = vq.vq(new[:, start:stop], quantizer.centres_[number, :, : stop - start])
        assert (theirs == codes[:, number]).all()


@given(st.integers(0, 500), st.integers(1, 10), st.integers(0, 1))
def test_distances_are_those_to_what_codes_stand_for(seed, slices, rotations):
    vectors, queries = cloud(seed, n=40), cloud(seed + 1, n=3)
    quantizer = ProductQuantizer(slices=slices, codes=5, iterations=4, rotations=rotations).fit(vectors)
    codes = quantizer.transform(vectors)
    back = quantizer.inverse_transform(codes)
    expected = ((queries[:, None] - back) ** 2).sum(2)
    np.testing.assert_allclose(quantizer.distances(queries, codes), expected, rtol=1e-4, atol=1e-3)
    # what codes stand for has these codes
    np.testing.assert_allclose(quantizer.inverse_transform(quantizer.transform(back)), back, atol=1e-8)


def test_more_codes_and_more_slices_miss_less_and_a_rotation_helps_where_slices_are_uneven():
    vectors = cloud(2, n=600, d=12) * np.repeat([10.0, 1.0, 0.1], 4)
    misses = [ProductQuantizer(slices=3, codes=codes).fit(vectors).error(vectors) for codes in (2, 8, 32)]
    assert misses[0] > misses[1] > misses[2]
    assert ProductQuantizer(slices=6, codes=32).fit(vectors).error(vectors) < misses[2]
    turned = ProductQuantizer(slices=3, codes=32, rotations=8).fit(vectors)
    assert turned.error(vectors) < misses[2]
    np.testing.assert_allclose(turned.rotation_ @ turned.rotation_.T, np.eye(12), atol=1e-9)


def test_wide_codes_few_rows_wrong_codes_and_the_ledger():
    vectors = cloud(3, n=300, d=4).astype(np.float32)
    wide = ProductQuantizer(slices=1, codes=300, iterations=2).fit(vectors)
    assert wide.transform(vectors).dtype == np.uint16
    assert wide.error(vectors) < 1e-9  # a centre for every row
    assert wide.inverse_transform(wide.transform(vectors)).dtype == np.float32
    with counting() as ledger:
        wide.tables(vectors[:2])
    assert ledger.multiply_adds == 2 * 300 * 4
    with pytest.raises(ValueError, match=r"256 centres cannot be learnt from n_samples = 200"):
        ProductQuantizer().fit(cloud(0))
    with pytest.raises(ValueError, match=r"slices=11 must lie in 1\.\.10"):
        ProductQuantizer(slices=11).fit(cloud(0))
    with pytest.raises(ValueError, match=r"codes must lie in 0\.\.299"):
        wide.inverse_transform([[300]])


def test_only_a_sample_of_many_rows_is_learnt_from_and_refits_forget_the_rotation():
    vectors = cloud(4, n=500, d=4)
    sampled = ProductQuantizer(slices=2, codes=4, sample=10, rotations=1).fit(vectors)
    again = ProductQuantizer(slices=2, codes=4, sample=10, rotations=1).fit(vectors)
    np.testing.assert_array_equal(sampled.centres_, again.centres_)
    assert hasattr(sampled, "rotation_")
    assert not hasattr(sampled.set_params(rotations=0).fit(vectors), "rotation_")
