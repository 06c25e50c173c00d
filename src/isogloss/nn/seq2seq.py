"""An encoder-decoder over packed tokens: teacher forcing at training, a cache of keys and values at decoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.nn.packing import Packed
from isogloss.nn.transformer import Layout, Transformer, TransformerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Seq2SeqConfig:
    """Sizes and choices of an encoder-decoder.

    Attributes
    ----------
    encoder
        Of the encoder; the decoder takes its width, heads, inner size and dropout.
    layers
        Layers of the decoder.
    positions
        Longest output in tokens, the start not counted.
    extra
        Rows that the output table has beside the encoder's token table: document ids, sentinels, task words.
    shared
        Whether outputs are tokens of the encoder's table (tied, as in T5), followed by the extra rows. False: outputs
        are the extra rows alone, numbered from 0.
    start, end
        Row that decoding begins with, and row that ends an output (-1: outputs have no end of their own).
    """

    encoder: TransformerConfig
    layers: int = 2
    positions: int = 64
    extra: int = 0
    shared: bool = True
    start: int = 101
    end: int = 102

    @property
    def outputs(self) -> int:
        """Number of rows of the output table."""
        return self.extra + (self.encoder.vocabulary if self.shared else 0)


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the source, feed-forward part; layer norms first.

    Parameters
    ----------
    config
        The encoder's: width, heads, inner size, dropout.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, self.heads, self.rate = config.width, config.heads, config.dropout
        self.self_norm, self.cross_norm, self.feed_norm = (nn.LayerNorm(width, eps=config.epsilon) for _ in range(3))
        self.query, self.key, self.value, self.self_out = (nn.Linear(width, width) for _ in range(4))
        self.cross_query, self.cross_key, self.cross_value = (nn.Linear(width, width) for _ in range(3))
        self.cross_out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, config.inner), nn.Linear(config.inner, width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, layout: Layout, source: Source, memory: tuple[Tensor, Tensor]) -> Tensor:
        """Return the states ``(T, width)`` of whole outputs."""
        y = self.self_norm(x)
        q, k, v = (layout.pad(part(y), self.heads) for part in (self.query, self.key, self.value))  # (n, h, L, w/h)
        rate = self.rate if self.training else 0.0
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=layout.mask, dropout_p=rate)
        x = x + self.dropout(self.self_out(layout.unpad(seen)))  # (T, w)
        q = layout.pad(self.cross_query(self.cross_norm(x)), self.heads)  # (n, h, L, w/h)
        seen = functional.scaled_dot_product_attention(q, *memory, attn_mask=source.mask, dropout_p=rate)
        x = x + self.dropout(self.cross_out(layout.unpad(seen)))  # (T, w)
        return x + self.dropout(self._feed(x))

    def memory(self, states: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """Return keys and values ``(n, h, S, width / h)`` of the sources' states ``(T, width)``."""
        return layout.pad(self.cross_key(states), self.heads), layout.pad(self.cross_value(states), self.heads)

    def step(
        self, x: Tensor, source: Source, memory: tuple[Tensor, Tensor], past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the state ``(n, width)`` of one more token an output, and its keys and values with those before."""
        y = self.self_norm(x)
        q, k, v = (self._split(part(y)) for part in (self.query, self.key, self.value))  # (n, h, 1, w/h)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)  # (n, h, t, w/h)
        x = x + self.self_out(functional.scaled_dot_product_attention(q, k, v).flatten(1))  # (n, w)
        q = self._split(self.cross_query(self.cross_norm(x)))  # (n, h, 1, w/h)
        seen = functional.scaled_dot_product_attention(q, *memory, attn_mask=source.mask)
        x = x + self.cross_out(seen.flatten(1))  # (n, w)
        return x + self._feed(x), (k, v)

    def _split(self, x: Tensor) -> Tensor:
        return x.view(len(x), self.heads, 1, -1)  # (n, h, 1, w/h)

    def _feed(self, x: Tensor) -> Tensor:
        return self.down(functional.gelu(self.up(self.feed_norm(x))))


@dataclass(frozen=True, slots=True)
class Source:
    """What the decoder knows of its sources: how many there are, and which padded places hold tokens.

    Attributes
    ----------
    count
        Number of sources.
    mask
        ``(n, 1, 1, S)`` true where there is a token, or None where no place is padded.
    """

    count: int
    mask: Tensor | None


@dataclass(frozen=True, slots=True)
class DecodingState:
    """What is kept between two steps of decoding: one row an output that is being written.

    Attributes
    ----------
    source
        Masks of the sources, one row an output.
    memory
        For each layer keys and values of the source, ``(n, h, S, d)``.
    past
        For each layer keys and values of the tokens written so far, ``(n, h, t, d)``; empty before the first step.
    """

    source: Source
    memory: tuple[tuple[Tensor, Tensor], ...]
    past: tuple[tuple[Tensor, Tensor], ...] = ()

    def __len__(self) -> int:
        return self.source.count

    @property
    def length(self) -> int:
        """Steps made so far."""
        return self.past[0][0].shape[2] if self.past else 0

    def select(self, rows: Tensor) -> DecodingState:
        """Return the state of chosen rows ``(m,)``, in that order and with repetitions."""

        def taken(pairs: tuple[tuple[Tensor, Tensor], ...]) -> tuple[tuple[Tensor, Tensor], ...]:
            return tuple((key.index_select(0, rows), value.index_select(0, rows)) for key, value in pairs)  # (m, ...)

        mask = None if self.source.mask is None else self.source.mask.index_select(0, rows)  # (m, 1, 1, S)
        return DecodingState(Source(len(rows), mask), taken(self.memory), taken(self.past))


class Seq2Seq(nn.Module):
    """A transformer encoder and a decoder that attends to it, with one table for inputs and outputs of the decoder.

    Vaswani et al. 2017, "Attention Is All You Need" (https://arxiv.org/abs/1706.03762); the tied table as in Raffel et
    al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer"
    (https://arxiv.org/abs/1910.10683).

    Parameters
    ----------
    config
        Its sizes.
    encoder
        A transformer with the configuration's sizes to start from; None: a new one.

    Raises
    ------
    UsageError
        Where the encoder's table is narrower than its states, there is no output row, or start or end is no row.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> sizes = TransformerConfig(vocabulary=9, width=8, layers=1, heads=2, inner=16)
    >>> model = Seq2Seq(Seq2SeqConfig(encoder=sizes, layers=1, extra=3, start=1, end=2))
    >>> sources, targets = pack([np.array([4, 5, 6])]), pack([np.array([9, 2])])
    >>> tuple(model(sources, targets).shape)
    (2, 12)
    """

    def __init__(self, config: Seq2SeqConfig, encoder: Transformer | None = None) -> None:
        super().__init__()
        _check(config)
        self.config = config
        self.encoder = Transformer(config.encoder) if encoder is None else encoder
        width = config.encoder.width
        self.extra = nn.Embedding(config.extra, width) if config.extra else None
        self.position = nn.Embedding(config.positions, width)
        self.embedding_norm = nn.LayerNorm(width, eps=config.encoder.epsilon)
        self.layers = nn.ModuleList(DecoderLayer(config.encoder) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width, eps=config.encoder.epsilon)
        self.bias = nn.Parameter(torch.zeros(config.outputs))  # (outputs,)
        for module in (self.extra, self.position, self.layers):
            if module is not None:
                module.apply(_initialise)

    @property
    def start(self) -> int:
        """Row that decoding begins with."""
        return self.config.start

    @property
    def end(self) -> int:
        """Row that ends an output, -1 for none."""
        return self.config.end

    def table(self) -> Tensor:
        """Return the table of outputs ``(outputs, width)``: the encoder's tokens where shared, then the extra rows."""
        extra = [] if self.extra is None else [self.extra.weight]
        shared = [self.encoder.embeddings.word.weight] if self.config.shared else []
        parts = [*shared, *extra]
        return parts[0] if len(parts) == 1 else torch.cat(parts)  # (outputs, w)

    def forward(self, sources: Packed, targets: Packed) -> Tensor:
        """Return logits ``(T, outputs)`` for each token of the targets, given the source and the tokens before it."""
        self._fits(sources, targets)
        return self.decode(self.encoder(sources), sources, targets)

    def decode(self, states: Tensor, sources: Packed, targets: Packed) -> Tensor:
        """Return the logits ``(T, outputs)`` of :meth:`forward` where the sources' ``states (S, width)`` are known.

        Raises
        ------
        UsageError
            Where sources and targets are not equally many, one is empty, or a target is too long.
        """
        self._fits(sources, targets)
        source_layout, layout = Layout(sources, causal=False), Layout(targets, causal=True)
        source, table = Source(len(sources), source_layout.mask), self.table()
        x = self._embed(self._shifted(targets), targets.positions(), table)  # (T, w)
        for layer in self._layers():
            x = layer(x, layout, source, layer.memory(states, source_layout))
        return self._logits(x, table)  # (T, outputs)

    def begin(self, sources: Packed) -> DecodingState:
        """Read the sources; decoding goes on with :meth:`step` and the start row."""
        if not len(sources) or int(sources.lengths.min()) == 0:
            raise UsageError("there is nothing to decode from", f"{len(sources)} sources, or an empty one among them")
        layout, states = Layout(sources, causal=False), self.encoder(sources)
        memory = tuple(layer.memory(states, layout) for layer in self._layers())
        return DecodingState(Source(len(sources), layout.mask), memory)

    def step(self, state: DecodingState, tokens: Tensor) -> tuple[Tensor, DecodingState]:
        """Give each output its next token ``(n,)``; return logits ``(n, outputs)`` of the one after it."""
        if state.length >= self.config.positions:
            raise UsageError(f"an output has more than {self.config.positions} tokens", "", "make positions larger")
        table, kept = self.table(), []
        place = torch.full_like(tokens, state.length)  # (n,)
        x = self._embed(tokens, place, table)  # (n, w)
        for number, layer in enumerate(self._layers()):
            past = state.past[number] if state.past else None
            x, both = layer.step(x, state.source, state.memory[number], past)
            kept.append(both)
        return self._logits(x, table), DecodingState(state.source, state.memory, tuple(kept))

    def _layers(self) -> list[DecoderLayer]:
        return cast("list[DecoderLayer]", list(self.layers))

    def _logits(self, x: Tensor, table: Tensor) -> Tensor:
        return functional.linear(self.norm(x), table, self.bias)  # (T, outputs)

    def _embed(self, tokens: Tensor, places: Tensor, table: Tensor) -> Tensor:
        return self.embedding_norm(functional.embedding(tokens, table) + self.position(places))  # (T, w)

    def _shifted(self, targets: Packed) -> Tensor:
        """Return what the decoder reads ``(T,)``: the start row, then each target but its last token."""
        before = targets.ids.roll(1)  # (T,)
        first = targets.offsets[:-1].to(before.device)  # (n,)
        return before.index_fill(0, first, self.config.start)

    def _fits(self, sources: Packed, targets: Packed) -> None:
        if len(sources) != len(targets):
            raise UsageError("each source needs one target", f"{len(sources)} sources, {len(targets)} targets")
        if not len(targets) or int(targets.lengths.min()) == 0 or int(sources.lengths.min()) == 0:
            empty = int((targets.lengths == 0).sum()), int((sources.lengths == 0).sum())
            raise UsageError("there is nothing to read or to write", f"{empty[1]} empty sources, {empty[0]} targets")
        longest = int(targets.lengths.max())
        if longest > self.config.positions:
            raise UsageError(
                f"a target has {longest} tokens", f"outputs have room for {self.config.positions}",
                "cut the target or make positions larger",
            )  # fmt: skip


def _check(config: Seq2SeqConfig) -> None:
    encoder = config.encoder
    if encoder.embedding_width not in (None, encoder.width):
        raise UsageError(
            "a tied table needs rows as wide as the states",
            f"rows of {encoder.embedding_width}, states of {encoder.width}",
            "leave embedding_width away",
        )
    if encoder.causal:
        raise UsageError("the encoder is causal", "its tokens would not see those after them", "set causal=False")
    if not 0 <= config.start < config.outputs or not -1 <= config.end < config.outputs:
        raise UsageError(
            "start and end are rows of the output table",
            f"start {config.start}, end {config.end}, {config.outputs} rows",
            "number them from 0; without shared tokens the extra rows come first",
        )


def _initialise(module: nn.Module) -> None:
    """Draw linear maps that keep sizes, so that a new decoder hears its encoder from the first step."""
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=module.in_features**-0.5)
        nn.init.zeros_(module.bias)
