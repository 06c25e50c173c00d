"""A run that is broken off and goes on ends with the same bits as one that never was.

Invariants: weights, optimiser, average, refreshed state, losses, scores and best model, in one process and after
SIGKILL at random moments; another run's folder is refused untouched; a half-written checkpoint does not exist.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import IncompatibleError  # noqa: E402
from isogloss.training import checkpoints  # noqa: E402
from isogloss.training.averaging import follow  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.stage import Evaluation, Optimiser, Player, Refresh  # noqa: E402


class Broken(Exception):
    pass


def rich_stage(world, break_at=None, **settings):
    """A stage with an average, a momentum teacher, an evaluation and dropout, that breaks at a step."""
    stage = world.make_stage(ema=0.9, chunk=3, **settings)
    player = stage.players[0]
    teacher = world.MeanEncoder()
    teacher.load_state_dict(player.module.state_dict())
    stage.refresh = [Refresh(what=follow(teacher, player.module, 0.8), every=2, state=teacher, name="teacher")]
    weight = player.module.transformer.embeddings.word.weight
    stage.evaluation = Evaluation(score=lambda: float((weight[:9] * 40).sin().sum()), every=3)
    batches = stage.batches

    class Breaking:
        per_epoch = batches.per_epoch

        def __call__(self, step):
            if break_at is not None and step >= break_at:
                raise Broken
            return batches(step)

    stage.batches = Breaking()
    return stage, teacher


def outcome(stage, teacher, summary, world):
    tensors = [*world.bits(stage), *(tensor.clone() for tensor in teacher.state_dict().values())]
    return tensors, summary.losses, summary.scores, summary.best, summary.steps, summary.items


@pytest.mark.parametrize("break_at", [1, 4, 5, 11])
def test_a_broken_run_goes_on_bit_by_bit(world, tmp_path, break_at):
    stage, teacher = rich_stage(world)
    want = outcome(stage, teacher, train(stage, seed=3, out=tmp_path / "whole", every=2), world)
    stage, _ = rich_stage(world, break_at)
    with pytest.raises(Broken):
        train(stage, seed=3, out=tmp_path / "broken", every=2)
    stage, teacher = rich_stage(world)
    torch.manual_seed(99)
    for parameter in stage.players[0].module.parameters():  # a new process starts from the base model, not from here
        parameter.data.add_(torch.randn_like(parameter))
    if break_at < 3:  # nothing was saved yet: begin again
        stage, teacher = rich_stage(world)
    got = outcome(stage, teacher, train(stage, seed=3, out=tmp_path / "broken", every=2), world)
    assert world.same(want[0], got[0])
    assert want[1:] == got[1:]
    assert len(want[1]["train/model"]) == 12
    log = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("whole", "broken")]
    steps = [[(one["event"], one["step"]) for one in map(json.loads, lines)] for lines in log]
    assert steps[0] == steps[1]


def test_optimiser_and_average_come_back(world, tmp_path):
    stage, _ = rich_stage(world, 7)
    with pytest.raises(Broken):
        train(stage, seed=3, out=tmp_path, every=2)
    (folder,) = tmp_path.glob("checkpoint-*")
    saved = checkpoints.Checkpoints(tmp_path, json.loads((folder / "state.json").read_text())["settings"]).load()
    assert saved.record["step"] == 6
    names = [name for name in saved.tensors if "exp_avg_sq" in name]
    assert len(names) > 10
    assert all(float(saved.tensors[name].abs().max()) >= 0 for name in names)
    assert any(float(saved.tensors[name].abs().max()) > 0 for name in names)
    moved = [name for name in saved.tensors if name.startswith("model/average/")]
    assert moved
    assert any(not torch.equal(saved.tensors[n], saved.tensors["0/model/" + n.split("average/")[1]]) for n in moved)


def test_another_optimiser_and_sparse_gradients_come_back(world, tmp_path):
    """torch's SparseAdam counts its steps by plain numbers, and moves only the rows that a batch has seen."""

    def stage(break_at=None):
        made, _ = rich_stage(world, break_at)
        torch.manual_seed(0)
        module = torch.nn.EmbeddingBag(60, 4, sparse=True)
        made.players[0] = Player(
            module=module, objective=world.Softmax(), optimiser=Optimiser(learning_rate=0.1),
            forward=lambda module, batch: tuple(module(one.ids, one.offsets[:-1]) for one in batch.columns),
            make_optimiser=lambda groups: torch.optim.SparseAdam([{"params": groups[0]["params"], "lr_scale": 0.5}]),
        )  # fmt: skip
        made.refresh, made.evaluation = [], None
        return made

    whole = stage()
    before = world.bits(whole)
    want = train(whole, seed=0)
    with pytest.raises(Broken):
        train(stage(7), seed=0, out=tmp_path, every=3)
    resumed = stage()
    assert train(resumed, seed=0, out=tmp_path, every=3).losses == want.losses
    assert world.same(world.bits(whole), world.bits(resumed))
    assert not world.same(before, world.bits(whole))


