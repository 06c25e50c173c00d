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
)
from isogloss.objectives.contract import Batch

WORDS = 7
NOT_ITEMS = {
    "weights": "its outputs have a row a token, and judged tokens are named by their targets",
    "permutation": "its outputs have a row a token",
}
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


def flip(outputs: Any, batch: Any) -> tuple[Any, Any]:
    """Tell everything wrongly."""
    return outputs._replace(discriminator=-outputs.discriminator), batch


def roll(outputs: Any, batch: Any) -> tuple[Any, Any]:
    """Shift the logits by a word."""
    if isinstance(outputs, tuple):
        return (outputs[0].roll(1, 1), *outputs[1:]), batch
    return outputs.roll(1, 1), batch


def _part(make: Any, case: Any, *, weighted: bool = False) -> ObjectivePart:
    return ObjectivePart(make, case, roll, opted_out=SINGLE if weighted else {**NOT_ITEMS, **SINGLE})


objectives = {
    "objectives.masked.MaskedLanguageModelling": _part(masked.MaskedLanguageModelling, judged),
    "objectives.causal.CausalLanguageModelling": _part(causal.CausalLanguageModelling, judged),
    "objectives.causal.TwoWayLanguageModelling": _part(causal.TwoWayLanguageModelling, both),
    "objectives.sequence.TeacherForcing": _part(sequence.TeacherForcing, written),
    "objectives.sequence.RelevanceToken": _part(
        lambda: sequence.RelevanceToken(true=2, false=1), relevant, weighted=True
    ),
    "objectives.class_prediction.ClassPrediction": _part(class_prediction.ClassPrediction, classed, weighted=True),
    "objectives.reconstruction.BottleneckReconstruction": _part(reconstruction.BottleneckReconstruction, judged),
    "objectives.span.SpanBoundary": _part(span.SpanBoundary, edged),
    "objectives.replaced_token.ReplacedTokenDetection": ObjectivePart(
        replaced_token.ReplacedTokenDetection, replaced, flip, opted_out={**NOT_ITEMS, **SINGLE}
    ),
    "objectives.balanced.Balanced": _part(lambda: balanced.Balanced(masked.MaskedLanguageModelling()), routed),
}
