"""Pre-training of base models: tokens made once, a fixed number of steps, one stage of the loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isogloss.arrays import Ragged
from isogloss.nn.heads import TokenPredictor
from isogloss.nn.transformer import relative_buckets
from isogloss.objectives.balanced import Balanced, with_routing
from isogloss.objectives.causal import CausalLanguageModelling
from isogloss.objectives.masked import MaskedLanguageModelling
from isogloss.objectives.token_targets import predict_judged
from isogloss.protocols import Progress
from isogloss.seeding import derive
from isogloss.training.corpus_batches import CausalBatches, MaskedBatches
from isogloss.training.corpus_tokens import sentences, token_ids
from isogloss.training.loop import train
from isogloss.training.masked_model import hiding
from isogloss.training.randomness import seeded
from isogloss.training.stage import Batches, Optimiser, Player, Stage

__all__ = ["pretrain_balanced", "pretrain_causal", "pretrain_masked", "seeded"]

BATCH = 8
"""Passages of a step, about 900 tokens: in half a minute many small moves teach more than a few large ones."""
HIDDEN = 0.3
"""Share of the hidden tokens: twice BERT's, so that a step teaches twice as much; models are tested at 15 %."""
NEAR = 8.0
"""What a head's bias for its own neighbour begins with: beside 100 other tokens, nearly all of its attention."""


def pretrain_masked(
    predictor: TokenPredictor, tokenizer: Any, texts: Sequence[str], *, steps: int, rate: float, window: int,
    seed: int, progress: Progress, objective: Any = None,
) -> None:  # fmt: skip
    """Train a body and its head on hidden tokens, in place.

    Parameters
    ----------
    predictor, tokenizer, texts
        Who learns, from what.
    steps, rate
        Number of steps, highest learning rate.
    window
        Longest sequence, marks included.
    seed
        Of order, hiding and dropout.
    progress
        Told about every step.
    objective
        Masked language modelling where None.
    """
    around = tokenizer.encode("").ids
    rows = sentences(token_ids(texts, tokenizer), window, before=around[:1], after=around[1:])
    _begin_with_neighbours(predictor.body)
    _begin_with_frequencies(predictor, rows)
    batches = MaskedBatches(rows, hiding(tokenizer, share=HIDDEN), batch_size=BATCH, seed=derive(seed, "batches"))
    _train(predictor, batches, objective or MaskedLanguageModelling(), steps, rate, seed, progress)


def pretrain_causal(
    predictor: TokenPredictor, tokenizer: Any, texts: Sequence[str], *, steps: int, rate: float, window: int,
    seed: int, progress: Progress,
) -> None:  # fmt: skip
    """Train a body and its head on next tokens, in place; parameters as for :func:`pretrain_masked`."""
    ends = [tokenizer.token_to_id(name) for name in ("<s>", "</s>")]
    rows = sentences(token_ids(texts, tokenizer), window, before=ends[:1], after=ends[1:])
    _begin_with_frequencies(predictor, rows)
    batches = CausalBatches(rows, batch_size=BATCH, seed=derive(seed, "batches"))
    _train(predictor, batches, CausalLanguageModelling(), steps, rate, seed, progress)


def pretrain_balanced(
    predictor: TokenPredictor, tokenizer: Any, texts: Sequence[str], *, top: int, balance: float, steps: int,
    rate: float, window: int, seed: int, progress: Progress,
) -> None:  # fmt: skip
    """Train a causal body with mixtures of experts on next tokens, in place, all experts at work.

    Parameters
    ----------
    predictor, tokenizer, texts, steps, rate, window, seed, progress
        As for :func:`pretrain_masked`.
    top
        Experts that a token takes.
    balance
        Weight of the penalty for experts that are chosen more often than others.
    """
    ends = [tokenizer.token_to_id(name) for name in ("<s>", "</s>")]
    rows = sentences(token_ids(texts, tokenizer), window, before=ends[:1], after=ends[1:])
    _begin_with_frequencies(predictor, rows)
    player = Player(
        module=predictor, objective=Balanced(CausalLanguageModelling(), top=top, weight=balance),
        forward=with_routing(predict_judged), optimiser=Optimiser(learning_rate=rate, warmup=0.06),
    )  # fmt: skip
    batches = CausalBatches(rows, batch_size=BATCH, seed=derive(seed, "batches"))
    train(Stage(batches=batches, players=[player], steps=steps, precision="bf16"), seed=seed, progress=progress)


def _begin_with_frequencies(predictor: TokenPredictor, rows: Ragged) -> None:
    """Set the head's bias to the log of each token's share, which a new model would spend its first steps on."""
    bias: Tensor = predictor.head.bias  # type: ignore[assignment]
    shares = np.bincount(rows.values, minlength=len(bias)) + 1.0
    with torch.no_grad():
        bias.copy_(torch.from_numpy(np.log(shares / shares.sum())))  # (vocabulary,)


def _begin_with_neighbours(body: nn.Module) -> None:
    """Let each head of a body with relative positions look at one neighbour at first.

    The heads begin at the token before, the one after, two before, two after, and so on; all biases stay free to move.
    A hidden token says nothing of itself. From weights to which all places are alike, a tiny masked model knows nothing
    but frequencies for thousands of steps, until it has found where the neighbours are; a causal one does not wait,
    because the token that it goes on from is its own input.
    """
    relative: nn.Embedding | None = getattr(body, "relative", None)
    if relative is None:
        return
    rows, heads = relative.weight.shape
    farthest = (heads + 1) // 2
    bucket = relative_buckets(2 * farthest + 1, rows)[farthest].tolist()  # seen from the token in the middle
    with torch.no_grad():
        for head in range(heads):
            away = head // 2 + 1
            relative.weight[bucket[farthest + (away if head % 2 else -away)], head] = NEAR


def _train(
    predictor: TokenPredictor, batches: Batches, objective: Any, steps: int, rate: float, seed: int, progress: Progress
) -> None:
    optimiser = Optimiser(learning_rate=rate, warmup=0.06)
    player = Player(module=predictor, objective=objective, forward=predict_judged, optimiser=optimiser)
    train(Stage(batches=batches, players=[player], steps=steps, precision="bf16"), seed=seed, progress=progress)
