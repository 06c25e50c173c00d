"""Spans told from their edges: every hidden word from the two words around its span and its place in it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.nn.heads import TokenPredictor
from isogloss.nn.packing import Packed
from isogloss.objectives.contract import Batch, Losses, weighted_sum
from isogloss.objectives.token_targets import IGNORED, targets_of, token_losses, token_weights


def span_edges(packed: Packed, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return for each hidden token the visible ones to the left and right of its span, its place, and whether both are.

    Parameters
    ----------
    packed
        The texts.
    hidden
        ``(T,)`` which tokens are hidden; neighbours that are both hidden are one span.

    Returns
    -------
    left, right, place, whole : Tensor
        ``(m,)`` each: rows of the edges, distance from the left edge (1 and up), and whether the span has two edges in
        its own text (where not, the rows are those of the token itself).

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> left, right, place, whole = span_edges(pack([np.arange(5)]), torch.tensor([False, True, True, False, True]))
    >>> left.tolist(), right.tolist(), place.tolist(), whole.tolist()
    ([0, 0, 4], [3, 3, 4], [1, 2, 1], [True, True, False])
    """
    count, rows = len(hidden), torch.arange(len(hidden), device=hidden.device)
    before = torch.where(hidden, -1, rows).cummax(0).values  # (T,) the last visible row up to here
    after = torch.where(hidden, count, rows).flip(0).cummin(0).values.flip(0)  # (T,) the next one
    starts = packed.offsets[:-1].to(hidden.device).repeat_interleave(packed.lengths.to(hidden.device))  # (T,)
    stops = packed.offsets[1:].to(hidden.device).repeat_interleave(packed.lengths.to(hidden.device))  # (T,)
    whole = (before >= starts) & (after < stops)
    left, right = torch.where(whole, before, rows), torch.where(whole, after, rows)
    place = torch.where(whole, rows - before, 1)
    return left[hidden], right[hidden], place[hidden], whole[hidden]


class SpanBoundaryPredictor(nn.Module):
    """A masked-word predictor that also tells each hidden word from the two edges of its span.

    Parameters
    ----------
    predictor
        Body and head.
    width, size
        Of a state, and of the token table (``width`` where None).
    longest
        Places within a span that have a vector of their own; later ones share the last.
    """

    def __init__(self, predictor: TokenPredictor, width: int, *, size: int | None = None, longest: int = 10) -> None:
        super().__init__()
        size = width if size is None else size
        self.predictor, self.longest = predictor, longest
        self.place = nn.Embedding(longest + 1, width)
        self.first, self.first_norm = nn.Linear(3 * width, width), nn.LayerNorm(width)
        self.second, self.second_norm = nn.Linear(width, size), nn.LayerNorm(size)
        nn.init.normal_(self.place.weight, std=0.02)

    def forward(self, packed: Packed, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits ``(m, V)`` by the tokens' own states and by the edges, and which have both edges ``(m,)``."""
        states = self.predictor.body(packed)  # (T, width)
        own = self.predictor.head(states[at], self.predictor.table)  # (m, V)
        left, right, place, whole = span_edges(packed, at)
        place = self.place(place.clamp_max(self.longest))  # (m, width)
        x = torch.cat([states[left], states[right], place], dim=1)  # (m, 3 * width)
        x = self.first_norm(functional.gelu(self.first(x)))  # (m, width)
        x = self.second_norm(functional.gelu(self.second(x)))  # (m, size)
        return own, functional.linear(x, self.predictor.table), whole


def predict_spans(module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Return what a :class:`SpanBoundaryPredictor` gives at the judged positions: its forward pass."""
    found: tuple[Tensor, Tensor, Tensor] = module(batch.columns[0], targets_of(batch) != IGNORED)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanBoundary:
    """Masked-word loss, plus the loss of the same words told from the edges of their spans.

    Takes what ``predict_spans`` gives and batches of :class:`~isogloss.training.corpus_batches.MaskedBatches` whose
    ``Hiding`` has ``unit="span"``. SpanBERT (https://arxiv.org/abs/1907.10529). T5's span corruption is
    :func:`isogloss.training.denoising.corrupted` with :class:`~isogloss.objectives.sequence.TeacherForcing`.

    Attributes
    ----------
    weight
        Of the edges' loss.
    """

    weight: float = 1.0
    cacheable: bool = False

    def __call__(self, outputs: tuple[Tensor, Tensor, Tensor], batch: Batch) -> Losses:
        """Return one value, the sum; the two in its parts."""
        own, edges, whole = outputs
        targets, weights = targets_of(batch), token_weights(batch)
        told = token_losses(edges, targets, weights)
        sure = whole.float() if told.weights is None else whole * told.weights  # (m,)
        told = Losses(told.values, sure, "token", told.parts)
        return weighted_sum({"own": (1.0, token_losses(own, targets, weights)), "edges": (self.weight, told)})
