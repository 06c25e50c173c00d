"""Bodies put together: embeddings with or without places, segments and spelling, and any layers on top of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.nn.convolution import ConvolutionLayers
from isogloss.nn.packing import Packed
from isogloss.nn.recurrent import RecurrentLayers
from isogloss.nn.transformer import Layer, Layout, TransformerConfig


class Spelling(nn.Module):
    """A vector for every token from its letters: embedded, convolved, the maximum over the places taken.

    Kim et al. 2016, "Character-Aware Neural Language Models" (https://arxiv.org/abs/1508.06615).

    Parameters
    ----------
    tokens
        The vocabulary's tokens as text, in order; their UTF-8 bytes are the letters.
    width
        Of the vectors.
    letters
        Size of a letter's vector.
    kernel
        Letters that one feature reads.
    longest
        Bytes of a token that are read.

    Examples
    --------
    >>> tuple(Spelling(["a", "snow"], 6)(torch.tensor([1, 0, 1])).shape)
    (3, 6)
    """

    def __init__(
        self, tokens: Sequence[str], width: int, *, letters: int = 16, kernel: int = 3, longest: int = 16
    ) -> None:
        super().__init__()
        spelt = torch.zeros(len(tokens), longest, dtype=torch.int64)  # (V, longest)
        for row, token in enumerate(tokens):
            raw = token.encode("utf-8", "replace")[:longest]
            spelt[row, : len(raw)] = torch.tensor([byte + 1 for byte in raw], dtype=torch.int64)
        self.spelt: Tensor
        self.register_buffer("spelt", spelt)
        self.letter = nn.Embedding(257, letters, padding_idx=0)
        self.features = nn.Conv1d(letters, width, kernel, padding=kernel - 1)

    def forward(self, ids: Tensor) -> Tensor:
        """Return ``(T, width)`` for token ids ``(T,)``."""
        unique, places = ids.unique(return_inverse=True)
        letters = self.letter(self.spelt[unique]).transpose(1, 2)  # (u, letters, longest)
        return torch.relu(self.features(letters)).amax(2)[places]  # (T, width)


class AssembledEmbeddings(nn.Module):
    """The vectors that a body begins with: a sum of the parts that were chosen, normalised.

    Parameters
    ----------
    vocabulary, width
        Rows of the token table, its width.
    positions
        Longest text in tokens where places are embedded, else 0.
    segments
        Token types where they are embedded, else 0.
    spelling
        Vectors from letters that are added, or None.
    dropout
        In training.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> tuple(AssembledEmbeddings(9, 4, positions=8)(pack([np.array([1, 2])])).shape)
    (2, 4)
    """

    def __init__(
        self, vocabulary: int, width: int, *, positions: int = 0, segments: int = 0, spelling: nn.Module | None = None,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.word = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(positions, width) if positions else None
        self.segment = nn.Embedding(segments, width) if segments else None
        self.spelling, self.norm, self.dropout = spelling, nn.LayerNorm(width), nn.Dropout(dropout)
        for table in (self.word, self.position, self.segment):
            if table is not None:
                nn.init.normal_(table.weight, std=0.02)

    def forward(self, packed: Packed) -> Tensor:
        """Return ``(T, width)``.

        Raises
        ------
        UsageError
            Where places are embedded and a text is longer than there are.
        """
        x = self.word(packed.ids)  # (T, width)
        if self.position is not None:
            longest, room = int(packed.lengths.max()) if len(packed) else 0, self.position.num_embeddings
            if longest > room:
                raise UsageError(f"a text of {longest} tokens is too long", f"there are {room} places", "cut it")
            x = x + self.position(packed.positions())
        if self.segment is not None:
            x = x + self.segment(torch.zeros_like(packed.ids) if packed.types is None else packed.types)
        if self.spelling is not None:
            x = x + self.spelling(packed.ids)
        made: Tensor = self.dropout(self.norm(x))
        return made


class PrefixLayout(Layout):
    """Tokens of type 0 see one another, later ones see them and what went before (UniLM's mask for sequences).

    https://arxiv.org/abs/1905.03197
    """

    def __init__(self, packed: Packed) -> None:
        # a bias, even one of nought, is what makes the layers read the mask
        super().__init__(packed, causal=True, relative=torch.zeros(()))

    @cached_property
    def mask(self) -> Tensor | None:
        """What each token sees, ``(n, 1, L, L)``."""
        before = torch.ones(self.longest, self.longest, dtype=torch.bool, device=self.packed.ids.device).tril()
        prefix = torch.ones_like(self.packed.ids) if self.packed.types is None else self.packed.types == 0
        known = self.pad(prefix.float()[:, None], 1)[:, :, :, 0] > 0  # (n, 1, L)
        return before | known[:, :, None, :]  # (n, 1, L, L); padding is never known, and after every token


class AttentionLayers(nn.Module):
    """Transformer layers on any embeddings, with a mask of choice.

    Parameters
    ----------
    width, layers, heads, inner
        Size of input and states, layers, attention heads, size inside the feed-forward part (4 widths where None).
    layout
        From tokens to what they see: ``bidirectional``, ``causal`` or ``PrefixLayout``.
    dropout
        In training.
    """

    def __init__(
        self, width: int, *, layers: int = 1, heads: int = 4, inner: int | None = None,
        layout: Callable[[Packed], Layout] | None = None, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        config = TransformerConfig(
            vocabulary=1, width=width, layers=layers, heads=heads, inner=inner or 4 * width, dropout=dropout
        )
        self.layers = nn.ModuleList(Layer(config) for _ in range(layers))
        self.layout = bidirectional if layout is None else layout
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor, packed: Packed) -> Tensor:
        """Return states ``(T, width)`` for inputs ``(T, width)``."""
        layout = self.layout(packed)
        for layer in self.layers:
            x = layer(x, layout)  # (T, width)
        return x


def bidirectional(packed: Packed) -> Layout:
    """Let all tokens of a text see one another."""
    return Layout(packed, causal=False)


def causal(packed: Packed) -> Layout:
    """Let a token see itself and those before it."""
    return Layout(packed, causal=True)


class Backbone(nn.Module):
    """Embeddings and any number of layers, one after another: a body for every head and objective.

    Parameters
    ----------
    embeddings
        From tokens to ``(T, width)``; its ``word`` is the token table.
    layers
        Modules from ``(T, width)`` and tokens to ``(T, width)``; several kinds may be stacked.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> body = Backbone(AssembledEmbeddings(9, 8), [RecurrentLayers(8, ways="both"), AttentionLayers(8, heads=2)])
    >>> tuple(body(pack([np.array([1, 2, 3]), np.array([4])])).shape)
    (4, 8)
    """

    def __init__(self, embeddings: nn.Module, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.embeddings, self.layers = embeddings, nn.ModuleList(layers)

    @property
    def table(self) -> Tensor:
        """The token table, ``(vocabulary, width)``."""
        word: nn.Embedding = self.embeddings.word  # type: ignore[assignment]
        return word.weight

    def forward(self, packed: Packed) -> Tensor:
        """Return states ``(T, width)``."""
        x: Tensor = self.embeddings(packed)  # (T, width)
        for layer in self.layers:
            x = layer(x, packed)  # (T, width)
        return x


ENCODERS: Mapping[str, Callable[..., nn.Module]] = {
    "transformer": AttentionLayers,
    "causal-transformer": partial(AttentionLayers, layout=causal),
    "prefix-transformer": partial(AttentionLayers, layout=PrefixLayout),
    "lstm": partial(RecurrentLayers, cell="lstm"),
    "gru": partial(RecurrentLayers, cell="gru"),
    "bilstm": partial(RecurrentLayers, cell="lstm", ways="both"),
    "bigru": partial(RecurrentLayers, cell="gru", ways="both"),
    "two-lstms": partial(RecurrentLayers, cell="lstm", ways="apart"),
    "gated-cnn": partial(ConvolutionLayers, gated=True),
    "causal-gated-cnn": partial(ConvolutionLayers, gated=True, causal=True),
    "cnn": partial(ConvolutionLayers, gated=False),
}
"""Layers by the names that configurations use; each takes ``width`` and ``layers``."""


def backbone(
    encoders: str, *, vocabulary: int, width: int = 128, layers: int = 2, positions: int = 128, segments: int = 0,
    dropout: float = 0.0, spelling: Sequence[str] | None = None,
) -> Backbone:  # fmt: skip
    """Put a body together from a configuration's words.

    UER (https://arxiv.org/abs/1909.05658).

    Parameters
    ----------
    encoders
        Names of :data:`ENCODERS`, stacked with ``+``: ``"bilstm+transformer"``.
    vocabulary, width, layers
        Rows of the token table, size of a state, layers of each encoder.
    positions, segments
        Places and token types that are embedded; 0 for none.
    dropout
        In training.
    spelling
        The vocabulary's tokens as text where vectors from letters are added.

    Raises
    ------
    UsageError
        For an unknown name; the message lists those that are known.

    Examples
    --------
    >>> body = backbone("bilstm+transformer", vocabulary=9, width=8, layers=1)
    >>> [type(layer).__name__ for layer in body.layers]
    ['RecurrentLayers', 'AttentionLayers']
    """
    names = encoders.split("+")
    unknown = [name for name in names if name not in ENCODERS]
    if unknown:
        known = ", ".join(sorted(ENCODERS))
        raise UsageError(f"there is no encoder {unknown[0]!r}", f"known are {known}", "stack several with +")
    sub = None if spelling is None else Spelling(spelling, width)
    embeddings = AssembledEmbeddings(
        vocabulary, width, positions=positions, segments=segments, spelling=sub, dropout=dropout
    )
    return Backbone(embeddings, [ENCODERS[name](width, layers=layers, dropout=dropout) for name in names])
