"""Word vectors that stay as they are, under layers that learn."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.nn.packing import Packed


class FixedWords(nn.Module):
    """The beginning of a :class:`~isogloss.nn.backbones.Backbone`: a table of word vectors without a gradient.

    Layers wider than the vectors get zeros behind them, which is the same function as layers that read the vectors
    alone: what multiplies a zero is never used. Fixed vectors under recurrent layers are those of Conneau et al. 2017,
    "Supervised Learning of Universal Sentence Representations" (https://arxiv.org/abs/1705.02364).

    Parameters
    ----------
    table
        ``(V, d)`` vectors; they are copied.
    width
        Of the layers above, at least ``d``; ``d`` where None.

    Raises
    ------
    UsageError
        Where the layers are narrower than the vectors.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from isogloss.nn.packing import pack
    >>> words = FixedWords(torch.tensor([[1.0], [2.0]]), width=3)
    >>> words(pack([np.array([1, 0])])).tolist()
    [[2.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """

    def __init__(self, table: Tensor, *, width: int | None = None) -> None:
        super().__init__()
        size = table.shape[1]
        self.width = size if width is None else width
        if self.width < size:
            raise UsageError(f"layers of width {self.width} cannot read {size} numbers a word", "", f"width={size}")
        self.word = nn.Embedding.from_pretrained(table.detach().clone(), freeze=True)

    def forward(self, packed: Packed) -> Tensor:
        """Return ``(T, width)``."""
        return functional.pad(self.word(packed.ids), (0, self.width - self.word.embedding_dim))  # (T, width)
