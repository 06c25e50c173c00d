"""Blocks: the same rows as at once, and no more memory than result and one block."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.transforms.blocks import blocks, by_blocks
from isogloss.transforms.projection import PCA, TopComponentsRemoval
from isogloss.transforms.quantization import Int8Quantizer
from isogloss.transforms.rotation import Rotation
from isogloss.transforms.whitening import Whitening


@given(st.integers(1, 40), st.integers(1, 12))
def test_blocks_are_the_whole(count, rows):
    covered = [row for part in blocks(count, rows) for row in range(part.start, part.stop)]
    assert covered == list(range(count))
    matrix = np.arange(2.0 * count).reshape(count, 2)
    np.testing.assert_array_equal(by_blocks(lambda part: part[:, :1] * 3, matrix, rows=rows), matrix[:, :1] * 3)


@pytest.mark.parametrize("make", [PCA, Whitening, Rotation, TopComponentsRemoval, Int8Quantizer])
def test_a_large_input_costs_no_second_copy(make):
    few = np.random.default_rng(0).standard_normal((300, 16)).astype(np.float32)
    many = np.tile(few, (400, 1))  # 120,000 rows, 7.7 MB
    fitted = make().fit(few)
    tracemalloc.start()
    try:
        result = fitted.transform(many)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(result[:300], fitted.transform(few), atol=1e-5)
    assert peak < result.nbytes + 5e6  # a block in float64 and what is made of it
