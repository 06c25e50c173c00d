"""Mixed batches: every item as often as said, batches pure or in fixed portions, all a function of the step."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.contract import Batch, Losses  # noqa: E402
from isogloss.training import mixing  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.stage import Optimiser, Player, Stage, encode_columns  # noqa: E402


class Numbered:
    """Batches that say their own number."""

    def __init__(self, per_epoch, offset=0):
        self.per_epoch, self.offset = per_epoch, offset

    def __call__(self, step):
        return Batch((torch.full((4, 2), float(step + self.offset)),))


def test_shares_by_hand():
    assert mixing.shares([8, 1], temperature=3.0).tolist() == pytest.approx([2 / 3, 1 / 3])
    assert mixing.shares([5, 5, 5], [1, 2, 1]).tolist() == [0.25, 0.5, 0.25]
    assert mixing.shares([10**9, 1], temperature=1e9).tolist() == pytest.approx([0.5, 0.5])


@given(sizes=st.lists(st.integers(1, 1000), min_size=1, max_size=6), extra=st.integers(0, 300))
def test_portions_add_up(sizes, extra):
    parts, whole = mixing.shares(sizes), len(sizes) + extra
    counts = mixing.portions(parts, whole)
    assert sum(counts) == whole
    assert min(counts) >= 1
    assert all(abs(count - part * whole) < len(sizes) + 1 for count, part in zip(counts, parts, strict=True))
    assert mixing.portions(parts, sum(sizes)) == sizes


def test_a_mixture_shows_every_batch_once_an_epoch():
    mixture = mixing.TaskMixture({"a": Numbered(3), "b": Numbered(5)}, seed=1)
    assert mixture.per_epoch == 8
    seen = [(mixture(step).source, mixture(step).columns[0][0, 0].item()) for step in range(16)]
    for epoch, first in ((seen[:8], 0), (seen[8:], 1)):
        want = [("a", float(i + 3 * first)) for i in range(3)] + [("b", float(i + 5 * first)) for i in range(5)]
        assert sorted(epoch) == want
    assert [name for name, _ in seen[:8]] != [name for name, _ in seen[8:]]


def test_a_mixture_is_a_function_of_the_step():
    sources = {"a": Numbered(3), "b": Numbered(5, 100)}
    forth = [mixing.TaskMixture(sources, seed=1)(step).columns[0][0, 0].item() for step in range(20)]
    one = mixing.TaskMixture(sources, seed=1)
    assert [one(step).columns[0][0, 0].item() for step in reversed(range(20))] == forth[::-1]
    other = mixing.TaskMixture(sources, seed=2)
    assert [other(step).columns[0][0, 0].item() for step in range(20)] != forth


def test_a_mixtures_weights_and_temperature():
    sources = {"large": Numbered(900), "small": Numbered(100)}
    even = mixing.TaskMixture(sources, seed=0, temperature=2.0)
    assert Counter(even(step).source for step in range(1000)) == {"large": 750, "small": 250}
    weighted = mixing.TaskMixture(sources, seed=0, weights={"small": 3, "large": 1}, per_epoch=8)
    assert Counter(weighted(step).source for step in range(8)) == {"small": 6, "large": 2}


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60), batch_size=st.integers(1, 9), mix_rest=st.booleans()
)
def test_grouped_batches_are_pure_and_whole(labels, batch_size, mix_rest):
    order = mixing.Grouped(labels, batch_size=batch_size, seed=3, mix_rest=mix_rest)
    for epoch in range(2):
        batches = [order(epoch * order.per_epoch + step) for step in range(order.per_epoch)]
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(labels)))
        assert all(0 < len(batch) <= batch_size for batch in batches)
        mixed = [batch for batch in batches if len({labels[item] for item in batch}) > 1]
        rest = sum(count % batch_size for count in Counter(labels).values())
        assert len(mixed) <= (-(-rest // batch_size) if mix_rest else 0)
        assert not mix_rest or sum(map(len, mixed)) <= rest


def test_grouped_epochs_differ():
    order = mixing.Grouped([0] * 8 + [1] * 8, batch_size=4, seed=0)
    epochs = [[order(4 * epoch + step).tolist() for step in range(4)] for epoch in range(2)]
    assert epochs[0] != epochs[1]
    assert [order(step).tolist() for step in range(4)] == epochs[0]


@given(sizes=st.lists(st.integers(6, 40), min_size=2, max_size=4), batch_size=st.integers(4, 6))
def test_stratified_batches_hold_their_portions(sizes, batch_size):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    order = mixing.Stratified(labels, batch_size=batch_size, seed=0)
    seen = Counter()
    for step in range(200):
        batch = order(step)
        assert len(set(batch.tolist())) == batch_size
        counts = Counter(labels[batch].tolist())
        assert [counts[number] for number in range(len(sizes))] == order.portions
        seen.update(batch.tolist())
    assert len(seen) == sum(sizes), "every item has its turn"


def test_stratified_is_a_function_of_the_step():
    labels = [0] * 7 + [1] * 4
    forth = [mixing.Stratified(labels, batch_size=4, seed=0)(step).tolist() for step in range(12)]
    one = mixing.Stratified(labels, batch_size=4, seed=0)
    assert [one(step).tolist() for step in reversed(range(12))] == forth[::-1]


def test_ordered_batches_carry_the_name_of_their_source():
    vectors = torch.arange(6.0)[:, None]
    order = mixing.Grouped([0, 0, 0, 1, 1, 1], batch_size=3, seed=0)
    batches = mixing.OrderedBatches(
        lambda items: Batch((vectors[torch.from_numpy(items)],)), order, ["x"] * 3 + ["y"] * 3
    )
    found = {batches(step).source: sorted(batches(step).columns[0][:, 0].tolist()) for step in range(batches.per_epoch)}
    assert found == {"x": [0.0, 1.0, 2.0], "y": [3.0, 4.0, 5.0]}
    mixed = mixing.OrderedBatches(
        batches.items, mixing.Stratified([0, 0, 0, 1, 1, 1], batch_size=2, seed=0), ["x"] * 3 + ["y"] * 3
    )
    assert mixed(0).source == ""


class Towards:
    cacheable = True

    def __init__(self, goal):
        self.goal, self.seen = goal, []

    def __call__(self, outputs, batch):
        self.seen.append((batch.source, batch.columns[0].min().item() >= 100))
        return Losses((outputs[0][:, 0] - self.goal).square())


@pytest.mark.parametrize("chunk", [0, 3])
def test_two_tasks_are_learned_by_one_model(chunk):
    class Flags:
        def __init__(self, flag):
            self.flag, self.per_epoch = flag, 40

        def __call__(self, step):
            return Batch((torch.full((4, 1), self.flag),))

    torch.manual_seed(0)
    module = torch.nn.Linear(1, 1)
    objectives = {"up": Towards(2.0), "down": Towards(-1.0)}
    mixture = mixing.TaskMixture({"up": Flags(1.0), "down": Flags(-1.0)}, seed=0)
    mover = Optimiser(learning_rate=0.1, weight_decay=0.0)
    player = Player(
        module=module, objective=mixing.BySource(objectives), optimiser=mover,
        forward=mixing.forward_by_source({"up": encode_columns, "down": encode_columns}),
    )  # fmt: skip
    train(Stage(batches=mixture, players=[player], steps=200, chunk=chunk), seed=0)
    assert {name for name, _ in objectives["up"].seen} == {"up"}
    assert {name for name, _ in objectives["down"].seen} == {"down"}
    assert module(torch.tensor([[1.0], [-1.0]]))[:, 0].tolist() == pytest.approx([2.0, -1.0], abs=0.1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: mixing.shares([3, 0]),
        lambda: mixing.shares([3, 1], [1.0, 0.0]),
        lambda: mixing.shares([3, 1], [1.0]),
        lambda: mixing.shares([3, 1], temperature=0.0),
        lambda: mixing.portions(np.array([0.5, 0.5]), 1),
        lambda: mixing.TaskMixture({"a": Numbered(1)}, seed=0, weights={"b": 1.0}),
        lambda: mixing.Grouped([], batch_size=3, seed=0),
        lambda: mixing.Stratified([0, 0, 0, 1], batch_size=4, seed=0, weights=[1, 3]),
        lambda: mixing.BySource({"a": Towards(0.0)})(None, Batch(([1],), source="b")),
    ],
)
def test_what_makes_no_sense_is_refused(make):
    with pytest.raises(UsageError):
        make()
