"""Invariants: equal dimensions prove nothing; the probes decide; a small drift warns with the number."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from isogloss.arrays import CSR
from isogloss.collection.fingerprint import check_encoder, lowest_cosine, pack_probes, unpack_probes
from isogloss.errors import IncompatibleIndexError, IsoglossWarning


def fake(probes: Any, identity: str = "a") -> Any:
    return SimpleNamespace(probes=probes, identity=identity)


def unit(n: int = 8, d: int = 16, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_same_model_passes() -> None:
    assert check_encoder(fake(unit()), "m", "a", unit()) >= 0.999999


def test_another_model_of_equal_width_is_refused_with_the_cosine() -> None:
    with pytest.raises(IncompatibleIndexError, match=r"cosine -?0") as error:
        check_encoder(fake(unit(seed=1), "b"), "m", "a", unit())
    assert error.value.exit_code == 4


def test_other_dimensions_are_named() -> None:
    with pytest.raises(IncompatibleIndexError, match="12 dimensions, the index holds 16"):
        check_encoder(fake(unit(d=12)), "m", "a", unit())


def test_a_small_drift_warns() -> None:
    vectors = unit()
    other = vectors.copy()
    other[3] = 0.995 * vectors[3] + np.sqrt(1 - 0.995**2) * np.roll(vectors[3], 1)
    assert 0.99 <= lowest_cosine(vectors, other) < 0.9999
    with pytest.warns(IsoglossWarning, match="slightly other vectors"):
        check_encoder(fake(other), "m", "a", vectors)


def sparse(rows: Iterable[dict[int, float]]) -> CSR:
    rows = list(rows)
    offsets = np.cumsum([0, *(len(row) for row in rows)]).astype(np.int64)
    indices = np.array([c for row in rows for c in sorted(row)], np.int64)
    values = np.array([row[c] for row in rows for c in sorted(row)], np.float32)
    return CSR(offsets, indices, values, 2**63 - 1)


def test_word_counts_are_compared_too() -> None:
    a, b = sparse([{1: 1, 2: 2}, {}]), sparse([{1: 1, 3: 2}, {}])
    assert lowest_cosine(a, a) == 1.0
    assert lowest_cosine(a, b) == pytest.approx(0.2)
    assert lowest_cosine(a, unpack_probes(pack_probes(a))) == 1.0
