"""Smaller transformers: the teacher with fewer dimensions, or with fewer layers taught by the whole one, or both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isogloss.arrays import Dense
from isogloss.errors import UsageError
from isogloss.nn.sentence import DenseLayer, SentenceModel
from isogloss.objectives.distillation import FeatureDistillation
from isogloss.protocols import Progress
from isogloss.training.batching import TextBatches
from isogloss.training.hardware import precision_of
from isogloss.training.loop import train
from isogloss.training.models import Trainable, keep_layers, load_trainable, steps_of
from isogloss.training.saving import save_trainable
from isogloss.training.stage import Optimiser, Player, Stage
from isogloss.training.trained_encoder import TrainedEncoder
from isogloss.transforms.projection import principal_directions

Student = tuple[Any, Callable[[Path, str], None], dict[str, Any]]


def projected(name: str, vectors: Dense, dimensions: int) -> Student:
    """Add a linear layer that keeps the directions in which the teacher's vectors differ most from zero.

    The directions are those of the second moment, not of the covariance: nothing is taken off, so that inner products
    are kept as well as a linear map of that size can (Eckart and Young, 1936).

    Parameters
    ----------
    name
        The teacher.
    vectors
        Its vectors ``(n, d)``.
    dimensions
        What is left, less than ``d``.

    Raises
    ------
    UsageError
        Where there are no fewer dimensions than before, or fewer vectors than dimensions.
    """
    width = vectors.shape[1]
    if dimensions >= width:
        raise UsageError(f"{name} has {width} dimensions", f"dim={dimensions} would not be smaller", "ask for fewer")
    if len(vectors) < dimensions:
        raise UsageError(f"{dimensions} directions cannot be learned from {len(vectors)} sentences", "", "give more")
    whole = load_trainable(name)
    directions = principal_directions(vectors, centre=False).rows[:dimensions]  # (dimensions, d)
    layer = DenseLayer(width, dimensions, bias=False, activation="Identity")
    with torch.no_grad():
        layer.linear.weight.copy_(torch.from_numpy(directions.astype(np.float32)))  # (dimensions, d)
    model = SentenceModel(
        whole.model.transformer, pooling=whole.model.pooling, dense=[*whole.model.dense, layer],
        normalise=whole.model.normalise,
    ).eval()  # fmt: skip
    return _student(_with(whole, model), {"dimensions": dimensions})


def shallow(
    name: str, texts: Sequence[str], vectors: Dense, layers: int, *, seconds: float, seed: int, progress: Progress
) -> Student:
    """Keep some layers, evenly spread, and teach them the whole model's vectors.

    The start is every so-many-th layer of the teacher as in DistilBERT (https://arxiv.org/abs/1910.01108); the lesson
    is the distance of the two models' vectors of the same sentence.

    Parameters
    ----------
    name
        The teacher.
    texts, vectors
        Sentences and the teacher's vectors ``(n, d)`` of them.
    layers
        How many stay, less than the teacher has.
    seconds
        For training.
    seed, progress
        As everywhere.

    Raises
    ------
    UsageError
        Where there are no fewer layers than before.
    """
    whole = load_trainable(name)
    depth = len(whole.model.transformer.layers)
    if layers >= depth:
        raise UsageError(f"{name} has {depth} layers", f"layers={layers} would not be fewer", "ask for fewer")
    chosen = np.unique(np.round(np.linspace(0, depth - 1, layers)).astype(int)).tolist()
    student = keep_layers(whole, chosen)
    batches = TextBatches([list(texts)], student.tokenizer, batch_size=64, seed=seed, labels=vectors)
    player = Player(
        module=student.model, objective=FeatureDistillation(), optimiser=Optimiser(learning_rate=1e-4)
    )  # fmt: skip
    stage = Stage(
        batches=batches, players=[player], budget=seconds, steps=20 * batches.per_epoch, precision=precision_of("auto"),
        name="teach",
    )  # fmt: skip
    summary = train(stage, seed=seed, progress=progress)
    student.model.eval()
    facts = {"layers": [int(one) + 1 for one in chosen], "steps": summary.steps, "seconds": round(summary.seconds, 1)}
    return _student(student, facts)


def regressed(
    base: Trainable | TrainedEncoder, texts: Sequence[str], targets: Dense, *, layers: int, ridge: float = 0.01
) -> TrainedEncoder:
    """Return the first layers of a model under a linear map that comes as near to ``targets`` as ridge regression can.

    The start of a student with few layers and few dimensions, before its layers learn. With pooled states ``X`` about
    their mean ``m`` and targets about theirs, ``W`` solves ``(X^T X + r t I) W = X^T Y``, ``t`` the mean of the
    diagonal of ``X^T X``; the bias makes up for both means. Nothing is scaled to length one: targets have lengths.

    Source: Zhao et al. 2022, "Compressing Sentence Representation for Semantic Retrieval via Homomorphic Projective
    Distillation" (https://arxiv.org/abs/2203.07687), where the map begins at random; Hoerl and Kennard 1970, "Ridge
    Regression" (https://doi.org/10.1080/00401706.1970.10488634).

    Parameters
    ----------
    base
        Whose layers, tokens and pooling are taken; parameters are shared with it.
    texts, targets
        Sentences, and a vector ``(n, k)`` of each.
    layers
        How many, from the first on.
    ridge
        ``r``.

    Raises
    ------
    UsageError
        Where texts and targets are not equally many, or the model has fewer layers.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        student = regressed(load_trainable("minilm"), texts, targets, layers=2)
    """
    whole = base.trainable if isinstance(base, TrainedEncoder) else base
    depth = len(whole.model.transformer.layers)
    if len(texts) != len(targets) or not len(texts) or not 1 <= layers <= depth:
        why = f"{len(texts)} texts, {len(targets)} targets, {layers} of {depth} layers"
        raise UsageError(
            "a map cannot be fitted", why, "give a target for each text, and no more layers than there are"
        )
    part = keep_layers(whole, range(layers))
    pooled = SentenceModel(part.model.transformer, pooling=part.model.pooling, normalise=False)
    states = np.asarray(TrainedEncoder.of(_with(part, pooled)).encode(list(texts)), np.float64)  # (n, d)
    mean, wanted = states.mean(0), np.asarray(targets, np.float64)  # (d,), (n, k)
    moment = (states - mean).T @ (states - mean)  # (d, d)
    moment[np.diag_indices_from(moment)] += ridge * np.trace(moment) / len(moment)
    weight = np.linalg.solve(moment, (states - mean).T @ (wanted - wanted.mean(0)))  # (d, k)
    layer = DenseLayer(weight.shape[0], weight.shape[1], activation="Identity")
    with torch.no_grad():
        layer.linear.weight.copy_(torch.from_numpy(weight.T.astype(np.float32)))
        layer.linear.bias.copy_(torch.from_numpy((wanted.mean(0) - mean @ weight).astype(np.float32)))
    model = SentenceModel(pooled.transformer, pooling=pooled.pooling, dense=[layer], normalise=False).eval()
    return TrainedEncoder.of(_with(part, model))


def _with(whole: Trainable, model: SentenceModel) -> Trainable:
    """Return the trainable with another module on top of the same transformer, its plan telling the new steps."""
    steps = replace(whole.plan.steps, value=steps_of(model))
    plan = replace(whole.plan, steps=steps, dimensions=model.dimensions)
    return replace(whole, model=model, plan=plan)


def _student(trainable: Trainable, facts: dict[str, Any]) -> Student:
    parameters = sum(one.numel() for one in trainable.model.parameters())
    encoder = TrainedEncoder.of(trainable)

    def save(folder: Path, card: str) -> None:
        save_trainable(trainable, folder, card=card)

    return encoder, save, {**facts, "parameters": parameters}
