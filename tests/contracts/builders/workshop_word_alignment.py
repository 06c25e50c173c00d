"""Objectives on words in context: vectors that are near the targets of their words."""

from __future__ import annotations

from typing import Any

import torch
from contract_parts import ObjectivePart, objectives

from isogloss.nn.packing import pack
from isogloss.objectives.contract import Batch
from isogloss.objectives.word_alignment import AlignedMasking, TokensAndWords, WordAlignment

WIDTH, KINDS = 3, 7


def worded(items: int, seed: int) -> tuple[Any, Any]:
    """Texts of four tokens with two words in each, of two tokens and of one."""
    draw = torch.Generator().manual_seed(seed)
    texts = pack([torch.randint(0, KINDS, (4,), generator=draw).numpy() for _ in range(items)])
    places = torch.tensor([[2 * i, 2 * i, -1, 2 * i + 1] for i in range(items)]).flatten()
    teacher = torch.randn(2 * items, WIDTH, generator=draw, dtype=torch.float64)
    near = teacher + 0.1 * torch.randn(2 * items, WIDTH, generator=draw, dtype=torch.float64)
    words = type(texts)(places, texts.offsets)
    return near.requires_grad_(), Batch((texts,), extra={"words": words, "teacher": teacher, "targets": texts})


def both(items: int, seed: int) -> tuple[Any, Any]:
    """The same with logits that prefer the tokens."""
    near, batch = worded(items, seed)
    noise = torch.randn(4 * items, KINDS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    logits = 3 * torch.nn.functional.one_hot(batch.columns[0].ids, KINDS) + noise
    return TokensAndWords(logits.requires_grad_(), near), batch


def chosen(outputs: Any, batch: Any, items: Any) -> tuple[Any, Any]:
    """What belongs to some texts, their words numbered anew."""
    rows = torch.stack([2 * items, 2 * items + 1], 1).flatten()
    tokens = (4 * items[:, None] + torch.arange(4)).flatten()
    _, small = worded(len(items), 0)
    texts = type(batch.columns[0])(batch.columns[0].ids[tokens], small.columns[0].offsets)
    extra = {"words": small.extra["words"], "teacher": batch.extra["teacher"][rows], "targets": texts}
    if isinstance(outputs, TokensAndWords):
        return TokensAndWords(outputs.logits[tokens], outputs.words[rows]), Batch((texts,), extra=extra)
    return outputs[rows], Batch((texts,), extra=extra)


def mixed(outputs: Any, batch: Any) -> tuple[Any, Any]:
    """Give each word another one's vector, and each token another one's logits."""
    if isinstance(outputs, TokensAndWords):
        return TokensAndWords(outputs.logits.roll(1, 1), outputs.words.roll(1, 0)), batch
    return outputs.roll(1, 0), batch


SINGLE = {"finite_differences": "logits are computed in float32 on purpose; the part's own test has the gradient"}
objectives["objectives.word_alignment.WordAlignment"] = ObjectivePart(WordAlignment, worded, mixed, select=chosen)
objectives["objectives.word_alignment.AlignedMasking"] = ObjectivePart(
    AlignedMasking, both, mixed, opted_out=SINGLE, select=chosen
)
