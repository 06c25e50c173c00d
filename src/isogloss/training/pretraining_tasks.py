"""Pre-training tasks put together: a body, a target with its head and batches, by the names that configurations use."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from isogloss.arrays import Ragged
from isogloss.errors import UsageError
from isogloss.nn.backbones import Backbone, backbone
from isogloss.nn.heads import (
    CausalHead,
    ClassificationHead,
    MaskedHead,
    ReplacedTokenHead,
    TextClassifier,
    TokenPredictor,
)
from isogloss.nn.recurrent import TwoWayPredictor
from isogloss.nn.replaced_tokens import Draw, ReplacedTokenGame, sampled
from isogloss.objectives.causal import CausalLanguageModelling, TwoWayLanguageModelling, predict_both
from isogloss.objectives.class_prediction import ClassPrediction, predict_classes
from isogloss.objectives.masked import MaskedLanguageModelling
from isogloss.objectives.replaced_token import ReplacedTokenDetection, play
from isogloss.objectives.token_targets import predict_judged
from isogloss.training.corpus_batches import CausalBatches, Hiding, LabelledBatches, MaskedBatches, packed, taken
from isogloss.training.pretraining import Pretraining
from isogloss.training.randomness import seeded

SEES_LATER = ("transformer", "prefix-transformer", "bilstm", "bigru", "gated-cnn", "cnn")
"""Encoders whose states have seen the next token: nothing is to be learned from asking for it."""


def masked_task(body: Backbone, sequences: Ragged, hiding: Hiding, *, batch_size: int, seed: int) -> Pretraining:
    """Return masked language modelling with a body (BERT, https://arxiv.org/abs/1810.04805).

    Parameters
    ----------
    body
        Learns.
    sequences
        Of tokens.
    hiding
        What is hidden.
    batch_size, seed
        Of the batches.
    """
    vocabulary, width = body.table.shape
    batches = MaskedBatches(sequences, hiding, batch_size=batch_size, seed=seed)
    module = TokenPredictor(body, MaskedHead(vocabulary, width))
    return Pretraining(module=module, objective=MaskedLanguageModelling(), forward=predict_judged, batches=batches)


def causal_task(body: Backbone, sequences: Ragged, hiding: Hiding, *, batch_size: int, seed: int) -> Pretraining:
    """Return the prediction of each next token with a body that does not see it; parameters as :func:`masked_task`.

    The head's bias begins at the logarithm of each token's frequency. Without one the states themselves must carry the
    frequencies, as one large vector that all of them share, and what is tuned on them later learns from that.
    """
    vocabulary, width = body.table.shape
    head = CausalHead(width, bias=vocabulary)
    often = np.bincount(sequences.values, minlength=vocabulary) + 1.0  # (V,)
    head.bias = nn.Parameter(torch.from_numpy(np.log(often / often.sum())).float())  # (V,)
    module = TokenPredictor(body, head)
    batches = CausalBatches(sequences, batch_size=batch_size, seed=seed)
    return Pretraining(module=module, objective=CausalLanguageModelling(), forward=predict_judged, batches=batches)


def two_way_task(body: Backbone, sequences: Ragged, hiding: Hiding, *, batch_size: int, seed: int) -> Pretraining:
    """Return the prediction of both neighbours with a body whose ways never meet; parameters as :func:`masked_task`."""
    width = body.table.shape[1]
    heads = CausalHead(width // 2, size=width), CausalHead(width // 2, size=width)
    batches = CausalBatches(sequences, batch_size=batch_size, seed=seed)
    module = TwoWayPredictor(body, *heads)
    return Pretraining(module=module, objective=TwoWayLanguageModelling(), forward=predict_both, batches=batches)


TARGETS: Mapping[str, Callable[..., Pretraining]] = {"mlm": masked_task, "lm": causal_task, "bilm": two_way_task}
"""Pre-training tasks by the names that configurations use."""


def assembled(
    encoders: str, sequences: Ragged, hiding: Hiding, *, target: str = "mlm", width: int = 64, layers: int = 2,
    batch_size: int = 32, seed: int = 0, positions: int = 128,
) -> Pretraining:  # fmt: skip
    """Put body and target together by name (UER, https://arxiv.org/abs/1909.05658).

    Weights are drawn from torch's random numbers as they are.

    Parameters
    ----------
    encoders
        Names of :data:`isogloss.nn.backbones.ENCODERS`, stacked with ``+``.
    sequences, hiding
        What is learned from.
    target
        ``mlm``, ``lm`` or ``bilm``.
    width, layers, positions
        Of the body.
    batch_size, seed
        Of the batches.

    Raises
    ------
    UsageError
        For an unknown name, with those that are known, and for a target that the body cannot learn from: the next
        token asked of a body that sees it, both neighbours of a body whose ways meet.

    Examples
    --------
    >>> import numpy as np
    >>> task = assembled("lstm", Ragged.from_list([np.arange(5, 9)]), Hiding(mask=4, vocabulary=9), target="lm")
    >>> type(task.objective).__name__
    'CausalLanguageModelling'
    """
    if target not in TARGETS:
        known = ", ".join(sorted(TARGETS))
        raise UsageError(f"there is no target {target!r}", f"known are {known}", "or give an objective of your own")
    names = encoders.split("+")
    seeing = [name for name in names if name in SEES_LATER or (name == "two-lstms" and target == "lm")]
    if target == "lm" and seeing:
        fix = "take lstm, gru, causal-transformer or causal-gated-cnn, or the target mlm"
        raise UsageError(f"{seeing[0]} sees the token that it is asked for", "the target is lm", fix)
    if target == "bilm" and names != ["two-lstms"]:
        raise UsageError(f"{encoders} has no two ways apart", "the target is bilm", "take two-lstms")
    body = backbone(encoders, vocabulary=hiding.vocabulary, width=width, layers=layers, positions=positions)
    return TARGETS[target](body, sequences, hiding, batch_size=batch_size, seed=seed)


def replaced_task(
    encoders: str, sequences: Ragged, hiding: Hiding, *, widths: tuple[int, int] = (64, 32),
    layers: tuple[int, int] = (3, 1), weight: float = 50.0, draw: Draw = sampled, everywhere: bool = True,
    batch_size: int = 32, seed: int = 0,
) -> Pretraining:  # fmt: skip
    """Return replaced-token detection with a generator of the same kind (ELECTRA, https://arxiv.org/abs/2003.10555).

    Parameters
    ----------
    encoders
        Of both bodies.
    sequences, hiding
        What is learned from.
    widths, layers
        Of discriminator and generator.
    weight, everywhere
        As for :class:`~isogloss.objectives.replaced_token.ReplacedTokenDetection`.
    draw
        How replacements are taken from the generator.
    batch_size, seed
        Of the batches.
    """
    body, small = (
        backbone(encoders, vocabulary=hiding.vocabulary, width=width, layers=count)
        for width, count in zip(widths, layers, strict=True)
    )
    generator = TokenPredictor(small, MaskedHead(hiding.vocabulary, widths[1]))
    module: nn.Module = ReplacedTokenGame(generator, body, ReplacedTokenHead(widths[0]), draw=draw)
    objective = ReplacedTokenDetection(weight=weight, everywhere=everywhere)
    batches = MaskedBatches(sequences, hiding, batch_size=batch_size, seed=seed)
    return Pretraining(module=module, objective=objective, forward=play, batches=batches)


def class_task(
    body: Backbone, sequences: Ragged, labels: NDArray[np.int64], *, classes: int, batch_size: int = 32, seed: int = 0
) -> Pretraining:  # fmt: skip
    """Return the prediction of a text's class from the mean and maximum of a body's states.

    Fine-tuning, or a supervised stage before it. The head's weights are drawn from torch's random numbers as they are.

    Parameters
    ----------
    body
        Learns, with a head on top.
    sequences, labels, classes
        Texts, their class numbers, and how many there are.
    batch_size, seed
        Of the batches.
    """
    head = ClassificationHead(body.table.shape[1], classes, pooling=("mean", "max"), dropout=0.0)
    batches = LabelledBatches(sequences, labels, batch_size=batch_size, seed=seed)
    module = TextClassifier(body, head)
    return Pretraining(module=module, objective=ClassPrediction(), forward=predict_classes, batches=batches)


def tuned_classes(
    body: Backbone, known: tuple[Ragged, NDArray[np.int64]], choose: tuple[Ragged, NDArray[np.int64]], *, classes: int,
    steps: int, rates: Sequence[float], batch_size: int = 32, seed: int = 0,
) -> Pretraining:  # fmt: skip
    """Return a :func:`class_task` over a copy of a body, run at the rate of learning that does best on other texts.

    Pre-trained and random weights need different rates: one that suits only the one of them decides a comparison.

    Parameters
    ----------
    body
        To begin from; it is not changed.
    known, choose
        Texts and labels to learn from, and to choose the rate on.
    classes, batch_size, seed
        As for :func:`class_task`.
    steps, rates
        Of each trial, and the rates that are tried; of equal ones the first is taken.
    """
    tried: list[tuple[float, Pretraining]] = []
    for rate in rates:
        with seeded(seed):
            task = class_task(copy.deepcopy(body), *known, classes=classes, batch_size=batch_size, seed=seed)
        task.run(steps, learning_rate=rate, seed=seed)
        tried.append((float((predicted_classes(task, choose[0]) == choose[1]).mean()), task))
    return max(tried, key=lambda one: one[0])[1]


def predicted_classes(task: Pretraining, sequences: Ragged, *, batch_size: int = 64) -> NDArray[np.int64]:
    """Return the likeliest class of each sequence by the module of a :func:`class_task`, ``(n,)``.

    Parameters
    ----------
    task
        That has been run.
    sequences
        Texts.
    batch_size
        Texts at once; it changes no result but by rounding.
    """
    found, training = [], task.module.training
    task.module.eval()
    with torch.inference_mode():
        for start in range(0, len(sequences), batch_size):
            rows = np.arange(start, min(len(sequences), start + batch_size))
            found.append(task.module(packed(*taken(sequences, rows))).argmax(1).numpy())
    task.module.train(training)
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def played_round(
    task: Pretraining, sequences: Ragged, hiding: Hiding, *, seed: int, teller: Pretraining | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return how a game of replaced tokens goes on other text: scores of originality, tokens seen, which are original.

    Parameters
    ----------
    task
        From :func:`replaced_task`.
    sequences, hiding
        Text, each sequence once.
    seed
        Of hiding and draws.
    teller
        From :func:`replaced_task`: whose discriminator is asked about what the generator of ``task`` wrote; the task's
        own where None. Two discriminators compare only on the same replacements: those of a poor generator are easy.
    """
    batch = MaskedBatches(sequences, hiding, batch_size=len(sequences), seed=seed)(0)
    seen: list[NDArray[np.int64]] = []
    game: Any = task.module
    if teller is not None:
        other: Any = teller.module
        game = ReplacedTokenGame(game.generator, other.body, other.head, draw=game.draw)
    training = game.training
    watch = game.body.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].ids.numpy().copy()))
    try:
        game.eval()
        with torch.inference_mode(), seeded(seed):
            outputs = play(game, batch)
    finally:
        watch.remove()
        game.train(training)
    return outputs.discriminator.double().numpy(), seen[0], outputs.original.numpy()
