"""Margins whose target the documents decide: by hand, pair by pair, and what the gradient does to near negatives."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.adaptive_margin import AdaptiveMargin  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402


def drawn(seed, items=6, width=4):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(items, width, generator=generator, dtype=torch.float64) for _ in range(3))


def value(objective, columns, **more):
    return objective(columns, Batch(columns, **more))


def cosine(a, b):
    return float(a @ b / a.norm() / b.norm())


def naive(kind, columns, in_batch=False):
    """Return the loss of each item, one pair after the other."""
    queries, rights, wrongs = columns
    found = []
    for i, (q, p) in enumerate(zip(queries, rights, strict=True)):
        if kind == "distributed":
            own = cosine(q, p) - cosine(q, wrongs[i])
            one = [(own - (cosine(other, wrongs[i]) + 1) / 2) ** 2 for other in rights]
        else:
            some = wrongs if in_batch else wrongs[i : i + 1]
            targets = [(cosine(p, n) + 1) / 2 if kind == "adaptive" else kind for n in some]
            one = [(cosine(q, p) - cosine(q, n) - t) ** 2 for n, t in zip(some, targets, strict=True)]
        found.append(sum(one) / len(one))
    return found


def test_margins_by_hand():
    q, p, n = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8]]), torch.tensor([[0.0, 1.0]])
    assert float(value(AdaptiveMargin(), (q, p, n)).mean()) == pytest.approx((0.6 - 0.9) ** 2)
    assert float(value(AdaptiveMargin(target=0.5), (q, p, n)).mean()) == pytest.approx(0.01)
    assert float(value(AdaptiveMargin(error="absolute"), (q, p, n)).mean()) == pytest.approx(0.3)
    soft = float(value(AdaptiveMargin(error="soft"), (q, p, n)).mean())
    assert soft == pytest.approx(math.log1p(math.exp(0.3)), abs=1e-6)


@given(seed=st.integers(0, 99), kind=st.sampled_from(["distributed", "adaptive", 1.0]), in_batch=st.booleans())
def test_as_the_naive_loop(seed, kind, in_batch):
    in_batch = in_batch and kind != "distributed"
    columns = drawn(seed)
    losses = value(AdaptiveMargin(target=kind, in_batch=in_batch), columns)
    assert losses.values.tolist() == pytest.approx(naive(kind, columns, in_batch))


@given(seed=st.integers(0, 99), kind=st.sampled_from(["distributed", "adaptive"]))
def test_items_of_weight_zero_change_nothing(seed, kind):
    columns = drawn(seed)
    weights = torch.tensor([1.0, 1.0, 0.0, 1.0, 0.0, 1.0], dtype=torch.float64)
    kept = tuple(one[weights > 0] for one in columns)
    for in_batch in (False, True) if kind == "adaptive" else (False,):
        objective = AdaptiveMargin(target=kind, in_batch=in_batch)
        whole = float(value(objective, columns, weights=weights).mean())
        assert whole == pytest.approx(float(value(objective, kept).mean()))


def test_a_negative_near_the_positive_is_pushed_further():
    """At equal similarities to the query, the pull on s(q, n) grows with s(p, n)."""
    q = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    p = torch.tensor([[0.8, 0.6, 0.0]], dtype=torch.float64)
    pulls = []
    for angle in (math.pi, math.pi / 2, 0.3):
        n = torch.tensor([[0.6, 0.8 * math.cos(angle), 0.8 * math.sin(angle)]], dtype=torch.float64)
        moved = q.clone().requires_grad_()
        value(AdaptiveMargin(target="adaptive"), (moved, p, n)).mean().backward()
        target = (cosine(p[0], n[0]) + 1) / 2
        slope = 2 * (0.8 - 0.6 - target)  # of the squared error by the margin
        along = (p[0] - q[0] * 0.8) - (n[0] - q[0] * 0.6)  # how the margin turns with the query
        assert torch.allclose(moved.grad[0], slope * along)
        pulls.append(-slope)
    assert pulls == sorted(pulls)
    assert pulls[-1] > 2 * pulls[0]


def test_shifted_targets_are_as_large_but_of_others():
    columns = drawn(5)
    plain, shifted = AdaptiveMargin(), AdaptiveMargin(shift=1)
    assert value(plain, columns).parts["target"] == pytest.approx(value(shifted, columns).parts["target"])
    assert float(value(plain, columns).mean()) != pytest.approx(float(value(shifted, columns).mean()), abs=1e-3)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(UsageError, match="distributed targets"):
        AdaptiveMargin(in_batch=True)
    columns = drawn(0)
    with pytest.raises(UsageError, match="adaptive margin needs at least 3"):
        value(AdaptiveMargin(), columns[:2])
