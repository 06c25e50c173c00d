"""Heads over pairs of vectors: by hand, against torch's own losses, and what they learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.pair_heads import HeadClasses, HeadRegression, PairHead  # noqa: E402

U, V = torch.randn(2, 12, 5, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(12) % 3


def head(outputs=3, hidden=4, seed=0):
    torch.manual_seed(seed)
    return PairHead(5, outputs, hidden=hidden)


def test_by_hand():
    made = PairHead(1, 1, hidden=1)
    with torch.no_grad():
        made.hidden.weight.copy_(torch.tensor([[1.0, 10.0, 100.0, 1000.0]]))  # u, v, |u - v|, u * v
        made.hidden.bias.fill_(0.5)
        made.last.weight.fill_(2.0)
        made.last.bias.fill_(-1.0)
    one, two = torch.tensor([[1.0]]), torch.tensor([[3.0]])
    assert float(made(one, two).detach()) == 2 * (1 + 30 + 200 + 3000 + 0.5) - 1
    assert float(made(-one, two).detach()) == -1 + 2 * max(0, -1 + 30 + 400 - 3000 + 0.5)
    loss = HeadRegression(made)((-one, two), Batch((one, two), torch.tensor([2.0])))
    assert loss.values.tolist() == [9.0]


def test_the_losses_are_torchs():
    made = head()
    features = torch.cat([U, V, (U - V).abs(), U * V], 1)
    logits = made.last(torch.relu(made.hidden(features)))
    found = HeadClasses(made)((U, V), Batch((U, V), CLASSES))
    torch.testing.assert_close(found.values, torch.nn.functional.cross_entropy(logits, CLASSES, reduction="none"))
    target = torch.randn(12, 3)
    found = HeadRegression(made)((U, V), Batch((U, V), target))
    torch.testing.assert_close(found.values, torch.nn.functional.mse_loss(logits, target, reduction="none").mean(1))
    assert isinstance(head(hidden=0).hidden, type(None))


def test_a_student_comes_near_its_teacher():
    teacher, student = head(seed=1), head(hidden=32, seed=2)
    wanted = teacher(U, V).detach()
    objective = HeadRegression(student)
    mover = torch.optim.Adam(objective.parameters(), lr=0.03)
    errors = []
    for _ in range(200):
        mover.zero_grad()
        loss = objective((U, V), Batch((U, V), wanted)).mean()
        loss.backward()
        mover.step()
        errors.append(float(loss.detach()))
    assert errors[-1] < errors[0] / 20


@given(st.permutations(range(12)))
@settings(max_examples=20, deadline=None)
def test_a_pair_is_read_by_itself(order):
    made, rows = head(), np.array(order)
    whole = made.read(U.numpy(), V.numpy())
    assert whole == pytest.approx(made(U, V).detach().numpy(), abs=1e-6)
    assert made.read(U.numpy()[rows], V.numpy()[rows]) == pytest.approx(whole[rows], abs=1e-6)
    assert made.read(U.numpy()[:1], V.numpy()[:1]) == pytest.approx(whole[:1], abs=1e-6)


def test_what_does_not_fit_is_said():
    with pytest.raises(UsageError, match="the head knows 3 classes"):
        HeadClasses(head())((U, V), Batch((U, V), CLASSES + 1))
    with pytest.raises(UsageError, match="the head gives 3"):
        HeadRegression(head())((U, V), Batch((U, V), torch.ones(12)))
    with pytest.raises(UsageError, match="is needed on both sides"):
        head().read(U.numpy(), V.numpy()[:, :4])
