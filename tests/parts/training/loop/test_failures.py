"""What goes wrong is said, the weights are those of before, and nothing lies half-written."""

from __future__ import annotations

import signal
import threading

import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import NonFiniteError, UsageError  # noqa: E402
from isogloss.objectives.contract import Losses  # noqa: E402
from isogloss.training.failures import OutOfMemoryError  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.stage import Evaluation  # noqa: E402


class Poisoned:
    """An objective that fails at its n-th call."""

    cacheable = True

    def __init__(self, inner, at, how):
        self.inner, self.left, self.how = inner, at, how

    def __call__(self, outputs, batch):
        losses = self.inner(outputs, batch)
        self.left -= 1
        return self.how(losses) if self.left < 0 else losses


def infinite(losses):
    return Losses(losses.values * float("inf"))


def bad_gradient(losses):
    shifted = losses.values - losses.values.detach()
    return Losses(losses.values + shifted.abs().sqrt())  # finite, with a gradient of infinity times zero


def out_of_memory(_losses):
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: 1 GB")


def no_memory(_losses):
    raise MemoryError


@pytest.mark.parametrize("chunk", [0, 3])
@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        (infinite, NonFiniteError, "at step 4 of train"),
        (bad_gradient, NonFiniteError, "the gradient of model is nan"),
        (out_of_memory, OutOfMemoryError, "set chunk="),
        (no_memory, OutOfMemoryError, "8 items a batch"),
    ],
)
def test_the_weights_of_before_are_kept(world, tmp_path, how, error, words, chunk):
    short = world.make_stage(chunk=chunk, steps=12)
    kept = []
    short.batches = Recording(short.batches, short, kept, world)
    train(short, seed=0)
    stage = world.make_stage(chunk=chunk, steps=12)
    stage.players[0].objective = Poisoned(world.Softmax(), 4, how)
    with pytest.raises(error, match=words):
        train(stage, seed=0, out=tmp_path, every=3)
    assert world.same(world.bits(stage), kept[4])
    assert not world.same(kept[4], kept[3])
    assert all(p.grad is None for p in stage.players[0].module.parameters())
    assert not stage.players[0].module.training
    assert len(list(tmp_path.glob("checkpoint-*"))) == 1
    assert not list(tmp_path.glob(".aside*"))


class Recording:
    """Batches that note the weights when each is asked for."""

    def __init__(self, batches, stage, kept, world):
        self.batches, self.stage, self.kept, self.world = batches, stage, kept, world
        self.per_epoch, self.asked = batches.per_epoch, -1

    def __call__(self, step):
        if self.asked >= 0:  # the first one is only looked at for its size
            self.kept.append(self.world.bits(self.stage))
        self.asked = step
        return self.batches(step)


def test_a_weight_of_zero_hides_an_infinite_loss(world):
    class Masked:
        cacheable = True

        def __call__(self, outputs, batch):
            values = (outputs[0] - outputs[1]).square().sum(1)
            return Losses(
                torch.cat([values, values.new_full((1,), float("inf"))]), torch.cat([torch.ones(8), torch.zeros(1)])
            )

    assert len(train(world.make_stage(objective=Masked()), seed=0).losses["train/model"]) == 12


def test_an_unlike_error_is_not_dressed_up(world):
    def fail(_losses):
        raise RuntimeError("shapes do not fit")

    stage = world.make_stage(objective=Poisoned(world.Softmax(), 0, fail))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train(stage, seed=0)


def test_no_items_and_one_item(world):
    with pytest.raises(UsageError, match="no items"):
        train(world.make_stage(batches=world.PackedBatches(per_epoch=0)), seed=0)
    with pytest.raises(UsageError, match="no items"):
        train(world.make_stage(batches=world.PackedBatches(size=0)), seed=0)
    stage = world.make_stage(batches=world.PackedBatches(size=1))
    before = world.bits(stage)
    with pytest.raises(UsageError, match="cannot learn from one item"):
        train(stage, seed=0)
    assert world.same(before, world.bits(stage))
    with pytest.raises(UsageError, match="has no steps"):
        train(world.make_stage(steps=0), seed=0)


def test_a_gradient_that_is_always_zero_is_said(world):
    class Flat:
        cacheable = True

        def __call__(self, outputs, batch):
            return Losses((outputs[0] * 0).sum(1))

    stage = world.make_stage(objective=Flat())
    before = world.bits(stage)
    with pytest.raises(UsageError, match="first 10 steps is zero"):
        train(stage, seed=0)
    assert world.same(before, world.bits(stage))


def test_nothing_trainable(world):
    stage = world.make_stage()
    stage.players[0].module.requires_grad_(False)
    with pytest.raises(UsageError, match="nothing to learn"):
        train(stage, seed=0)


def test_a_score_that_is_no_number(world):
    with pytest.raises(NonFiniteError, match="after 0 steps"):
        train(world.make_stage(evaluation=Evaluation(score=lambda: float("nan"))), seed=0)


def test_an_output_that_is_a_file(world, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="not a folder"):
        train(world.make_stage(), seed=0, out=tmp_path / "file")


def test_ctrl_c_ends_the_step_and_keeps_a_checkpoint(world, tmp_path):
    whole = world.make_stage()
    want = train(whole, seed=0)
    stage = world.make_stage()
    batches = stage.batches

    class Interrupting:
        per_epoch = batches.per_epoch

        def __call__(self, step):
            if step == 5:
                signal.raise_signal(signal.SIGINT)  # to this thread, at once
            return batches(step)

    stage.batches = Interrupting()
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(stage, seed=0, out=tmp_path)
    assert signal.getsignal(signal.SIGINT) is before
    resumed = world.make_stage()
    assert train(resumed, seed=0, out=tmp_path).losses == want.losses
    assert len(want.losses["train/model"]) == 12
    assert world.same(world.bits(whole), world.bits(resumed))


def test_a_second_ctrl_c_interrupts_at_once(world):
    stage = world.make_stage(steps=1)

    def twice(_losses):
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)  # to this thread: os.kill may reach another one, and act late
        raise AssertionError("the second one must have interrupted")

    stage.players[0].objective = Poisoned(world.Softmax(), 0, twice)
    with pytest.raises(KeyboardInterrupt):
        train(stage, seed=0)


def test_another_thread_can_train(world):
    done = []
    thread = threading.Thread(target=lambda: done.append(train(world.make_stage(), seed=0).steps))
    thread.start()
    thread.join()
    assert done == [12]
