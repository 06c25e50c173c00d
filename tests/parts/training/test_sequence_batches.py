"""Batches of pairs of token sequences: a function of the step, every pair once an epoch, and a model that learns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.seq2seq import Seq2Seq, Seq2SeqConfig  # noqa: E402
from isogloss.nn.transformer import TransformerConfig  # noqa: E402
from isogloss.objectives.sequence import TeacherForcing  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.sequence_batches import SequenceBatches, sequence_logits  # noqa: E402
from isogloss.training.stage import Optimiser, Player, Stage  # noqa: E402


def pairs(count):
    sources = [np.full(1 + i % 3, i, np.int64) for i in range(count)]
    return sources, [np.array([i, 0], np.int64) for i in range(count)]


@given(st.integers(1, 20), st.integers(1, 7), st.integers(0, 5))
def test_each_pair_once_an_epoch_with_its_own_target_label_and_weight(count, size, epoch):
    sources, targets = pairs(count)
    numbers = np.arange(count)
    batches = SequenceBatches(sources, targets, batch_size=size, seed=3, labels=numbers, weights=numbers / 2.0)
    seen = []
    for step in range(epoch * batches.per_epoch, (epoch + 1) * batches.per_epoch):
        batch = batches(step)
        read, written = batch.columns
        for i in range(batch.size):
            number = int(batch.labels[i])
            assert set(read.take(i, i + 1).ids.tolist()) == {number}
            assert written.take(i, i + 1).ids.tolist() == [number, 0]
            assert float(batch.weights[i]) == number / 2
        seen += batch.labels.tolist()
    assert sorted(seen) == list(range(count))


def orders(batches, steps):
    return [batches(step).columns[1].ids for step in steps]


def test_a_batch_depends_on_its_step_alone():
    sources, targets = pairs(9)
    one, two = (SequenceBatches(sources, targets, batch_size=4, seed=1) for _ in range(2))
    later = one(7).columns[0].ids
    assert torch.equal(later, two(7).columns[0].ids)
    assert [row.tolist() for row in orders(one, range(3))] != [row.tolist() for row in orders(one, range(3, 6))]
    other = SequenceBatches(sources, targets, batch_size=4, seed=2)
    assert any(not torch.equal(one(step).columns[1].ids, other(step).columns[1].ids) for step in range(3))


@pytest.mark.parametrize(
    ("sources", "targets", "size", "says"),
    [
        ([], [], 2, "0 pairs"),
        ([[1]], [[]], 2, "1 empty"),
        ([[1]], [[1], [2]], 2, "1 sources, 2"),
        ([[1]], [[1]], 0, "of 0"),
    ],
)
def test_nothing_to_learn_is_refused_with_counts(sources, targets, size, says):
    made = ([np.array(row, np.int64) for row in rows] for rows in (sources, targets))
    with pytest.raises(UsageError, match=says):
        SequenceBatches(*made, batch_size=size, seed=0)


def test_a_small_model_learns_to_turn_sequences_round():
    draw = np.random.default_rng(0)
    sources = [draw.integers(3, 9, size=3) for _ in range(64)]
    targets = [np.append(row[::-1], 2) for row in sources]
    torch.manual_seed(0)
    sizes = TransformerConfig(vocabulary=9, width=32, layers=1, heads=4, inner=64, positions=8, dropout=0.0)
    model = Seq2Seq(Seq2SeqConfig(encoder=sizes, layers=1, positions=4, start=1, end=2))
    player = Player(
        module=model, objective=TeacherForcing(), forward=sequence_logits, optimiser=Optimiser(learning_rate=4e-3)
    )
    batches = SequenceBatches(sources, targets, batch_size=32, seed=0)
    summary = train(Stage(batches=batches, players=[player], steps=250), seed=0)
    losses = next(iter(summary.losses.values()))
    assert losses[0] > 1.5
    assert np.mean(losses[-4:]) < 0.2
