"""Time budgets become steps once; measuring leaves no trace; a plan counts what there is."""

from __future__ import annotations

import json
import time

import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.contract import Batch, Losses  # noqa: E402
from isogloss.training.budget import Speed, affordable, measure  # noqa: E402
from isogloss.training.devices import Alone  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.plan import plan  # noqa: E402
from isogloss.training.stage import Evaluation, Player, Stage  # noqa: E402


def test_measuring_leaves_no_trace(world):
    stage = world.make_stage(ema=0.5, evaluation=Evaluation(score=lambda: 0.0, keep_best=False))
    queue = torch.nn.BatchNorm1d(16)
    stage.players[0].module.add_module("queue", queue)
    inner = stage.players[0].forward
    stage.players[0].forward = lambda module, batch: tuple(queue(vectors) for vectors in inner(module, batch))
    before = world.bits(stage)
    state = torch.random.get_rng_state()
    speed = measure(stage, Alone(), seed=0)
    assert world.same(before, world.bits(stage))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(p.grad is None for p in stage.players[0].module.parameters())
    assert speed.items == 8
    assert speed.step > 0
    train(stage, seed=0)
    assert not world.same(before, world.bits(stage)), "the queue must be one that learning changes"


def test_a_budget_by_hand(world):
    stage = world.make_stage(budget=10.0)
    speed = Speed(step=0.5, look=1.0, items=8, activations=0, optimiser=0, spent=1.0)
    assert affordable(stage, speed) == 18  # (10 - 1) / .5
    stage.evaluation = Evaluation(score=lambda: 0.0, every=2)
    assert affordable(stage, speed) == 7  # (10 - 1 - 2 * 1) / (.5 + 1 / 2)
    stage.steps = 3
    assert affordable(stage, speed) == 3
    assert affordable(world.make_stage(budget=0.1), speed) == 1
    with pytest.raises(UsageError, match="more than nothing"):
        affordable(world.make_stage(budget=0.0), speed)


class Slow:
    """A step of twenty milliseconds."""

    cacheable = True

    def __call__(self, outputs, batch):
        time.sleep(0.02)
        return Losses((outputs[0] - outputs[1] - 1).square().sum(1))


def test_a_budget_is_kept_and_said(world):
    stage = world.make_stage(objective=Slow(), budget=2.0)
    began = time.perf_counter()
    summary = train(stage, seed=0)
    assert time.perf_counter() - began < 4.0
    assert 5 < summary.steps < 100
    assert summary.planned == {"train": summary.steps}
    assert f"enough for {summary.steps} steps" in summary.notes[0]


def test_a_run_that_goes_on_keeps_its_number_of_steps(world, tmp_path):
    stage = world.make_stage(objective=Slow(), budget=1.0)
    stage.refresh = []
    batches = stage.batches
    planned = {}

    class Breaking:
        per_epoch = batches.per_epoch

        def __call__(self, step):
            if (tmp_path / "log.jsonl").exists() and any(tmp_path.glob("checkpoint-*")):
                raise RuntimeError("broken")
            return batches(step)

    stage.batches = Breaking()
    with pytest.raises(RuntimeError, match="broken"):
        train(stage, seed=0, out=tmp_path, every=2)
    (folder,) = tmp_path.glob("checkpoint-*")
    planned = json.loads((folder / "state.json").read_text())["summary"]["planned"]
    resumed = world.make_stage(objective=Slow(), budget=1.0)
    began = time.perf_counter()
    summary = train(resumed, seed=0, out=tmp_path, every=2)
    assert summary.planned == planned
    assert summary.steps == planned["train"]
    assert len(summary.notes) == 1
    assert time.perf_counter() - began < 5


def test_a_plan_counts_by_hand():
    class Ones:
        per_epoch = 10

        def __call__(self, step):
            return Batch((torch.ones(7, 5),))

    class Square:
        cacheable = True

        def __call__(self, outputs, batch):
            return Losses(outputs[0].square().sum(1))

    module = torch.nn.Linear(5, 3)
    module.bias.requires_grad_(False)
    player = Player(module=module, objective=Square(), ema=0.9)
    (found,) = plan(Stage(batches=Ones(), players=[player], accumulate=2))
    assert (found.steps, found.items) == (5, 70)
    assert (found.parameters, found.trainable) == (18, 15)
    assert (found.weights, found.gradients, found.averages) == (18 * 4, 15 * 4, 15 * 4)
    assert found.optimiser == 2 * 15 * 4 + 4  # two moments and the count of steps
    assert found.activations >= 7 * 5 * 4 + 7 * 3 * 4  # the input and the output that is squared
    assert found.activations < 4 * (7 * 5 * 4 + 7 * 3 * 4)
    assert found.memory == found.weights + found.gradients + found.optimiser + found.averages + found.activations
    assert "5 steps over 70 items" in str(found)
    assert json.loads(json.dumps(found.to_dict()))["memory"] == found.memory


def test_gradient_caching_needs_less_in_the_plan(world):
    batches = world.PackedBatches(size=64)
    whole, pieces = (plan(world.make_stage(batches=batches, chunk=chunk))[0].activations for chunk in (0, 8))
    assert pieces < whole / 3


def test_a_plan_knows_budgets_and_evaluations(world):
    stage = world.make_stage(objective=Slow(), budget=2.0, evaluation=Evaluation(score=lambda: time.sleep(0.05) or 0.0))
    (found,) = plan(stage)
    assert 5 < found.steps < 100
    assert 1.0 < found.seconds < 2.5
