"""Positives made of several columns: by hand, against the inner objective on averaged vectors, and their keys."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.composition import Composed  # noqa: E402
from isogloss.objectives.contract import Batch, Losses  # noqa: E402
from isogloss.objectives.in_batch import InBatchSoftmax  # noqa: E402
from isogloss.objectives.margin import Triplet  # noqa: E402


class Seen:
    """An objective that remembers what it was given."""

    cacheable = False

    def __call__(self, outputs, batch):
        self.outputs, self.batch = outputs, batch
        return Losses(outputs[0].sum(1))


def columns(count, rows=5, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(rows, 4, generator=drawn, dtype=torch.float64) for _ in range(count))


def test_by_hand():
    text, first = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [2.0, 0.0]])
    second = torch.tensor([[0.0, 0.0], [-2.0, 4.0]])  # the means are (1, 0) and (0, 2)
    got = Composed(inner=InBatchSoftmax(temperature=1.0))((text, first, second), Batch((text, first, second)))
    assert got.values.tolist() == pytest.approx([math.log(math.e + 1) - 1] * 2, abs=1e-6)


@given(st.lists(st.integers(1, 3), min_size=2, max_size=3), st.integers(0, 9))
def test_it_is_the_inner_objective_of_the_means(parts, seed):
    found, at = columns(sum(parts), seed=seed), 0
    means = []
    for size in parts:
        means.append(sum(found[at : at + size]) / size)
        at += size
    got = Composed(parts=tuple(parts))(found, Batch(found)).values
    assert torch.allclose(got, InBatchSoftmax()(tuple(means), Batch(tuple(means))).values)


def test_vectors_are_averaged_at_their_own_lengths():
    seen, (text, first, second) = Seen(), columns(3)
    Composed(inner=seen)((text, 100 * first, second), Batch((text, first, second)))
    assert torch.allclose(seen.outputs[1], (100 * first + second) / 2)
    assert len(seen.batch.columns) == 2


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=6))
def test_means_are_the_same_where_their_parts_are(rows):
    seen, keys = Seen(), torch.tensor(rows)
    found = columns(3, rows=len(rows))
    Composed(inner=seen)(found, Batch(found, keys=keys))
    made = seen.batch.keys.tolist()
    assert [one for one, _ in made] == [row[0] for row in rows]
    for i, a in enumerate(rows):
        for j, b in enumerate(rows):
            assert (made[i][1] == made[j][1]) == (a[1:] == b[1:])
            whole = b[1] == b[2]
            assert (made[i][0] == made[j][1]) == (whole and a[0] == b[1])


def test_two_groups_of_means_share_no_key():
    seen, keys = Seen(), torch.tensor([[0, 1, 2, 3], [2, 3, 0, 1], [5, 5, 5, 5]])
    found = columns(4, rows=3)
    Composed(inner=seen, parts=(2, 2))(found, Batch(found, keys=keys))
    left, right = seen.batch.keys.T.tolist()
    assert left[2] == right[2] == 5
    assert len({*left[:2], *right[:2]}) == 4


def test_halves_of_an_equal_text_are_no_negative():
    found = columns(3, rows=3)
    keys = torch.tensor([[0, 1, 2], [3, 1, 2], [4, 5, 6]])
    assert Composed()(found, Batch(found, keys=keys)).parts["masked"] > 0
    assert Composed()(found, Batch(found, keys=torch.arange(9).view(3, 3))).parts["masked"] == 0


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="4 columns"):
        Composed()(columns(4), Batch(columns(4)))
    with pytest.raises(UsageError, match="one column or more"):
        Composed(parts=(1, 0))
    assert Composed().cacheable
    assert not Composed(inner=Seen()).cacheable
    assert Composed(inner=Triplet(), parts=(1, 1, 1)).cacheable == Triplet().cacheable
