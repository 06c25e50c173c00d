"""Gradient caching gives the gradient of one graph over all pieces.

Invariants: equal to the plain pass where nothing is random; equal to one graph over the pieces with the same random
numbers where dropout is on; any number of columns, sizes that do not divide, Packed or tensors, weights, accumulation,
a learned objective. Guards: the gradient is not zero, and dropout really drops.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.contract import Batch, Losses  # noqa: E402
from isogloss.seeding import derive  # noqa: E402
from isogloss.training import caching  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.randomness import seeded  # noqa: E402
from isogloss.training.stage import Player  # noqa: E402


def gradients(module):
    found = [p.grad.clone() for p in module.parameters() if p.grad is not None]
    module.zero_grad(set_to_none=True)
    assert found
    assert sum(float(gradient.abs().sum()) for gradient in found) > 1e-3, "a gradient of zero proves nothing"
    return found


def furthest(one, other):
    assert len(one) == len(other)
    scale = max(float(a.abs().max()) for a in one)
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True)) / scale


def plain(player, batch):
    losses = player.objective(player.forward(player.module, batch), batch)
    losses.totals()[0].backward()
    return losses, gradients(player.module)


def one_graph_over_pieces(player, batch, chunk, seed):
    """The oracle with dropout: keep the graph of every piece, then one objective and one backward pass."""
    parts = []
    for number, start in enumerate(range(0, batch.size, chunk)):
        with seeded(derive(derive(seed, "device", 0), "piece", number)):
            parts.append(player.forward(player.module, batch.take(start, min(start + chunk, batch.size))))
    outputs = tuple(torch.cat(column) for column in zip(*parts, strict=True))
    losses = player.objective(outputs, batch)
    losses.totals()[0].backward()
    return losses, gradients(player.module)


@pytest.mark.parametrize("columns", [2, 3])
@pytest.mark.parametrize("chunk", [7, 100, 256, 300])
def test_without_dropout_it_equals_the_plain_pass_at_batch_256(world, columns, chunk):
    batch = world.PackedBatches(size=256, columns=columns, weighted=True)(0)
    player = world.make_stage(dropout=0.0).players[0]
    expected, want = plain(player, batch)
    losses = caching.backward(player, batch, chunk, seed=1)
    assert furthest(want, gradients(player.module)) < 1e-5
    assert torch.allclose(losses.values, expected.values, atol=1e-5)


@pytest.mark.parametrize("chunk", [32, 100])
def test_with_dropout_it_equals_one_graph_over_the_pieces_at_batch_256(world, chunk):
    batch = world.PackedBatches(size=256)(0)
    player = world.make_stage(dropout=0.3).players[0]
    player.module.train()
    expected, want = one_graph_over_pieces(player, batch, chunk, seed=5)
    losses = caching.backward(player, batch, chunk, seed=5)
    assert furthest(want, gradients(player.module)) < 1e-5
    assert torch.allclose(losses.values, expected.values, atol=1e-5)
    caching.backward(player, batch, chunk, seed=6)
    assert furthest(want, gradients(player.module)) > 1e-2, "another seed must drop other values"


def test_the_second_pass_drops_what_the_first_one_dropped(world):
    seen = []
    player = world.make_stage(dropout=0.5).players[0]
    player.module.train()
    player.module.register_forward_hook(lambda _module, _inputs, output: seen.append(output.detach().clone()))
    caching.backward(player, world.PackedBatches(size=6)(0), 2, seed=3)
    first, second = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    assert len(first) == 6
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    player.module.eval()
    assert not torch.equal(first[0], player.module(world.PackedBatches(size=6)(0).columns[0].take(0, 2)))


class Spread:
    """A learned objective on one tensor: not a tuple, not packed."""

    cacheable = True

    def __init__(self):
        self.scale = torch.nn.Parameter(torch.tensor(0.7))

    def __call__(self, outputs, batch):
        return Losses((outputs - outputs.mean(0)).square().sum(1) * self.scale + batch.labels)


@given(size=st.integers(1, 9), chunk=st.integers(1, 10), accumulate=st.integers(1, 3))
def test_any_cut_of_plain_tensors_gives_the_same_gradient(size, chunk, accumulate):
    torch.manual_seed(size)
    module, objective = torch.nn.Linear(3, 2), Spread()
    player = Player(module=module, objective=objective, forward=lambda module, batch: module(batch.columns[0]))
    batches = [Batch((torch.randn(size, 3) + 1,), labels=torch.zeros(size)) for _ in range(accumulate)]
    for batch in batches:
        player.objective(player.forward(module, batch), batch).totals()[0].backward()
    want = [p.grad.clone() for p in (module.weight, module.bias, objective.scale)]
    for parameter in (module.weight, module.bias, objective.scale):
        parameter.grad = None
    for batch in batches:
        caching.backward(player, batch, chunk, seed=0)
    assert torch.allclose(module.weight.grad, want[0], atol=1e-5)
    assert torch.allclose(objective.scale.grad, want[2], atol=1e-5)
    if size > 1:
        assert float(want[0].abs().max()) > 0


def test_a_whole_run_in_pieces_equals_the_run_at_once(world):
    runs = []
    for chunk in (0, 3):
        stage = world.make_stage(dropout=0.0, chunk=chunk, accumulate=2, rate=1e-3)
        runs.append((train(stage, seed=0).losses["train/model"], world.bits(stage)))
    assert runs[0][0] == pytest.approx(runs[1][0], abs=1e-5)
    assert max(float((a - b).abs().max()) for a, b in zip(runs[0][1], runs[1][1], strict=True)) < 1e-4
    assert not world.same(runs[0][1], world.bits(world.make_stage(dropout=0.0)))


def test_a_frozen_column_gets_no_gradient(world):
    """One column of a frozen teacher: its vectors collect a gradient that goes nowhere."""
    player = world.make_stage(dropout=0.0).players[0]
    player.forward = lambda module, batch: (module(batch.columns[0]), module(batch.columns[1]).detach())
    batch = world.PackedBatches(size=10)(0)
    _, want = plain(player, batch)
    caching.backward(player, batch, 4, seed=0)
    assert furthest(want, gradients(player.module)) < 1e-5


def test_what_cannot_be_cached_is_refused(world):
    stage = world.make_stage(chunk=2)
    stage.players[0].objective.cacheable = False
    with pytest.raises(UsageError, match="accumulate"):
        train(stage, seed=0)
    stage = world.make_stage(chunk=2)
    stage.players[0].forward = lambda module, batch: module.transformer(batch.columns[0])  # a row a token
    with pytest.raises(UsageError, match="chunk=0"):
        train(stage, seed=0)


@pytest.mark.slow
def test_memory_stays_flat_up_to_batch_8192(world):
    """Activations kept at any moment, counted tensor by tensor, do not grow with the batch."""
    held = {}
    for size in (1024, 8192):
        player = world.make_stage(dropout=0.1, objective=LinearTime()).players[0]
        player.module.train()
        with Most() as most:
            caching.backward(player, world.PackedBatches(size=size)(0), 512, seed=0)
        held[size] = most.bytes
    assert held[8192] < 1.25 * held[1024], held
    with Most() as most:
        plain(player, world.PackedBatches(size=8192)(0))
    assert most.bytes > 5 * held[8192], "the measure must see a plain pass grow"


class LinearTime:
    cacheable = True

    def __call__(self, outputs, batch):
        return Losses((outputs[0] - outputs[1].mean(0)).square().sum(1))


class Most(torch.autograd.graph.saved_tensors_hooks):
    """The most bytes that lay saved for a backward pass at one time."""

    def __init__(self):
        self.bytes, self.now = 0, 0
        super().__init__(self.keep, lambda kept: kept.tensor)

    def __enter__(self):
        super().__enter__()
        return self

    def keep(self, tensor):
        return Kept(tensor, self)


class Kept:
    def __init__(self, tensor, most):
        self.tensor, self.most, self.size = tensor, most, tensor.numel() * tensor.element_size()
        most.now += self.size
        most.bytes = max(most.bytes, most.now)

    def __del__(self):
        self.most.now -= self.size
