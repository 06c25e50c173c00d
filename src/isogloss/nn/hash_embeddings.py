"""Embeddings without a vocabulary: a few rows of a small table, chosen by hashes, are summed for each feature."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError


class HashEmbedding(nn.Module):
    """The sum of several rows of a table.

    Two values share a vector only where all their rows are the same: with ``r`` rows and ``h`` hashes about one pair in
    ``r ** h / h!``, where one row each would make it one in ``r``.

    Source: Miranda et al. 2022, "Multi hash embeddings in spaCy" (https://arxiv.org/abs/2212.09255).

    Parameters
    ----------
    rows, width
        Size of the table.

    Examples
    --------
    >>> table = HashEmbedding(10, 4)
    >>> tuple(table(torch.tensor([[1, 7], [3, 3]])).shape)
    (2, 4)
    """

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        if min(rows, width) < 1:
            raise UsageError("a table needs rows and columns", f"{rows} x {width}")
        self.table = nn.EmbeddingBag(rows, width, mode="sum")
        nn.init.uniform_(self.table.weight, -0.1, 0.1)

    def forward(self, chosen: Tensor) -> Tensor:
        """Return ``(n, width)`` for row numbers ``(n, hashes)``."""
        summed: Tensor = self.table(chosen)  # (n, hashes) -> (n, width)
        return summed


class MultiHashEmbedding(nn.Module):
    """One hashed table for each feature of a word, mixed by a maxout layer to one width.

    Parameters
    ----------
    rows
        Rows of each feature's table.
    width
        Of each table and of the result.
    pieces
        Linear maps of which maxout takes the largest.
    dropout
        Of the result, in training.

    Examples
    --------
    >>> layer = MultiHashEmbedding([10, 5], 4)
    >>> tuple(layer([torch.tensor([[1, 7]]), torch.tensor([[0, 4]])]).shape)
    (1, 4)
    """

    def __init__(self, rows: Sequence[int], width: int, *, pieces: int = 3, dropout: float = 0.0) -> None:
        super().__init__()
        self.tables = nn.ModuleList(HashEmbedding(size, width) for size in rows)
        self.mix = nn.Linear(len(rows) * width, pieces * width)
        self.norm, self.dropout, self.pieces = nn.LayerNorm(width), nn.Dropout(dropout), pieces

    def forward(self, chosen: Sequence[Tensor]) -> Tensor:
        """Return ``(n, width)`` for the row numbers ``(n, hashes)`` of each feature."""
        joined = torch.cat([table(rows) for table, rows in zip(self.tables, chosen, strict=True)], 1)  # (n, F w)
        mixed = self.mix(joined).unflatten(1, (self.pieces, -1)).amax(1)  # (n, pieces w) -> (n, pieces, w) -> (n, w)
        found: Tensor = self.dropout(self.norm(mixed))  # (n, w)
        return found
