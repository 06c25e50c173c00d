"""Speaker encoders: batches by hand, learning what was planted, vectors whatever the batch, runs that repeat."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.arrays import Ragged, normalise  # noqa: E402
from isogloss.errors import UsageError  # noqa: E402
from isogloss.seeding import generator  # noqa: E402
from isogloss.training.sound import FrameBatches, speaker_encoder, speaker_vectors, voices  # noqa: E402


def planted(speakers=3, each=8, seed=0):
    """Recordings whose speaker shows in the spread of one band only, never in a mean."""
    random = generator(seed, "planted")
    made, labels = [], []
    for speaker in range(speakers):
        for _ in range(each):
            frames = random.standard_normal((int(random.integers(12, 30)), 4))
            frames[:, speaker] *= 4
            made.append(frames.astype(np.float32))
            labels.append(speaker)
    return Ragged.from_list(made), np.array(labels)


def test_an_epoch_sees_every_recording_once_and_pieces_are_pieces():
    sound, labels = planted()
    batches = FrameBatches(sound, np.arange(len(labels)), frames=10, batch_size=7, seed=3)
    assert batches.per_epoch == 4
    seen = [int(one) for step in range(4) for one in batches(step).labels]
    assert sorted(seen) == list(range(24))
    batch = batches(5)
    for piece, number in zip(batch.columns[0].numpy(), batch.labels.tolist(), strict=True):
        whole = sound[number]
        assert any(np.array_equal(piece, whole[i : i + 10]) for i in range(len(whole) - 9))
    assert torch.equal(batches(5).columns[0], batch.columns[0])
    assert not torch.equal(batches(0).labels, batches(4).labels)  # another order in the next epoch


def test_short_recordings_are_repeated():
    sound = Ragged.from_list([np.arange(6, dtype=np.float32).reshape(3, 2)])
    (piece,) = FrameBatches(sound, np.zeros(1), frames=5).__call__(0).columns[0].numpy()
    rows = [tuple(row) for row in piece.tolist()]
    cycle = [(0, 1), (2, 3), (4, 5)]
    start = cycle.index(rows[0])
    assert rows == [cycle[(start + i) % 3] for i in range(5)]


def test_unheard_recordings_are_told_apart():
    sound, labels = planted(each=20)
    new, truth = planted(seed=1)
    network = speaker_encoder(sound, labels, steps=120, width=16, frames=12, batch_size=16, learning_rate=1e-2)
    with torch.inference_mode():
        found = [int(network(torch.from_numpy(frames[None])).argmax()) for frames in new]
    assert np.mean(np.array(found) == truth) > 0.9  # a third by chance


def test_vectors_do_not_depend_on_the_batch_and_runs_repeat():
    sound, labels = planted()
    first, second = (speaker_encoder(sound, labels, steps=3, width=4, dimensions=3, seed=5) for _ in range(2))
    whole = speaker_vectors(first, sound)
    assert np.array_equal(whole, speaker_vectors(second, sound))
    np.testing.assert_allclose(whole, speaker_vectors(first, sound, batch_size=1), atol=1e-5)
    by_hand = np.stack([normalise(whole)[labels == one].mean(0) for one in range(3)])
    np.testing.assert_allclose(voices(first, sound, labels), by_hand, atol=1e-6)
    other = speaker_encoder(sound, labels, steps=0, width=4, dimensions=3, seed=6)
    assert not np.allclose(whole, speaker_vectors(other, sound), atol=1e-3)


def test_recordings_that_give_no_batch_are_said():
    sound, labels = planted()
    empty = Ragged(np.zeros((0, 2), np.float32), np.zeros(2, np.int64))
    for bad in ((sound, labels[:3]), (empty, np.zeros(1))):
        with pytest.raises(UsageError, match="no batches"):
            FrameBatches(*bad)
