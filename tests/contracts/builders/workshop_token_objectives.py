"""Objectives on tokens and on two-way logits; they take logits, one row a judged token."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from contract_parts import ObjectivePart

from isogloss.nn.packing import pack
from isogloss.nn.replaced_tokens import Replacements
from isogloss.objectives import (
    balanced,
    causal,
    class_prediction,
    masked,
    reconstruction,
    replaced_token,
    sequence,
    span,
    with_masked_words,
)
from isogloss.objectives.contract import Batch

WORDS = 7
SINGLE = {"finite_differences": "it computes in float32 on purpose; the part's own test has the gradient"}


def texts(items: int, seed: int) -> Any:
    """Texts of two to four tokens."""
    drawn = np.random.default_rng(seed)
    return pack([drawn.integers(0, WORDS, 2 + i % 3) for i in range(items)])


def logits(targets: Any, seed: int) -> Any:
    """Logits that prefer the targets."""
    noise = torch.randn(len(targets), WORDS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (3 * torch.nn.functional.one_hot(targets, WORDS) + noise).requires_grad_()


def judged(items: int, seed: int) -> tuple[Any, Any]:
    """Every token is judged."""
    packed, targets = texts(items, seed), texts(items, seed + 1)
    return logits(targets.ids, seed), Batch((packed,), extra={"targets": targets})


def both(items: int, seed: int) -> tuple[Any, Any]:
    """Logits ahead and back."""
    ahead, batch = judged(items, seed)
    before = causal.previous(batch.columns[0])
    return (ahead, logits(before[before >= 0], seed + 1)), batch


def written(items: int, seed: int) -> tuple[Any, Any]:
    """Logits of the second column's tokens."""
    targets = texts(items, seed + 1)
    return logits(targets.ids, seed), Batch((texts(items, seed), targets))


def relevant(items: int, seed: int) -> tuple[Any, Any]:
    """Logits that prefer the word of each pair's label."""
    labels = torch.arange(items) % 2
    return logits(1 + labels, seed), Batch((texts(items, seed),), labels)


