"""A soft prompt: vectors that are learned and stand in front of every text, before a model at rest."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.nn.packing import Packed
from isogloss.nn.transformer import Transformer, TransformerConfig
from isogloss.seeding import generator


class SoftPrompted(nn.Module):
    """A transformer that reads learned vectors before each text; it gives the states of the text's own tokens.

    It takes the place of the transformer in a sentence model or a token predictor. Lester et al. 2021, "The Power of
    Scale for Parameter-Efficient Prompt Tuning" (https://arxiv.org/abs/2104.08691); the vectors begin as those of
    tokens of the table.

    Parameters
    ----------
    transformer
        It is not trained.
    length
        Number of vectors.
    seed
        Of the tokens that they begin as.

    Raises
    ------
    UsageError
        Where the prompt leaves no position for text.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> small = Transformer(TransformerConfig(vocabulary=9, width=8, layers=1, heads=2, inner=16, positions=8))
    >>> tuple(SoftPrompted(small, length=2)(pack([np.array([1, 2, 3]), np.array([4])])).shape)
    (4, 8)
    """

    def __init__(self, transformer: Transformer, *, length: int = 10, seed: int = 0) -> None:
        super().__init__()
        config: TransformerConfig = transformer.config
        if not 0 < length < config.positions:
            why = f"the model has {config.positions} positions"
            raise UsageError(f"a soft prompt cannot have {length} vectors", why, "give fewer")
        self.transformer = transformer.requires_grad_(False)
        self.config, self.embeddings = config, transformer.embeddings
        table = transformer.embeddings.word.weight.detach()
        rows = generator(seed, "soft prompt").integers(0, len(table), length)
        self.prompt = nn.Parameter(table[torch.from_numpy(rows)].clone())  # (length, width)

    def forward(self, packed: Packed, *, vectors: Tensor | None = None) -> Tensor:
        """Return the states of the texts' own tokens, ``(T, width)``."""
        return self.states(packed, (-1,), vectors=vectors)[0]

    def states(self, packed: Packed, layers: tuple[int, ...], *, vectors: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the states of chosen layers, ``(T, width)`` each."""
        count, length = len(packed), len(self.prompt)
        own = self.embeddings.word(packed.ids) if vectors is None else vectors  # (T, e)
        shifts = (packed.texts() + 1) * length  # (T,) prompt vectors before each token
        places = torch.arange(len(packed.ids), device=packed.ids.device) + shifts
        whole = len(packed.ids) + count * length
        ids = packed.ids.new_zeros(whole).index_copy(0, places, packed.ids)  # (T + n p,)
        types = None if packed.types is None else packed.types.new_zeros(whole).index_copy(0, places, packed.types)
        prompts = torch.ones(whole, dtype=torch.bool, device=packed.ids.device)
        prompts[places] = False
        x = own.new_zeros(whole, own.shape[1]).index_copy(0, places, own)  # (T + n p, e)
        at = prompts.nonzero()[:, 0]  # (n p,)
        x = x.index_copy(0, at, self.prompt.to(own.dtype).repeat(count, 1))
        offsets = packed.offsets + torch.arange(count + 1) * length
        found = self.transformer.states(Packed(ids, offsets, types), layers, vectors=x)
        return tuple(one.index_select(0, places) for one in found)  # (T, width) each
