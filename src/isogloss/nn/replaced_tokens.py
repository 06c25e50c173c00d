"""A small generator that replaces hidden words, and the model that tells which words were replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from isogloss.nn.heads import ReplacedTokenHead, TokenPredictor
from isogloss.nn.packing import Packed

Draw = Callable[[Tensor], Tensor]
"""From logits ``(m, V)`` to tokens ``(m,)``, by torch's global random numbers, which the training loop seeds."""


class Replacements(NamedTuple):
    """What the game between generator and discriminator gives.

    Attributes
    ----------
    generator
        ``(m, V)`` logits at the hidden positions.
    discriminator
        ``(T,)`` logits, above 0: the token is the one that stood there.
    original
        ``(T,)`` whether it is.
    hidden
        ``(T,)`` whether the position was hidden.
    """

    generator: Tensor
    discriminator: Tensor
    original: Tensor
    hidden: Tensor


def sampled(logits: Tensor) -> Tensor:
    """Draw a token for each row by the generator's own probabilities."""
    return torch.multinomial(torch.softmax(logits.float(), 1), 1)[:, 0]  # (m,)


def uniform(logits: Tensor) -> Tensor:
    """Draw any token for each row, whatever the generator says."""
    return torch.randint(logits.shape[1], (len(logits),), device=logits.device)  # (m,)


class ReplacedTokenGame(nn.Module):
    """Generator and discriminator of ELECTRA (https://arxiv.org/abs/2003.10555); the discriminator is what is kept.

    Parameters
    ----------
    generator
        A small masked-word predictor.
    body
        The discriminator, from packed tokens to states.
    head
        From states to one logit a token.
    draw
        How tokens are taken from the generator's logits; no gradient goes through it.

    Notes
    -----
    Call :func:`share_embeddings` before, where both are to have one table.
    """

    def __init__(
        self, generator: TokenPredictor, body: nn.Module, head: ReplacedTokenHead, *, draw: Draw = sampled
    ) -> None:
        super().__init__()
        self.generator, self.body, self.head, self.draw = generator, body, head, draw

    def forward(self, hidden: Packed, true: Tensor, at: Tensor) -> Replacements:
        """Play one round.

        Parameters
        ----------
        hidden
            Tokens after hiding.
        true
            ``(T,)`` the tokens that stood there.
        at
            ``(T,)`` where something was hidden.
        """
        logits = self.generator(hidden, at)  # (m, V)
        with torch.no_grad():
            made = true.masked_scatter(at, self.draw(logits))  # (T,)
        seen = Packed(made, hidden.offsets, hidden.types)
        return Replacements(logits, self.head(self.body(seen)), made == true, at)


def share_embeddings(small: nn.Module, large: nn.Module) -> None:
    """Give two transformers one table of tokens, positions and types and one norm; each keeps its own projection.

    Parameters
    ----------
    small, large
        Transformers with the same ``embedding_width``; the first takes over what the second has.

    Examples
    --------
    >>> from isogloss.nn.transformer import Transformer, TransformerConfig
    >>> config = TransformerConfig(vocabulary=9, width=8, layers=1, heads=2, inner=16, embedding_width=4)
    >>> one, other = Transformer(config), Transformer(config)
    >>> share_embeddings(one, other)
    >>> one.embeddings.word is other.embeddings.word, one.embeddings.project is other.embeddings.project
    (True, False)
    """
    for name in ("word", "position", "token_type", "norm"):
        setattr(small.embeddings, name, getattr(large.embeddings, name))