def test_a_run_that_is_over_stays_as_it_is(world, tmp_path):
    stage = world.make_stage()
    first = train(stage, seed=0, out=tmp_path)
    again = world.make_stage(seed=5)
    assert train(again, seed=0, out=tmp_path) == first
    assert world.same(world.bits(stage), world.bits(again))


def test_a_run_goes_on_in_its_second_stage(world, tmp_path):
    def stages(break_at=None):
        first = world.make_stage(name="first", steps=3)
        second, teacher = rich_stage(world, break_at, name="second", steps=6)
        second.players[0].module = first.players[0].module
        return [first, second], teacher

    listed, _ = stages()
    want = train(listed, seed=0)
    broken, _ = stages(5)
    with pytest.raises(Broken):
        train(broken, seed=0, out=tmp_path, every=2)
    resumed, _ = stages()
    assert train(resumed, seed=0, out=tmp_path, every=2).losses == want.losses
    assert world.same(world.bits(listed[1]), world.bits(resumed[1]))


def test_another_run_is_refused_and_left_alone(world, tmp_path):
    train(world.make_stage(), seed=0, out=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(IncompatibleError, match=r"seed: 0 there, 1 here"):
        train(world.make_stage(), seed=1, out=tmp_path)
    with pytest.raises(IncompatibleError, match=r"learning_rate: 0.01 there, 0.02 here"):
        train(world.make_stage(rate=0.02), seed=0, out=tmp_path)
    with pytest.raises(IncompatibleError, match="per_epoch"):
        train(world.make_stage(batches=world.PackedBatches(per_epoch=13)), seed=0, out=tmp_path)
    with pytest.raises(IncompatibleError, match="digest"):
        train(world.make_stage(), seed=0, out=tmp_path, settings={"digest": "abc"})
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_what_a_killed_writer_left_is_not_read(world, tmp_path):
    first = train(world.make_stage(), seed=0, out=tmp_path)
    aside = tmp_path / ".aside-1"
    aside.mkdir()
    (aside / "state.json").write_text("{")
    assert train(world.make_stage(), seed=0, out=tmp_path) == first


def test_state_without_a_module_is_repeated(world, tmp_path):
    """A refresh without state runs again with the same weights: checkpoints lie only where it runs next."""

    def stage(break_at=None):
        made, _ = rich_stage(world, break_at)
        weight, mined = made.players[0].module.transformer.embeddings.word.weight, {}

        def mine(step):
            mined["bias"] = float(weight.detach().sum())

        mine(0)
        inner = made.players[0].objective

        class Biased:
            cacheable = True

            def __call__(self, outputs, batch):
                return inner((outputs[0] * (1 + mined["bias"] / 100), outputs[1]), batch)

        made.players[0].objective = Biased()
        made.refresh = [*made.refresh, Refresh(what=mine, every=4)]
        return made

    whole = stage()
    want = train(whole, seed=1)
    with pytest.raises(Broken):
        train(stage(7), seed=1, out=tmp_path, every=1)
    (folder,) = tmp_path.glob("checkpoint-*")
    assert json.loads((folder / "state.json").read_text())["step"] == 4
    resumed = stage()
    assert train(resumed, seed=1, out=tmp_path, every=1).losses == want.losses
    assert world.same(world.bits(whole), world.bits(resumed))


def test_state_may_change_its_shape(world, tmp_path):
    def stage(break_at=None):
        made, _ = rich_stage(world, break_at)
        held = torch.nn.Module()
        held.register_buffer("numbers", torch.zeros(1))

        def grow(step):
            held.numbers = torch.arange(float(step))

        made.refresh = [Refresh(what=grow, every=3, state=held)]
        return made, held

    broken, _ = stage(8)
    with pytest.raises(Broken):
        train(broken, seed=1, out=tmp_path, every=2)
    made, held = stage()
    seen = []
    made.refresh[0] = Refresh(what=lambda step: seen.append((step, len(held.numbers))), every=3, state=held)
    train(made, seed=1, out=tmp_path, every=2)
    assert seen == [(9, 6)]


def test_the_best_weights_are_written_once(world, tmp_path):
    stage, _ = rich_stage(world, 11)
    stage.evaluation = Evaluation(score=iter([1.0, 3.0, 2.0, 2.0, 2.0]).__next__, every=3)
    with pytest.raises(Broken):
        train(stage, seed=1, out=tmp_path, every=2)
    (folder,) = tmp_path.glob("checkpoint-*")
    record = json.loads((folder / "state.json").read_text())
    assert record["choice"]["best"] == [3.0, 3]
    assert (folder / "best.safetensors").stat().st_size > 1000


PROGRAM = """
    import copy, sys, torch
    from isogloss.objectives.contract import Batch, Losses
    from isogloss.training.averaging import follow
    from isogloss.training.loop import train
    from isogloss.training.stage import Evaluation, Optimiser, Player, Refresh, Stage
    class Numbers:
        per_epoch = 60
        def __call__(self, step):
            random = torch.Generator().manual_seed(step)
            return Batch((torch.randn(16, 8, generator=random), torch.randn(16, 8, generator=random)))
    class Near:
        cacheable = True
        def __call__(self, outputs, batch):
            return Losses((outputs[0] - outputs[1] - 1).square().sum(1))
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.Dropout(0.2), torch.nn.Tanh(), torch.nn.Linear(32, 4))
    teacher = copy.deepcopy(model)
    stage = Stage(
        batches=Numbers(), steps=400, chunk=5,
        players=[Player(module=model, objective=Near(), ema=0.95, optimiser=Optimiser(learning_rate=1e-2))],
        refresh=[Refresh(what=follow(teacher, model, 0.9), every=7, state=teacher)],
        evaluation=Evaluation(score=lambda: -float((model(torch.ones(1, 8)) - 2).square().sum()), every=13),
    )
    print("ready", flush=True)
    summary = train(stage, seed=4, out=sys.argv[1], every=3)
    import hashlib
    tensors = [*model.state_dict().values(), *teacher.state_dict().values()]
    digest = hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in tensors))
    print(digest.hexdigest(), hash(tuple(summary.losses["train/model"])), summary.best, summary.steps)
"""


def newest(folder):
    """The number of the last checkpoint, -1 where there is none."""
    return max((int(path.name.split("-")[1]) for path in folder.glob("checkpoint-*")), default=-1)


@pytest.mark.slow
def test_sigkill_at_random_moments_changes_no_bit(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))

    def start(folder):
        command = [sys.executable, str(program), str(tmp_path / folder)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    whole, _ = start("whole").communicate(timeout=240)
    want = whole.splitlines()[-1]
    draw, reached = random.Random(time.time_ns()), [-1]
    for _ in range(5):
        process = start("killed")
        until = time.monotonic() + 120
        while newest(tmp_path / "killed") <= reached[-1] and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(draw.uniform(0.0, 0.3))
        assert process.poll() is None, "the run must be killed before its end"
        process.send_signal(signal.SIGKILL)
        process.communicate()
        reached.append(newest(tmp_path / "killed"))
    assert reached == sorted(set(reached)), "each part must have come further"
    got, _ = start("killed").communicate(timeout=240)
    assert got.splitlines()[-1] == want
    assert not list(Path(tmp_path / "killed").glob(".aside*"))


def test_the_optimiser_of_a_stage_is_described():
    assert checkpoints._plain(Optimiser(learning_rate=0.5))["learning_rate"] == 0.5
