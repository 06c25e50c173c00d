"""Draws of the bootstrap, and the sample that each of them stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def agree() -> Callable[..., None]:
    """Compare samples with an oracle: as they are, and re-weighted with the repeated sample, to 1e-9."""

    def check(sample: Any, oracle: Callable[..., float], *columns: Any, draws: int = 25) -> None:
        size = len(sample)
        numbers = np.random.default_rng(7)
        counts = [np.ones(size), *numbers.multinomial(size, np.full(size, 1 / size), size=draws)]
        weights = np.array(counts, np.float64)
        wanted = []
        for row in counts:
            wanted.append(oracle(*(np.repeat(column, row.astype(int), axis=0) for column in columns)))
        np.testing.assert_allclose(sample.at(weights), wanted, rtol=0, atol=1e-9)
        assert sample.value() == pytest.approx(wanted[0], abs=1e-9)

    return check
