"""A network that foretells the vectors of tokens it has never seen from those of their pieces."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isogloss.nn.packing import Packed
from isogloss.nn.pooling import pool
from isogloss.nn.transformer import Transformer, TransformerConfig


class EmbeddingHypernetwork(nn.Module):
    """Token vectors from the vectors of pieces: their mean plus what a small transformer adds.

    A new token is written in the old tokenizer's pieces, the transformer reads their old vectors, and its pooled state
    corrects their mean. The correction begins at zero, so that an untrained network is the mean of the pieces.

    Source: Minixhofer, Ponti, Vulić 2024, "Zero-Shot Tokenizer Transfer", section 3.3 (https://arxiv.org/abs/2405.07883).

    Parameters
    ----------
    width
        Of the token vectors.
    layers, heads
        Of the transformer.
    longest
        Most pieces of a token; further ones are not read, but count in the mean.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> network = EmbeddingHypernetwork(8, layers=1, heads=2)
    >>> pieces = pack([np.array([0, 1]), np.array([2])])
    >>> bool(torch.allclose(network(pieces, torch.eye(3, 8))[1], torch.eye(3, 8)[2]))
    True
    """

    def __init__(self, width: int, *, layers: int = 2, heads: int = 2, longest: int = 16) -> None:
        super().__init__()
        self.longest = longest
        config = TransformerConfig(
            vocabulary=1, width=width, layers=layers, heads=heads, inner=2 * width, positions=longest, types=0,
            norm_first=True, dropout=0.0,
        )  # fmt: skip
        self.reader = Transformer(config)
        self.reader.embeddings.word = nn.Embedding(0, width)  # pieces come as vectors: there is no table of its own
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, pieces: Packed, table: Tensor) -> Tensor:
        """Return ``(n, width)`` vectors of tokens, each written as old pieces with vectors in ``table (V, width)``."""
        vectors = table[pieces.ids]  # (T, width)
        mean = pool(vectors, pieces, ("mean",))  # (n, width)
        kept = pieces.positions() < self.longest  # (T,)
        lengths = pieces.lengths.clamp_max(self.longest)
        offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])  # (n + 1,)
        short = Packed(pieces.ids[kept], offsets)
        states = self.reader(short, vectors=vectors[kept])  # (T', width)
        return mean + self.out(pool(states, short, ("mean",)))  # (n, width)
