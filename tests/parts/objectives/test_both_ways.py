"""Losses seen from both sides: NT-Xent by brute force, keys of both columns, and the parts of an item."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.both_ways import BothWays, nt_xent  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.in_batch import InBatchSoftmax  # noqa: E402


def pairs(rows, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(rows, 4, generator=drawn, dtype=torch.float64) for _ in range(2))


@given(st.integers(1, 6), st.sampled_from([0.05, 1.0]), st.integers(0, 9))
def test_nt_xent_by_brute_force(rows, temperature, seed):
    """Each of the 2n vectors against all others: its partner is the right one."""
    one, other = pairs(rows, seed)
    every = torch.nn.functional.normalize(torch.cat([one, other]), dim=1)
    logits = (every @ every.T / temperature).fill_diagonal_(-torch.inf)
    partner = torch.arange(2 * rows).roll(rows)
    asked = torch.nn.functional.cross_entropy(logits, partner, reduction="none").view(2, rows).mean(0)
    assert torch.allclose(nt_xent(temperature)((one, other), Batch((one, other))).values, asked)


def test_it_does_not_matter_which_side_is_first():
    one, other = pairs(5)
    both = BothWays(inner=InBatchSoftmax())
    assert torch.allclose(
        both((one, other), Batch((one, other))).values, both((other, one), Batch((other, one))).values
    )


def test_keys_are_turned_with_their_columns():
    one, other = pairs(3)
    keys = torch.tensor([[0, 1], [2, 1], [3, 4]])  # items 0 and 1 share their second text
    turned = BothWays(inner=InBatchSoftmax())((one, other), Batch((one, other), keys=keys)).values
    ahead = InBatchSoftmax()((one, other), Batch((one, other), keys=keys)).values
    back = InBatchSoftmax()((other, one), Batch((other, one), keys=keys.flip(1))).values
    assert torch.allclose(turned, (ahead + back) / 2)
    assert not torch.allclose(turned, BothWays(inner=InBatchSoftmax())((one, other), Batch((one, other))).values)


def test_one_column_is_refused():
    with pytest.raises(UsageError, match="at least 2"):
        nt_xent()((pairs(2)[0],), Batch(pairs(2)))
    assert nt_xent().cacheable
