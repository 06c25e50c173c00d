"""Two processes learn what one learns from the same batches: gathered vectors, summed gradients."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap

import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

from isogloss.errors import MissingExtraError, UsageError  # noqa: E402
from isogloss.training import devices  # noqa: E402
from isogloss.training.loop import train  # noqa: E402

PROGRAM = """
    import sys, torch
    from torch import nn
    from safetensors.torch import save_file
    from isogloss.objectives.contract import Batch, Losses
    from isogloss.training.devices import Accelerated
    from isogloss.training.loop import train
    from isogloss.training.stage import Optimiser, Player, Stage

    class Rows:
        per_epoch = 6
        def __call__(self, step):
            random = torch.Generator().manual_seed(step)
            columns = tuple(torch.randn(7, 5, generator=random) for _ in range(2))  # seven rows do not divide by two
            return Batch(columns, weights=torch.rand(7, generator=random))

    class Softmax(nn.Module):
        def __init__(self, cacheable):
            super().__init__()
            self.cacheable, self.scale = cacheable, nn.Parameter(torch.tensor(2.0))
        def forward(self, outputs, batch):
            if not self.cacheable:  # item by item
                return Losses((outputs[0] - outputs[1] * self.scale).square().sum(1), batch.weights)
            scores = outputs[0] @ outputs[1].T * self.scale
            targets = torch.arange(len(scores))
            return Losses(nn.functional.cross_entropy(scores, targets, reduction="none"), batch.weights)

    out, count, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    where = None
    if count > 1:
        from accelerate import Accelerator
        where = Accelerated(Accelerator(cpu=True))
        assert where.count == count
    torch.manual_seed(0 if where is None else where.number)  # the first process's weights are everybody's
    model, objective = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 4)), Softmax(kind != "items")
    stage = Stage(
        batches=Rows(), steps=6, chunk=2 if kind == "cached" else 0, accumulate=2,
        players=[Player(module=model, objective=objective, optimiser=Optimiser(learning_rate=1e-2))],
    )
    summary = train(stage, seed=0, devices=where, out=out + ".run", every=2)
    number = 0 if where is None else where.number
    losses = torch.tensor(summary.losses["train/model"])
    save_file({**model.state_dict(), "scale": objective.scale.detach(), "losses": losses}, f"{out}.{number}")
"""


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def run(program, out, count, kind):
    command = [sys.executable, str(program), str(out), str(count), kind]
    port, started = str(free_port()), []
    for number in range(count):
        places = {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": str(count)}
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
        extra = {**places, **shared} if count > 1 else {}
        environment = {**os.environ, **extra, "CUDA_VISIBLE_DEVICES": ""}
        started.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    for process in started:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors[-3000:]
    return [safetensors.load_file(f"{out}.{number}") for number in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gathered", "cached", "items"])
def test_two_processes_learn_what_one_learns(tmp_path, kind):
    pytest.importorskip("accelerate")
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    (alone,) = run(program, tmp_path / "one", 1, kind)
    first, second = run(program, tmp_path / "two", 2, kind)
    assert all(torch.equal(first[name], second[name]) for name in first)
    for name, value in alone.items():
        assert torch.allclose(value, first[name], atol=2e-6), name
    assert float(alone["scale"]) != 2.0
    assert len(list((tmp_path / "two.run").glob("checkpoint-*"))) == 1


def test_one_process_needs_no_accelerate(world, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    assert train(world.make_stage(steps=1), seed=0).steps == 1
    with pytest.raises(MissingExtraError, match=r"isogloss\[train\]"):
        devices.Accelerated()


def test_a_batch_is_shared_by_hand():
    assert devices._cuts(7, 3) == [0, 3, 5, 7]
    with pytest.raises(UsageError, match="2 items for 3 processes"):
        devices._cuts(2, 3)


class Pretended(devices.Accelerated):
    """One of two processes that both hold the same rows."""

    def __init__(self, number):
        self.number, self.count = number, 2

    def rows(self, tensor, size):
        return torch.cat([tensor, tensor])[:size]


@pytest.mark.parametrize("number", [0, 1])
def test_the_gradient_of_gathered_rows_is_the_own_one_for_all(number):
    rows = torch.ones(2, 1, requires_grad=True)
    gathered = Pretended(number).gather(rows, 4)
    (gathered[:, 0] * torch.tensor([1.0, 2.0, 3.0, 4.0]) / 2).sum().backward()  # each process sends back a half
    assert rows.grad[:, 0].tolist() == [[1.0, 2.0], [3.0, 4.0]][number]
