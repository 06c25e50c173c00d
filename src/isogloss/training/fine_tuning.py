"""Fine-tuning of a sentence encoder on columns of texts, in one call."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from torch import Tensor, nn

from isogloss.errors import UnsupportedModelError, UsageError
from isogloss.nn.packing import join
from isogloss.objectives.contract import Batch, Objective
from isogloss.protocols import Progress
from isogloss.training.batching import TextBatches
from isogloss.training.loop import train
from isogloss.training.models import Trainable, load_trainable
from isogloss.training.stage import Optimiser, Player, Stage
from isogloss.training.trained_encoder import TrainedEncoder


class FineTuning(TypedDict, total=False):
    """Further settings of :func:`fine_tune`.

    Attributes
    ----------
    batch_size
        Items of a batch (32).
    learning_rate
        Highest rate (2e-5); it rises over the first tenth of the steps and falls to 0.
    groups
        One id an item, of the document that it comes from: items of one group never share a batch.
    precision
        ``"bf16"`` (default) computes in bfloat16 with float32 weights, ``"fp32"`` in float32.
    chunk
        Items a piece of gradient caching (0: none).
    """

    batch_size: int
    learning_rate: float
    groups: Sequence[Hashable] | None
    precision: Literal["bf16", "fp32"]
    chunk: int


def fine_tune(
    base: str | Path | Trainable | TrainedEncoder,
    columns: Sequence[Sequence[str]],
    objective: Objective,
    *,
    steps: int | None = None,
    epochs: float | None = None,
    budget: float | None = None,
    labels: Any = None,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Unpack[FineTuning],
) -> TrainedEncoder:
    """Fine-tune a sentence encoder (Sentence-BERT, https://arxiv.org/abs/1908.10084) and return it as an encoder.

    Parameters
    ----------
    base
        A folder or name, which is loaded; or a loaded model, whose weights are then changed in place.
    columns
        Texts by column: ``[anchors, positives]``, ``[anchors, positives, negatives]``, ``[texts]`` ...
    objective
        On the vectors of the columns.
    steps, epochs, budget
        How long: a number of steps, of passes over the data, or seconds; by default one pass.
    labels
        One number an item, for objectives that learn scores or classes.
    seed
        Of order and dropout: the same seed, data and threads give the same weights.
    progress
        Where to report.
    options
        ``batch_size``, ``learning_rate``, ``groups``, ``precision``, ``chunk``: see :class:`FineTuning`.

    Raises
    ------
    UsageError
        Where the data cannot be trained on, or both ``steps`` and ``epochs`` are given.
    NonFiniteError
        Where a loss is not finite.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        encoder = fine_tune("minilm", [questions, answers], InBatchSoftmax(), epochs=1)
    """
    trainable = _trainable(base)
    if steps is not None and epochs is not None:
        raise UsageError("give steps or epochs, not both", f"steps={steps}, epochs={epochs}", "leave one out")
    prompts = prompts_of(trainable, len(columns))
    batches = TextBatches(
        columns, trainable.tokenizer, batch_size=options.get("batch_size", 32), seed=seed, labels=labels,
        groups=options.get("groups"), no_duplicates=labels is None, prompts=prompts,
    )  # fmt: skip
    if epochs is not None:
        steps = max(1, round(epochs * batches.per_epoch))
    mover = Optimiser(learning_rate=options.get("learning_rate", 2e-5))
    player = Player(module=trainable.model, objective=objective, forward=encode_together, optimiser=mover)
    stage = Stage(
        batches=batches, players=[player], steps=steps, budget=budget, chunk=options.get("chunk", 0),
        precision=options.get("precision", "bf16"), name="fine-tuning",
    )  # fmt: skip
    summary = train(stage, seed=seed, progress=progress)
    encoder = TrainedEncoder.of(trainable)
    encoder.summary = summary
    return encoder


def encode_together(module: nn.Module, batch: Batch) -> tuple[Tensor, ...]:
    """Return the module's vectors ``(size, d)`` of each column of texts, from one pass over all of them.

    Equal to a pass a column (but for what dropout draws), and faster: larger products, one gradient of the token table.
    """
    sizes = [len(column) for column in batch.columns]
    vectors: Tensor = module(join(batch.columns))  # (columns * size, d)
    return vectors.split(sizes)


def _trainable(base: str | Path | Trainable | TrainedEncoder) -> Trainable:
    if isinstance(base, TrainedEncoder):
        return base.trainable
    return base if isinstance(base, Trainable) else load_trainable(base)


def prompts_of(trainable: Trainable, columns: int) -> list[str]:
    """Return the model's own prompts: the query's for the first of several columns, the document's for the others."""
    plan = trainable.plan
    prompts = [plan.prompt("query"), *[plan.prompt("document")] * (columns - 1)] if columns > 1 else [plan.prompt(None)]
    if any(prompts) and not plan.include_prompt.value:
        raise UnsupportedModelError(
            "a model that leaves its prompt out of the pooling cannot be fine-tuned here",
            f"{plan.name} has include_prompt=false and the prompts {prompts}", "use a model without prompts",
        )  # fmt: skip
    return prompts
