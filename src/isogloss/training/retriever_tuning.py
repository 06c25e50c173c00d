"""Tuning of retrievers that one module on shuffled batches does not cover: two towers, batches out of one group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from isogloss.encoders.router import RoutedEncoder
from isogloss.errors import UsageError
from isogloss.nn.packing import join
from isogloss.objectives.contract import Batch, Objective
from isogloss.protocols import Progress
from isogloss.training.adapters.freezing import freeze
from isogloss.training.batching import TextBatches
from isogloss.training.fine_tuning import encode_together, prompts_of
from isogloss.training.loop import train
from isogloss.training.mixing import Grouped, OrderedBatches
from isogloss.training.stage import Batches, Forward, Optimiser, Player, Stage
from isogloss.training.trained_encoder import TrainedEncoder


class Settings(TypedDict, total=False):
    """How long and how fast: settings of both functions.

    Attributes
    ----------
    steps
        One pass over the data where None.
    batch_size, learning_rate
        Most items of a batch (32), and the highest rate (2e-5).
    only
        Patterns of the names of the weights that move, as for :func:`~isogloss.training.adapters.freezing.freeze`; all
        where None. With ``*layers.*`` the token table rests, which takes half of a small model's step.
    precision
        ``bf16`` (default) or ``fp32``.
    progress
        Where to report.
    """

    steps: int | None
    batch_size: int
    learning_rate: float
    only: Sequence[str] | str | None
    precision: Literal["bf16", "fp32"]
    progress: Progress | None


def tune_towers(
    query: TrainedEncoder, document: TrainedEncoder, columns: Sequence[Sequence[str]], objective: Objective, *,
    seed: int = 0, **settings: Unpack[Settings],
) -> RoutedEncoder:  # fmt: skip
    """Tune one encoder on questions and another on documents, neither sharing a weight with the other.

    Source: Karpukhin et al. 2020, "Dense Passage Retrieval for Open-Domain Question Answering"
    (https://arxiv.org/abs/2004.04906).

    Parameters
    ----------
    query, document
        Read the first column, and all others; both are changed in place.
    columns
        Questions, right documents, and any number of columns of wrong ones.
    objective
        On the vectors of the columns.
    seed, settings
        Of order and dropout; see :class:`Settings`.

    Raises
    ------
    UsageError
        Where the towers are one model, or cut texts into other tokens.

    Examples
    --------
    With two copies of a base model of the Lab::

        encoder = tune_towers(base.fresh(), base.fresh(), [questions, passages], InBatchSoftmax(similarity="dot"))
        encoder.encode(questions, role="query")
    """
    if query.model is document.model:
        raise UsageError("two towers are two models", "both are the same one", "give copies")
    if query.tokenizer.tokenizer.to_str() != document.tokenizer.tokenizer.to_str():
        raise UsageError("two towers read the same tokens", f"{query.name} and {document.name} do not")
    batches = TextBatches(
        columns, query.tokenizer, batch_size=settings.get("batch_size", 32), seed=seed,
        prompts=prompts_of(query.trainable, len(columns)),
    )  # fmt: skip
    _run(nn.ModuleList([query.model, document.model]), batches, objective, towers, seed, settings)
    return RoutedEncoder(query, document)


def tune_in_groups(
    base: TrainedEncoder, columns: Sequence[Sequence[str]], objective: Objective,
    groups: Sequence[int] | NDArray[np.int64], *, seed: int = 0, **settings: Unpack[Settings],
) -> TrainedEncoder:  # fmt: skip
    """Fine-tune with every batch out of one group, such as a cluster of one source: its negatives are neighbours.

    Source: Merrick 2024, "Embedding And Clustering Your Data Can Improve Contrastive Pretraining"
    (https://arxiv.org/abs/2407.18887). A pass shows every item once; groups come in a drawn order, a group of more than
    a batch is cut into even parts.

    Parameters
    ----------
    base
        Changed in place.
    columns, objective
        As for :func:`~isogloss.training.fine_tuning.fine_tune`.
    groups
        ``(n,)`` number of each item's group; one number for all gives batches at random.
    seed, settings
        Of orders and dropout; see :class:`Settings`.

    Raises
    ------
    UsageError
        Where groups and texts differ in number.

    Examples
    --------
    With a base model of the Lab::

        labels = clusters_within(vectors, sources, 20)
        encoder = tune_in_groups(base.fresh(), [questions, passages], InBatchSoftmax(temperature=0.05), labels)
    """
    size, prompts = settings.get("batch_size", 32), prompts_of(base.trainable, len(columns))
    texts = TextBatches(columns, base.tokenizer, batch_size=size, seed=seed, no_duplicates=False, prompts=prompts)
    if len(groups) != texts.size:
        raise UsageError("texts and groups differ in number", f"{texts.size} rows, {len(groups)} groups")
    batches: Any = OrderedBatches(texts.of, Grouped(groups, batch_size=size, seed=seed))
    _run(base.model, batches, objective, encode_together, seed, settings)
    return base


def towers(module: nn.Module, batch: Batch) -> tuple[Tensor, ...]:
    """Return the vectors ``(size, d)`` of the first column by the first tower, and of the others by the second."""
    first, second = module.children()
    others: Tensor = second(join(batch.columns[1:]))  # ((columns - 1) * size, d)
    return (first(batch.columns[0]), *others.split([len(column) for column in batch.columns[1:]]))


def _run(
    module: nn.Module, batches: Batches, objective: Objective, forward: Forward, seed: int, settings: Settings
) -> None:
    only = settings.get("only")
    if only is not None:
        freeze(module, only=only)
    mover = Optimiser(learning_rate=settings.get("learning_rate", 2e-5))
    player = Player(module=module, objective=objective, forward=forward, optimiser=mover)
    stage = Stage(
        batches=batches, players=[player], steps=settings.get("steps"), precision=settings.get("precision", "bf16"),
        name="retriever",
    )  # fmt: skip
    train(stage, seed=seed, progress=settings.get("progress"))
