"""Merging by a probe: by hand, against a known optimum, with copies and noise; and tuning on several tasks."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.objectives.in_batch import InBatchSoftmax  # noqa: E402
from isogloss.objectives.pairs import CosineRegression  # noqa: E402
from isogloss.training.merging import merge_tasks  # noqa: E402
from isogloss.training.models import load_trainable  # noqa: E402
from isogloss.training.self_positioning import MergedModule, self_positioned  # noqa: E402
from isogloss.training.several_tasks import Task, fine_tune_tasks, task_batches  # noqa: E402
from isogloss.training.trained_encoder import TrainedEncoder  # noqa: E402

LEFT = ["a wing", "heat", "the archive", "a wing of heat", "heated", "the the"] * 4
RIGHT = ["the wing", "archive", "an archive", "cold", "heat", "a a"] * 4
SCORES = np.array([0.9, 0.1, 0.8, 0.3, 0.7, 0.2] * 4)
TASKS = {
    "search": Task([LEFT[:4], RIGHT[:4]], InBatchSoftmax()),
    "compare": Task([LEFT, RIGHT], CosineRegression(), SCORES),
}


@pytest.fixture
def fresh(tiny_folder):
    folder = tiny_folder()
    return lambda: TrainedEncoder.of(load_trainable(folder))


def moved(base, *others):
    return [{name: tensor + other for name, tensor in base.state_dict().items()} for other in others]


@pytest.mark.parametrize("start", [(0.0, 0.0), (1.5, -1.0), (-1.0, 1.0)])
def test_a_known_place_is_found_from_anywhere(start):
    """Two task vectors of one number each: the target lies at weights .25 and .75 and scale .8."""
    base = nn.Linear(2, 2, bias=False)
    one, two = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    merged = MergedModule(base, moved(base, one, two))
    merged.logits.data = torch.tensor(start)
    target = base.weight.detach() + 0.8 * (0.25 * one + 0.75 * two)
    mover = torch.optim.Adam(merged.parameters(), lr=0.05)
    for _ in range(400):
        mover.zero_grad()
        (merged(torch.eye(2)).T - target).square().sum().backward()
        mover.step()
    assert merged.position.weights == pytest.approx((0.25, 0.75), abs=0.02)
    assert merged.position.scale == pytest.approx(0.8, abs=0.02)


def test_begins_at_the_plain_mean_and_copies_merge_to_themselves():
    base = nn.Linear(3, 2)
    states = moved(base, 0.5, -2.0)
    expected = merge_tasks(base.state_dict(), states, [0.5, 0.5])
    for name, tensor in MergedModule(base, states).state().items():
        torch.testing.assert_close(tensor, expected[name])
    copies = MergedModule(base, [states[0], states[0]])
    torch.testing.assert_close(copies.state()["bias"], states[0]["bias"])
    assert [name for name, _ in copies.named_parameters()] == ["logits", "scale"]
    with pytest.raises(UsageError, match="none of them has moved"):
        MergedModule(base, [base.state_dict()])


def test_noise_gets_little_weight(fresh):
    base, tuned = fresh(), fresh()
    fine_tune_tasks(tuned, {"compare": TASKS["compare"]}, steps=40, batch_size=24, learning_rate=1e-2, words=False)
    noisy = fresh()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in noisy.model.named_parameters():
            step = (tuned.model.state_dict()[name] - tensor).std() if tensor.ndim > 1 else torch.zeros(())
            tensor += 3 * step * torch.randn(tensor.shape, generator=draw)
    before = base.identity
    merged, place = self_positioned(
        base, [tuned, noisy], {"compare": TASKS["compare"]}, steps=60, batch_size=24, learning_rate=0.3
    )
    assert place.weights[1] < 0.1
    assert base.identity == before
    assert merged.identity not in (before, tuned.identity)
    mean, start = self_positioned(base, [tuned, noisy], TASKS, steps=0)
    assert start.weights == (0.5, 0.5)
    assert start.scale == 1.0
    ids = pack(base.tokenizer(LEFT).ids)
    state = merge_tasks(base.model.state_dict(), [one.model.state_dict() for one in (tuned, noisy)], [0.5, 0.5])
    with torch.no_grad():
        torch.testing.assert_close(mean.model(ids), torch.func.functional_call(base.model, state, (ids,)))


def test_tasks_take_turns_and_repeat(fresh):
    made = [fine_tune_tasks(fresh(), TASKS, steps=6, batch_size=6, learning_rate=1e-3, seed=3) for _ in range(2)]
    assert made[0].identity == made[1].identity
    by_size = task_batches(TASKS, made[0], batch_size=6, seed=0)
    assert sorted(by_size(step).source for step in range(5)) == ["compare"] * 4 + ["search"]
    even = task_batches(TASKS, made[0], batch_size=6, seed=0, weights={"search": 1.0, "compare": 1.0})
    assert abs(sum(1 if even(step).source == "search" else -1 for step in range(even.per_epoch * 4))) <= 4
    assert even(0).labels is None or even(0).source == "compare"
