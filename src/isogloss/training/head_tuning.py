"""Fine-tuning under an objective with a head, which learns first and faster, on vectors that keep their lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from isogloss.arrays import Dense
from isogloss.errors import UsageError
from isogloss.nn.sentence import SentenceModel
from isogloss.objectives.pairs import PairClassification, pair_features
from isogloss.training.batching import TextBatches
from isogloss.training.fine_tuning import encode_together, prompts_of
from isogloss.training.loop import train
from isogloss.training.models import steps_of
from isogloss.training.stage import Optimiser, Player, Stage
from isogloss.training.trained_encoder import TrainedEncoder


def unscaled(encoder: TrainedEncoder) -> TrainedEncoder:
    """Return the encoder without the last step that scales vectors to length one; weights are shared.

    Cosines stay what they were. Numbers of unit vectors are about ``1 / sqrt(d)``, so small that a linear head on them,
    with weights of the same size, says the same of everything until it has grown many times over.

    Parameters
    ----------
    encoder
        With a module of this library.
    """
    whole = encoder.trainable
    model = SentenceModel(
        whole.model.transformer, pooling=whole.model.pooling, dense=[*whole.model.dense], normalise=False
    ).eval()
    plan = replace(whole.plan, steps=replace(whole.plan.steps, value=steps_of(model)))
    return TrainedEncoder.of(replace(whole, model=model, plan=plan), name=encoder.name)


def tune_with_head(
    base: TrainedEncoder, columns: Sequence[Sequence[str]], objective: Any, *, labels: Any, steps: int,
    batch_size: int = 32, learning_rate: float = 1e-4, head_steps: int = 0, head_rate: float = 1e-2, seed: int = 0,
) -> TrainedEncoder:  # fmt: skip
    """Tune an encoder under an objective with a head, which may learn alone at first and has a rate of its own.

    Under a head of random weights the first moves of an encoder follow random directions, and in few steps these are
    most of what it learns.

    Sources: Reimers and Gurevych 2019, "Sentence-BERT" (https://arxiv.org/abs/1908.10084), which has one rate and many
    steps; Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution"
    (https://arxiv.org/abs/2202.10054), for the head that learns first.

    Parameters
    ----------
    base
        Changed in place: of its weights, those that may move.
    columns, labels
        Texts, such as left and right ones, and a label for each item.
    objective
        A module such as :class:`~isogloss.objectives.pairs.PairClassification`; its weights are the head.
    steps, batch_size, learning_rate
        Of encoder and head together; the rate is the encoder's, 0 leaves it as it was.
    head_steps, head_rate
        Steps of the head alone, and its rate in these and in those together.
    seed
        Of the order and of dropout.

    Returns
    -------
    TrainedEncoder
        Its vectors are not scaled to length one.

    Raises
    ------
    UsageError
        Where the data cannot be trained on, or the objective has no weights.
    NonFiniteError
        Where a loss is not finite.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        head = PairClassification(width=base.dimensions, classes=3)
        encoder = tune_with_head(base, [premises, hypotheses], head, labels=classes, steps=500, head_steps=50)
    """
    made, own = unscaled(base), {id(one) for one in objective.parameters()}
    if not own:
        raise UsageError("there is no head to tune with", f"{type(objective).__name__} has no weights", "use fine_tune")
    batches = TextBatches(
        columns, made.tokenizer, batch_size=batch_size, seed=seed, labels=labels, no_duplicates=False,
        prompts=prompts_of(made.trainable, len(columns)),
    )  # fmt: skip

    def stage(name: str, count: int) -> Stage:
        player = Player(
            module=made.model, objective=objective, forward=encode_together, make_optimiser=grouped,
            optimiser=Optimiser(learning_rate=head_rate),
        )  # fmt: skip
        return Stage(batches=batches, players=[player], steps=count, precision="bf16", name=name)

    def grouped(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        parts = [part for group in groups for part in _apart(group, own, learning_rate / head_rate)]
        return torch.optim.AdamW(parts, fused=True)

    if head_steps:
        moving = [one for one in made.model.parameters() if one.requires_grad]
        made.model.requires_grad_(False)
        try:
            train(stage("the head", head_steps), seed=seed)
        finally:
            for one in moving:
                one.requires_grad_(True)
    made.summary = train(stage("tuning", steps), seed=seed)
    return made


def class_scores(encoder: TrainedEncoder, objective: PairClassification, columns: Sequence[Sequence[str]]) -> Dense:
    """Return the head's logits ``(n, classes)`` for the pairs of two columns of texts.

    Parameters
    ----------
    encoder, objective
        What was tuned by :func:`tune_with_head`, and with which head.
    columns
        Left and right texts.
    """
    left, right = (torch.from_numpy(encoder.encode(list(texts))) for texts in columns)  # (n, d) each
    with torch.inference_mode():
        features = pair_features(left, right, difference=objective.difference, product=objective.product)
        found: Dense = objective.head(features).numpy()  # (n, classes)
    return found


def _apart(group: dict[str, Any], head: set[int], share: float) -> list[dict[str, Any]]:
    """Return a group as two, of the head's weights and of the others; the latter have a share of the rate."""
    sides = [[one for one in group["params"] if (id(one) in head) == owned] for owned in (True, False)]
    return [group | {"params": side, "lr_scale": by} for side, by in zip(sides, (1.0, share), strict=True) if side]
