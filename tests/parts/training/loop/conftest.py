"""Small worlds to learn in: a model with dropout over packed tokens, batches by number, an objective with a softmax."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.objectives.contract import Batch, Losses  # noqa: E402
from isogloss.training.stage import Optimiser, Player, Stage  # noqa: E402

WIDTH = 16


class MeanEncoder(torch.nn.Module):
    """Mean of a tiny transformer's states."""

    def __init__(self, dropout=0.1):
        super().__init__()
        sizes = {"vocabulary": 60, "width": WIDTH, "layers": 2, "heads": 2, "inner": 32, "positions": 16}
        self.transformer = Transformer(TransformerConfig(**sizes, dropout=dropout))

    def forward(self, packed):
        states = self.transformer(packed)
        sums = torch.zeros(len(packed), WIDTH, dtype=states.dtype).index_add(0, packed.texts(), states)
        return sums / packed.lengths[:, None]


class Softmax:
    """Cross entropy of each first-column row's partner among all second-column rows."""

    cacheable = True

    def __call__(self, outputs, batch):
        scores = outputs[0] @ outputs[1].T * 3
        targets = torch.arange(len(scores))
        values = torch.nn.functional.cross_entropy(scores, targets, reduction="none")
        return Losses(values, batch.weights, parts={"top": (scores.argmax(1) == targets).float().mean()})


class PackedBatches:
    """Two or more columns of random short texts; the batch of a step is drawn from the step."""

    def __init__(self, size=8, per_epoch=12, columns=2, weighted=False):
        self.size, self.per_epoch, self.columns, self.weighted = size, per_epoch, columns, weighted

    def __call__(self, step):
        random = np.random.default_rng(step)
        texts = [[random.integers(0, 60, random.integers(1, 9)) for _ in range(self.size)] for _ in range(self.columns)]
        weights = torch.from_numpy(random.random(self.size).astype(np.float32)) if self.weighted else None
        return Batch(tuple(pack(column) for column in texts), weights=weights)


def make_stage(seed=0, *, dropout=0.1, objective=None, batches=None, rate=1e-2, clip=1.0, ema=0.0, **settings):
    """A stage with one player; the model is drawn from the seed."""
    torch.manual_seed(seed)
    player = Player(
        module=MeanEncoder(dropout), objective=objective or Softmax(), ema=ema,
        optimiser=Optimiser(learning_rate=rate, clip=clip),
    )  # fmt: skip
    return Stage(batches=batches or PackedBatches(), players=[player], **settings)


def bits(stage):
    """All weights of a stage's players, in order."""
    return [tensor.clone() for player in stage.players for tensor in player.module.state_dict().values()]


def same(one, other):
    return len(one) == len(other) > 0 and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture
def world():
    names = (MeanEncoder, Softmax, PackedBatches, make_stage, bits, same)
    return SimpleNamespace(**{one.__name__: one for one in names})
