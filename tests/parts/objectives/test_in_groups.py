"""An objective on a few items at a time: as the inner one on each part, and blind to the other parts."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.in_batch import InBatchSoftmax  # noqa: E402
from isogloss.objectives.in_groups import InGroups  # noqa: E402
from isogloss.objectives.regularizers import BarlowTwins  # noqa: E402

INNER = InBatchSoftmax(temperature=0.5)


def columns(items, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(items, 5, generator=drawn, dtype=torch.float64) for _ in range(2))


def test_by_hand():
    vectors = torch.eye(6)
    losses = InGroups(inner=InBatchSoftmax(temperature=1.0), size=3)((vectors, vectors), Batch((vectors, vectors)))
    assert losses.values.tolist() == pytest.approx([math.log(1 + 2 / math.e)] * 6)


@given(items=st.integers(1, 13), size=st.integers(1, 13))
def test_each_part_is_a_batch(items, size):
    q, d = columns(items)
    keys = torch.arange(2 * items).reshape(2, items).T.contiguous()
    weights = (torch.arange(items) % 3 > 0).double()
    batch = Batch((q, d), weights=weights, keys=keys)
    losses = InGroups(inner=INNER, size=size)((q, d), batch)
    for start in range(0, items, size):
        part = slice(start, min(items, start + size))
        alone = INNER((q[part], d[part]), batch.take(part.start, part.stop))
        assert torch.equal(losses.values[part], alone.values)
    assert losses.weights is weights


def test_items_of_other_groups_change_nothing():
    q, d = columns(8)
    objective, other = InGroups(inner=INNER, size=4), d.clone()
    other[4:] = columns(4, seed=1)[0]
    before, after = (objective((q, one), Batch((q, one))).values for one in (d, other))
    assert torch.equal(before[:4], after[:4])
    assert not torch.equal(before[4:], after[4:])


def test_what_makes_no_sense_is_refused():
    with pytest.raises(UsageError, match="a group has items"):
        InGroups(inner=INNER, size=0)
    q, d = columns(4)
    with pytest.raises(UsageError, match="only losses of items"):
        InGroups(inner=BarlowTwins(), size=2)((q, d), Batch((q, d)))
