"""Vectors of earlier batches, kept as further negatives."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError


class MomentumQueue(nn.Module):
    """The last vectors that a momentum encoder gave, first in, first out; its tensors are saved with checkpoints.

    Source: He et al. 2020, "Momentum Contrast for Unsupervised Visual Representation Learning"
    (https://arxiv.org/abs/1911.05722).

    Parameters
    ----------
    size
        Vectors kept.
    width
        Numbers of a vector.

    Examples
    --------
    >>> queue = MomentumQueue(size=3, width=1)
    >>> for start in (0.0, 2.0):
    ...     queue.push(torch.tensor([[start], [start + 1]]), torch.tensor([int(start), int(start) + 1]))
    >>> queue.kept()[0][:, 0].tolist(), queue.kept()[1].tolist()
    ([1.0, 2.0, 3.0], [1, 2, 3])
    """

    vectors: Tensor
    keys: Tensor
    filled: Tensor

    def __init__(self, *, size: int, width: int) -> None:
        super().__init__()
        if size < 1:
            raise UsageError(f"a queue of {size} vectors cannot be filled", "the size must be at least 1")
        self.register_buffer("vectors", torch.zeros(size, width))
        self.register_buffer("keys", torch.full((size,), -1, dtype=torch.int64))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def push(self, vectors: Tensor, keys: Tensor | None = None) -> None:
        """Add ``(n, width)`` vectors with their ``(n,)`` keys (see ``Batch.keys``; None: unknown), dropping the oldest.

        Raises
        ------
        UsageError
            Where the width is another one.
        """
        size, width = self.vectors.shape
        if vectors.ndim != 2 or vectors.shape[1] != width:
            raise UsageError(f"the queue takes vectors of {width} numbers", f"these are {tuple(vectors.shape)}")
        numbers = torch.full((len(vectors),), -1, dtype=torch.int64) if keys is None else keys
        old, known = self.kept()
        kept = torch.cat([old, vectors.detach().to(old)])[-size:]  # (at most size, width)
        named = torch.cat([known, numbers.to(known)])[-size:]
        self.vectors[: len(kept)], self.keys[: len(kept)] = kept, named
        self.filled.fill_(len(kept))

    def kept(self) -> tuple[Tensor, Tensor]:
        """Return the vectors ``(m, width)`` and keys ``(m,)`` in the queue, oldest first."""
        return self.vectors[: int(self.filled)].clone(), self.keys[: int(self.filled)].clone()
