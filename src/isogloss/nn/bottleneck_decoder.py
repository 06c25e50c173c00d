"""A weak decoder that has to write a text from one vector: what trains the vector to hold the text."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.nn.backbones import AssembledEmbeddings, AttentionLayers, bidirectional, causal
from isogloss.nn.heads import CausalHead
from isogloss.nn.packing import Packed


class BottleneckDecoder(nn.Module):
    """Few transformer layers over a text's vector and the tokens that it is given; logits of the tokens to restore.

    ``causal``: the vector and the tokens before give each next token (TSDAE, https://arxiv.org/abs/2104.06979, whose
    decoder attends to the vector instead of reading it as the first token). Else: the vector and a text with most
    tokens hidden give the hidden ones (RetroMAE, https://arxiv.org/abs/2205.12035).

    Parameters
    ----------
    vocabulary, width
        Rows of the token table, size of the vector and of the states.
    layers, heads
        One layer is weak enough that it needs the vector.
    positions
        Longest text in tokens.
    writes
        From left to right, or into the gaps of a given text.
    dropout
        In training.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> decoder, text = BottleneckDecoder(9, 4, heads=2), pack([np.array([1, 2, 3]), np.array([4])])
    >>> tuple(decoder(torch.zeros(2, 4), text).shape)
    (4, 9)
    """

    def __init__(
        self, vocabulary: int, width: int, *, layers: int = 1, heads: int = 4, positions: int = 512,
        writes: bool = True, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embeddings = AssembledEmbeddings(vocabulary, width, positions=positions + 1, dropout=dropout)
        layout = causal if writes else bidirectional
        self.layers = AttentionLayers(width, layers=layers, heads=heads, layout=layout, dropout=dropout)
        self.head, self.writes = CausalHead(width, bias=vocabulary), writes

    def forward(self, vectors: Tensor, given: Packed, at: Tensor | None = None) -> Tensor:
        """Return logits ``(m, V)`` of the given text's tokens, of all or of those where ``at (T,)`` is true.

        Parameters
        ----------
        vectors
            ``(n, width)``, one a text.
        given
            The text itself where it is written (each token is told from the vector and those before it), or the text
            with tokens hidden.
        at
            Which tokens to restore.

        Raises
        ------
        UsageError
            Where there is not one vector a text.
        """
        if len(vectors) != len(given):
            raise UsageError("each text needs one vector", f"{len(given)} texts, {len(vectors)} vectors")
        led, first, own = led_by_vectors(given)  # (T + n,), (n,), (T,)
        x = self.embeddings(led)  # (T + n, width)
        x = x.index_copy(0, first, vectors.to(x.dtype))
        states = self.layers(x, led)  # (T + n, width)
        asked = own - 1 if self.writes else own  # (T,) the state that has seen all but the token itself
        asked = asked if at is None else asked[at]  # (m,)
        logits: Tensor = self.head(states[asked], self.embeddings.word.weight)  # (m, V)
        return logits


def led_by_vectors(given: Packed) -> tuple[Packed, Tensor, Tensor]:
    """Return texts with an empty place in front of each, and where these places ``(n,)`` and the tokens ``(T,)`` stand.

    Examples
    --------
    >>> led, first, own = led_by_vectors(Packed(torch.tensor([5, 6, 7]), torch.tensor([0, 2, 3])))
    >>> led.ids.tolist(), led.offsets.tolist(), first.tolist(), own.tolist()
    ([0, 5, 6, 0, 7], [0, 3, 5], [0, 3], [1, 2, 4])
    """
    texts, device = torch.arange(len(given)), given.ids.device
    first = (given.offsets[:-1] + texts).to(device)  # (n,)
    own = (torch.arange(len(given.ids)) + torch.repeat_interleave(texts, given.lengths) + 1).to(device)  # (T,)
    ids = given.ids.new_zeros(len(given.ids) + len(given)).index_copy(0, own, given.ids)  # (T + n,)
    return Packed(ids, given.offsets + torch.arange(len(given) + 1)), first, own


class BottleneckAutoencoder(nn.Module):
    """An encoder of whole texts and the decoder that restores them from its vectors alone.

    Parameters
    ----------
    encoder
        From packed tokens to vectors ``(n, width)``, such as :class:`~isogloss.nn.sentence.SentenceModel` with
        ``normalise=False``; it is what is kept.
    decoder
        :class:`BottleneckDecoder`.
    """

    def __init__(self, encoder: nn.Module, decoder: BottleneckDecoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, noisy: Packed, given: Packed, at: Tensor | None = None) -> Tensor:
        """Return logits ``(m, V)`` of the given text's tokens, told from the vector of the noisy one."""
        logits: Tensor = self.decoder(self.encoder(noisy), given, at)
        return logits