def routed(items: int, seed: int) -> tuple[Any, Any]:
    """Logits and one mixture's routing."""
    outputs, batch = judged(items, seed)
    routing = torch.randn(len(outputs), 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (outputs, [routing.softmax(1).requires_grad_()]), batch


def classed(items: int, seed: int) -> tuple[Any, Any]:
    """Logits that prefer each text's class."""
    labels = torch.arange(items) % WORDS
    return logits(labels, seed), Batch((texts(items, seed),), labels)


def edged(items: int, seed: int) -> tuple[Any, Any]:
    """Logits of the words themselves and from their spans' edges; every third span is cut."""
    own, batch = judged(items, seed)
    targets = batch.extra["targets"].ids
    return (own, logits(targets, seed + 1), torch.arange(len(targets)) % 3 > 0), batch


def replaced(items: int, seed: int) -> tuple[Any, Any]:
    """One round of the game; the discriminator prefers what is true."""
    outputs, batch = judged(items, seed)
    original = torch.arange(len(outputs)) % 3 > 0
    told = (4.0 * original - 2.0 + 0.1 * outputs.detach()[:, 0]).requires_grad_()
    return Replacements(outputs, told, original, torch.ones_like(original)), batch


def places(packed: Any, items: Any) -> Any:
    """The tokens of some texts, text by text."""
    starts, stops = packed.offsets[:-1].tolist(), packed.offsets[1:].tolist()
    return torch.cat([torch.arange(starts[i], stops[i]) for i in items.tolist()])


def some(packed: Any, items: Any) -> Any:
    """Some texts of a pack, in some order."""
    return pack([packed.ids[packed.offsets[i] : packed.offsets[i + 1]].numpy() for i in items.tolist()])


def select(outputs: Any, batch: Any, items: Any) -> tuple[Any, Any]:
    """What belongs to some texts: a row a token of the column that is judged, the last one."""
    at = places(batch.columns[-1], items)

    def rows(one: Any) -> Any:
        if isinstance(one, torch.Tensor):
            return one[at]
        parts = [rows(part) for part in one]
        return type(one)(*parts) if hasattr(one, "_fields") else type(one)(parts)

    extra = {name: some(one, items) for name, one in batch.extra.items()}
    return rows(outputs), Batch(tuple(some(one, items) for one in batch.columns), extra=extra)


def select_both(outputs: Any, batch: Any, items: Any) -> tuple[Any, Any]:
    """The same where the tokens back have no row for the first of a text."""
    inner = causal.previous(batch.columns[0]) >= 0
    whole = torch.zeros(len(inner), WORDS, dtype=outputs[1].dtype)
    whole[inner] = outputs[1]
    (ahead, back), rest = select((outputs[0], whole), batch, items)
    return (ahead, back[causal.previous(rest.columns[0]) >= 0]), rest


def anchored(items: int, seed: int) -> tuple[Any, Any]:
    """Two columns of vectors that are near each other, and logits of the first one's tokens."""
    words, batch = judged(items, seed)
    drawn = torch.Generator().manual_seed(seed)
    first, noise = (torch.randn(items, 8, generator=drawn, dtype=torch.float64) for _ in range(2))
    vectors = first.requires_grad_(), (first.detach() + 0.3 * noise).requires_grad_()
    return (*vectors, words), Batch(batch.columns * 2, extra=batch.extra)


def select_anchored(outputs: Any, batch: Any, items: Any) -> tuple[Any, Any]:
    """Vectors have a row a text, logits one a token."""
    words, rest = select(outputs[-1], batch, items)
    return (*(one[items] for one in outputs[:-1]), words), rest


def mismatch(outputs: Any, batch: Any) -> tuple[Any, Any]:
    """Give each text another one's partner."""
    return (outputs[0], outputs[1].roll(1, 0), outputs[2]), batch


def flip(outputs: Any, batch: Any) -> tuple[Any, Any]:
    """Tell everything wrongly."""
    return outputs._replace(discriminator=-outputs.discriminator), batch


def roll(outputs: Any, batch: Any) -> tuple[Any, Any]:
    """Shift the logits by a word."""
    if isinstance(outputs, tuple):
        return (outputs[0].roll(1, 1), *outputs[1:]), batch
    return outputs.roll(1, 1), batch


def _part(make: Any, case: Any, choose: Any = select) -> ObjectivePart:
    return ObjectivePart(make, case, roll, opted_out=SINGLE, select=choose)


objectives = {
    "objectives.masked.MaskedLanguageModelling": _part(masked.MaskedLanguageModelling, judged),
    "objectives.causal.CausalLanguageModelling": _part(causal.CausalLanguageModelling, judged),
    "objectives.causal.TwoWayLanguageModelling": _part(causal.TwoWayLanguageModelling, both, select_both),
    "objectives.sequence.TeacherForcing": _part(sequence.TeacherForcing, written),
    "objectives.sequence.RelevanceToken": _part(lambda: sequence.RelevanceToken(true=2, false=1), relevant, None),
    "objectives.class_prediction.ClassPrediction": _part(class_prediction.ClassPrediction, classed, None),
    "objectives.reconstruction.BottleneckReconstruction": _part(reconstruction.BottleneckReconstruction, judged),
    "objectives.span.SpanBoundary": _part(span.SpanBoundary, edged),
    "objectives.with_masked_words.WithMaskedWords": ObjectivePart(
        with_masked_words.WithMaskedWords, anchored, mismatch, opted_out=SINGLE, select=select_anchored
    ),
    "objectives.replaced_token.ReplacedTokenDetection": ObjectivePart(
        replaced_token.ReplacedTokenDetection, replaced, flip, opted_out=SINGLE, select=select
    ),
    "objectives.balanced.Balanced": _part(lambda: balanced.Balanced(masked.MaskedLanguageModelling()), routed),
}
