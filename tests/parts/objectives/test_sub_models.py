"""Objectives at sub-models: by hand, by the naive sum over rungs, and what is drawn."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.in_batch import InBatchSoftmax  # noqa: E402
from isogloss.objectives.sub_models import DrawnCross, DrawnRungs, FixedLadder, SubModels  # noqa: E402
from isogloss.training.randomness import seeded  # noqa: E402


def columns(seed, items=5, width=4):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(items, width, generator=generator, dtype=torch.float64) for _ in range(2))


def test_by_hand():
    """Two texts, one number each side of the origin: the divergence of (.5, .5) from (p, 1 - p)."""
    deep = torch.eye(2, dtype=torch.float64)
    flat = torch.ones(2, 2, dtype=torch.float64)
    objective = SubModels(InBatchSoftmax(temperature=1.0), FixedLadder(((1, 1), (2, 2))), temperature=1.0)
    losses = objective({1: (flat, flat), 2: (deep, deep)}, Batch((deep, deep)))
    p = torch.tensor(1.0).exp() / (1 + torch.tensor(1.0).exp())
    divergence = p * (p / 0.5).log() + (1 - p) * ((1 - p) / 0.5).log()
    assert float(losses.parts["1/1"]) == pytest.approx(0.6931472)
    assert float(losses.parts["2/2"]) == pytest.approx(float(-p.log()))
    assert float(losses.parts["alignment 1/1"]) == pytest.approx(float(divergence), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0.0, 3.0), st.lists(st.tuples(st.integers(1, 2), st.integers(1, 4)), max_size=4))
def test_is_the_naive_sum(seed, alignment, rungs):
    ladder, inner = ((3, 4), *rungs), InBatchSoftmax()
    outputs = {layer: columns(seed + layer) for layer in (1, 2, 3)}
    batch = Batch(outputs[3])
    got = SubModels(inner, FixedLadder(ladder), alignment=alignment, temperature=0.2)(outputs, batch).mean()
    unit = torch.nn.functional.normalize
    whole = (unit(outputs[3][0]) @ unit(outputs[3][1]).T / 0.2).softmax(1)
    expected = 0.0
    for layer, width in dict.fromkeys(ladder):
        u, v = (one[:, :width] for one in outputs[layer])
        expected += float(inner((u, v), batch).mean())
        own = (unit(u) @ unit(v).T / 0.2).softmax(1)
        expected += alignment * float((whole * (whole / own).log()).sum(1).mean())
    assert float(got) == pytest.approx(expected, rel=1e-6)


def test_the_whole_model_is_not_drawn_towards_its_parts():
    last, first = columns(1), columns(2)
    leaf, alone = last[0].clone().requires_grad_(), last[0].clone().requires_grad_()
    objective = SubModels(InBatchSoftmax(), FixedLadder(((1, 2), (3, 4))), alignment=5.0)
    objective({1: first, 3: (leaf, last[1])}, Batch(last)).mean().backward()
    InBatchSoftmax()((alone, last[1]), Batch(last)).mean().backward()
    torch.testing.assert_close(leaf.grad, alone.grad)


def test_what_is_drawn():
    cross = DrawnCross((1, 2), (8, 16), (3, 32))
    rungs = DrawnRungs((1, 2), (8, 16), 2, (3, 32))
    with seeded(4):
        seen = [cross() for _ in range(40)]
        many = [rungs() for _ in range(40)]
    with seeded(4):
        assert [cross() for _ in range(40)] == seen
    assert {one[3] for one in seen} == {(1, 8), (1, 16), (2, 8), (2, 16)}
    assert all(one == ((3, 32), (one[3][0], 32), (3, one[3][1]), one[3]) for one in seen)
    assert {rung for one in many for rung in one[1:]} == {(1, 8), (1, 16), (2, 8), (2, 16)}
    assert {(len(one), one[0]) for one in many} == {(3, (3, 32))}


@pytest.mark.parametrize("ladder", [(), ((4, 2),), ((1, 9),), ((1, 0),)])
def test_rungs_that_are_not_there(ladder):
    with pytest.raises(UsageError, match=r"no sub-models|has no"):
        SubModels(InBatchSoftmax(), FixedLadder(ladder))({1: columns(0)}, Batch(columns(0)))
