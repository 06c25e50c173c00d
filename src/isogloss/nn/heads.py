"""Heads over the states of packed tokens: words back from states, classes of texts, tags, replaced tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.nn.packing import Packed
from isogloss.nn.pooling import PoolingMode, pool


class Embedder(Protocol):
    """What begins a model: it owns the token table."""

    word: nn.Embedding


class Body(Protocol):
    """From packed tokens to states: :class:`~isogloss.nn.transformer.Transformer`, or a backbone."""

    embeddings: Embedder

    def __call__(self, packed: Packed) -> Tensor:
        """Return the states ``(T, width)``."""
        ...


class MaskedHead(nn.Module):
    """Logits over the vocabulary for masked tokens: dense, activation, norm, then the tied token table and a bias.

    The table is given at every call and is no parameter of the head, so that weights are stored once. With
    ``size`` below ``width`` it is also the head of factorised embeddings. BERT (https://arxiv.org/abs/1810.04805).

    Parameters
    ----------
    vocabulary, width
        Rows of the token table, size of a state.
    size
        Width of the token table; ``width`` where None.
    activation
        ``gelu`` or ``relu``.
    epsilon
        Of the norm.

    Examples
    --------
    >>> head = MaskedHead(9, 4)
    >>> tuple(head(torch.zeros(3, 4), torch.zeros(9, 4)).shape)
    (3, 9)
    """

    def __init__(
        self, vocabulary: int, width: int, *, size: int | None = None, activation: Literal["gelu", "relu"] = "gelu",
        epsilon: float = 1e-12,
    ) -> None:  # fmt: skip
        super().__init__()
        size = width if size is None else size
        self.dense, self.norm = nn.Linear(width, size), nn.LayerNorm(size, eps=epsilon)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.activation = functional.gelu if activation == "gelu" else functional.relu
        nn.init.normal_(self.dense.weight, std=0.02)
        nn.init.zeros_(self.dense.bias)

    def forward(self, states: Tensor, table: Tensor) -> Tensor:
        """Return logits ``(m, vocabulary)`` of states ``(m, width)``, with the table ``(vocabulary, size)``."""
        x = self.norm(self.activation(self.dense(states)))  # (m, size)
        return functional.linear(x, table, self.bias)  # (m, vocabulary)


class CausalHead(nn.Module):
    """Logits over the vocabulary by the tied token table alone, as in GPT-2; a projection where the widths differ.

    Parameters
    ----------
    width
        Size of a state.
    size
        Width of the token table; ``width`` where None.
    bias
        Rows of the table where each token has a bias, else 0.

    Examples
    --------
    >>> CausalHead(2)(torch.tensor([[1.0, 2.0]]), torch.eye(2)).tolist()
    [[1.0, 2.0]]
    """

    def __init__(self, width: int, *, size: int | None = None, bias: int = 0) -> None:
        super().__init__()
        differs = size is not None and size != width
        self.project = nn.Linear(width, size or width, bias=False) if differs else None
        self.bias = nn.Parameter(torch.zeros(bias)) if bias else None

    def forward(self, states: Tensor, table: Tensor) -> Tensor:
        """Return logits ``(m, vocabulary)`` of states ``(m, width)``, with the table ``(vocabulary, size)``."""
        x = states if self.project is None else self.project(states)  # (m, size)
        return functional.linear(x, table, self.bias)  # (m, vocabulary)


class TokenPredictor(nn.Module):
    """A body and a head that gives words back from its states; logits are computed where they are asked for only.

    Parameters
    ----------
    body
        From packed tokens to states; its ``embeddings.word`` is the tied table.
    head
        :class:`MaskedHead`, :class:`CausalHead` or another module of ``(states, table)``.

    Examples
    --------
    >>> from isogloss.nn.packing import pack
    >>> from isogloss.nn.transformer import Transformer, TransformerConfig
    >>> import numpy as np
    >>> config = TransformerConfig(vocabulary=9, width=8, layers=1, heads=2, inner=16)
    >>> model = TokenPredictor(Transformer(config), MaskedHead(9, 8))
    >>> packed = pack([np.array([1, 2, 3])])
    >>> tuple(model(packed).shape), tuple(model(packed, at=torch.tensor([False, True, False])).shape)
    ((3, 9), (1, 9))
    """

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body, self.head = body, head

    @property
    def table(self) -> Tensor:
        """The tied token table, ``(vocabulary, size)``."""
        embeddings: Embedder = self.body.embeddings  # type: ignore[assignment]
        return embeddings.word.weight

    def forward(self, packed: Packed, at: Tensor | None = None) -> Tensor:
        """Return logits ``(m, vocabulary)`` of all tokens, or of those where ``at (T,)`` is true."""
        states = self.body(packed)  # (T, width)
        logits: Tensor = self.head(states if at is None else states[at], self.table)  # (m, vocabulary)
        return logits


class ClassificationHead(nn.Module):
    """Logits over the classes of a text from its pooled states.

    Parameters
    ----------
    width, classes
        Size of a state, number of classes.
    pooling
        How the states of a text become one vector; several ways stand side by side.
    hidden
        Size of a tanh layer between, as BERT's pooler has one; 0 for none.
    dropout
        Before the last layer, in training.

    Examples
    --------
    >>> from isogloss.nn.packing import pack
    >>> import numpy as np
    >>> tuple(ClassificationHead(4, 3)(torch.zeros(2, 4), pack([np.array([1, 2])])).shape)
    (1, 3)
    """

    def __init__(
        self, width: int, classes: int, *, pooling: Sequence[PoolingMode] = ("mean",), hidden: int = 0,
        dropout: float = 0.1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.pooling, size = tuple(pooling), width * len(pooling)
        self.dense = nn.Linear(size, hidden) if hidden else None
        self.out, self.dropout = nn.Linear(hidden or size, classes), nn.Dropout(dropout)

    def forward(self, states: Tensor, packed: Packed) -> Tensor:
        """Return logits ``(n, classes)`` of states ``(T, width)``."""
        x = pool(states, packed, self.pooling)  # (n, modes * width)
        x = x if self.dense is None else torch.tanh(self.dense(x))  # (n, hidden)
        logits: Tensor = self.out(self.dropout(x))  # (n, classes)
        return logits


class TaggingHead(nn.Module):
    """Logits over the tags of every token.

    Parameters
    ----------
    width, tags
        Size of a state, number of tags.
    dropout
        In training.
    """

    def __init__(self, width: int, tags: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.out, self.dropout = nn.Linear(width, tags), nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """Return logits ``(T, tags)`` of states ``(T, width)``."""
        logits: Tensor = self.out(self.dropout(states))  # (T, tags)
        return logits


class ReplacedTokenHead(nn.Module):
    """One logit a token: above 0 where the token is the one that stood there, dense, GELU, linear.

    ELECTRA (https://arxiv.org/abs/2003.10555).

    Parameters
    ----------
    width
        Size of a state.

    Examples
    --------
    >>> tuple(ReplacedTokenHead(4)(torch.zeros(3, 4)).shape)
    (3,)
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense, self.out = nn.Linear(width, width), nn.Linear(width, 1)
        for layer in (self.dense, self.out):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, states: Tensor) -> Tensor:
        """Return logits ``(T,)`` of states ``(T, width)``."""
        logits: Tensor = self.out(functional.gelu(self.dense(states)))[:, 0]  # (T,)
        return logits


class TextClassifier(nn.Module):
    """A body and a classification head.

    Parameters
    ----------
    body
        From packed tokens to states.
    head
        From states and tokens to logits of texts.
    """

    def __init__(self, body: nn.Module, head: ClassificationHead) -> None:
        super().__init__()
        self.body, self.head = body, head

    def forward(self, packed: Packed) -> Tensor:
        """Return logits ``(n, classes)``."""
        logits: Tensor = self.head(self.body(packed), packed)  # (n, classes)
        return logits
