"""A static encoder as a torch module: the mean of token vectors, with a gradient for the tokens of the batch alone."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.nn.packing import Packed


class StaticModel(nn.Module):
    """The mean (or sum) of each text's token vectors, scaled to length one where asked for.

    The bag of vectors of fastText (https://arxiv.org/abs/1607.01759) and of StaticEmbedding. Each token of a batch is
    looked up once; the table's gradient is sparse, so that a step costs what the batch has, not what the table has.

    Parameters
    ----------
    rows
        ``(V, d)`` token vectors to begin with.
    finish
        ``"unit"`` (length one), ``"mean"`` or ``"sum"``. A text without tokens is a vector of zeros.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> model = StaticModel(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), finish="mean")
    >>> model(pack([np.array([0, 1, 1, 1]), np.array([], np.int64)])).tolist()
    [[0.25, 0.75], [0.0, 0.0]]
    """

    def __init__(self, rows: Tensor, *, finish: Literal["sum", "mean", "unit"] = "unit") -> None:
        super().__init__()
        self.table = nn.Embedding.from_pretrained(rows.float(), freeze=False, sparse=True)
        self.finish = finish

    def forward(self, packed: Packed) -> Tensor:
        """Return ``(n, d)`` float32."""
        tokens, places = torch.unique(packed.ids, return_inverse=True)  # (u,), (T,)
        part = self.table(tokens)  # (u, d)
        mode = "sum" if self.finish == "sum" else "mean"
        starts = packed.offsets[:-1].to(packed.ids.device)
        pooled = functional.embedding_bag(places, part, starts, mode=mode)  # (n, d)
        return functional.normalize(pooled, dim=-1) if self.finish == "unit" else pooled
