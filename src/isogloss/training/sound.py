"""Speaker encoders: batches of pieces of recordings, training to tell speakers apart, and frozen vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from isogloss.arrays import Dense, Ragged, normalise
from isogloss.errors import UsageError
from isogloss.nn.time_delay import TimeDelayNetwork
from isogloss.objectives.class_prediction import ClassPrediction, predict_classes
from isogloss.objectives.contract import Batch
from isogloss.seeding import derive, generator
from isogloss.training.loop import train
from isogloss.training.randomness import seeded
from isogloss.training.stage import Optimiser, Player, Stage


class FrameBatches:
    """Batches of pieces of recordings with a class each, a pure function of the step.

    Parameters
    ----------
    recordings
        Frames of each recording.
    labels
        ``(n,)`` class of each.
    frames
        Frames of a piece, at a place drawn anew each time; shorter recordings are repeated.
    batch_size
        Recordings a batch; the last of an epoch may be smaller.
    seed
        Of orders and places.

    Raises
    ------
    UsageError
        Where there is no recording, one is empty, or labels do not fit.

    Examples
    --------
    >>> sound = Ragged.from_list([np.ones((9, 2), np.float32)] * 3)
    >>> batches = FrameBatches(sound, np.arange(3), frames=5, batch_size=2)
    >>> batches.per_epoch, tuple(batches(0).columns[0].shape)
    (2, (2, 5, 2))
    """

    def __init__(
        self, recordings: Ragged, labels: NDArray[Any], *, frames: int = 40, batch_size: int = 32, seed: int = 0
    ) -> None:
        lengths = np.diff(recordings.offsets)
        if not len(recordings) or len(labels) != len(recordings) or lengths.min() < 1 or min(frames, batch_size) < 1:
            why = f"{len(recordings)} recordings, {len(labels)} labels, {int((lengths < 1).sum())} empty ones"
            raise UsageError("these recordings give no batches", why, "give frames and a label for each")
        self.recordings, self.labels, self.frames = recordings, np.asarray(labels, np.int64), frames
        self.batch_size, self.seed = batch_size, seed
        self.per_epoch: int = -(-len(recordings) // batch_size)

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step: frames ``(n, frames, bands)`` and labels."""
        epoch, part = divmod(step, self.per_epoch)
        order = generator(self.seed, "recordings", epoch).permutation(len(self.recordings))
        chosen = order[part * self.batch_size : (part + 1) * self.batch_size]
        random = generator(self.seed, "pieces", step)
        pieces = np.stack([self._piece(self.recordings[int(i)], random) for i in chosen])
        return Batch((torch.from_numpy(pieces),), torch.from_numpy(self.labels[chosen]))

    def _piece(self, frames: Dense, random: np.random.Generator) -> Dense:
        if len(frames) < self.frames:
            frames = np.tile(frames, (-(-self.frames // len(frames)), 1))
        start = int(random.integers(len(frames) - self.frames + 1))
        return np.asarray(frames[start : start + self.frames], np.float32)


def speaker_encoder(
    recordings: Ragged, labels: NDArray[Any], *, steps: int, width: int = 64, dimensions: int = 64, frames: int = 40,
    batch_size: int = 32, learning_rate: float = 2e-3, seed: int = 0,
) -> TimeDelayNetwork:  # fmt: skip
    """Train a time-delay network to tell speakers apart; with no steps it keeps its first, random weights.

    Parameters
    ----------
    recordings, labels
        Frames of each recording ``(t, bands)``, and its speaker ``0 .. classes - 1``.
    steps
        How many.
    width, dimensions
        Of the network.
    frames, batch_size, learning_rate
        Of the batches and of the optimiser.
    seed
        Of weights, batches and places.

    Examples
    --------
    >>> sound = Ragged.from_list([np.full((9, 2), i, np.float32) for i in range(4)])
    >>> network = speaker_encoder(sound, np.arange(4) % 2, steps=1, width=4, dimensions=3, frames=5, batch_size=4)
    >>> speaker_vectors(network, sound).shape
    (4, 3)
    """
    with seeded(derive(seed, "weights")):
        network = TimeDelayNetwork(
            recordings.values.shape[1], int(labels.max()) + 1, width=width, dimensions=dimensions
        )
    if steps:
        batches = FrameBatches(recordings, labels, frames=frames, batch_size=batch_size, seed=seed)
        optimiser = Optimiser(learning_rate=learning_rate)
        player = Player(module=network, objective=ClassPrediction(), forward=predict_classes, optimiser=optimiser)
        train(Stage(batches=batches, players=[player], steps=steps, name="speakers"), seed=seed)
    return network.eval()


def speaker_vectors(network: TimeDelayNetwork, recordings: Ragged, *, batch_size: int = 256) -> Dense:
    """Return the frozen vector of each recording ``(n, dimensions)``, of whatever length it is.

    Parameters
    ----------
    network, recordings
        What encodes, and what.
    batch_size
        Recordings at once; sorted by length, so that little is padded.
    """
    lengths = np.diff(recordings.offsets)
    order = np.argsort(lengths, kind="stable")
    out = np.zeros((len(recordings), network.embedding.out_features), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            padded = np.zeros((len(rows), int(lengths[rows].max()), recordings.values.shape[1]), np.float32)
            for place, row in enumerate(rows.tolist()):
                padded[place, : lengths[row]] = recordings[row]
            made = network.embed(torch.from_numpy(padded), torch.from_numpy(lengths[rows]))
            out[rows] = made.float().numpy()
    return out


def voices(network: TimeDelayNetwork, recordings: Ragged, speakers: NDArray[Any]) -> Dense:
    """Return a vector a speaker: the mean of the unit vectors of its recordings, speakers in ascending order.

    Parameters
    ----------
    network, recordings
        What encodes, and what.
    speakers
        ``(n,)`` speaker of each recording.

    Examples
    --------
    >>> sound = Ragged.from_list([np.full((9, 2), i, np.float32) for i in range(4)])
    >>> network = speaker_encoder(sound, np.arange(4) % 2, steps=0, width=4, dimensions=3)
    >>> voices(network, sound, np.array([7, 5, 7, 5])).shape
    (2, 3)
    """
    rows = normalise(speaker_vectors(network, recordings))
    return np.stack([rows[speakers == one].mean(0) for one in np.unique(speakers)])  # (speakers, dimensions)
