"""Fine-tuning on several tasks at once: each batch is of one task, under its own objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isogloss.objectives.contract import Objective
from isogloss.protocols import Progress
from isogloss.training.batching import TextBatches
from isogloss.training.fine_tuning import encode_together, prompts_of
from isogloss.training.loop import train
from isogloss.training.mixing import BySource, TaskMixture
from isogloss.training.stage import Optimiser, Player, Stage
from isogloss.training.trained_encoder import TrainedEncoder


@dataclass(frozen=True, slots=True)
class Task:
    """What a sentence encoder is to learn.

    Attributes
    ----------
    columns
        Texts by column.
    objective
        On the vectors of the columns.
    labels
        One number an item, or None.
    """

    columns: Sequence[Sequence[str]]
    objective: Objective
    labels: Any = None


def task_batches(
    tasks: Mapping[str, Task], model: TrainedEncoder, *, batch_size: int, seed: int,
    weights: Mapping[str, float] | None = None,
) -> TaskMixture:  # fmt: skip
    """Return batches of one task each, drawn by ``weights``, or by the tasks' sizes where None.

    Parameters
    ----------
    tasks, model, batch_size, seed
        Tasks by name, whose tokens and prompts, items of a batch, seed of all orders.
    weights
        Share of each task.

    Raises
    ------
    UsageError
        Where a task has no items that can be learned from, or weights and tasks differ.
    """
    sources = {
        name: TextBatches(
            task.columns, model.tokenizer, batch_size=batch_size, seed=seed, labels=task.labels,
            no_duplicates=task.labels is None, prompts=prompts_of(model.trainable, len(task.columns)),
        ) for name, task in tasks.items()
    }  # fmt: skip
    return TaskMixture(sources, seed=seed, weights=weights)


def fine_tune_tasks(
    base: TrainedEncoder, tasks: Mapping[str, Task], *, steps: int, weights: Mapping[str, float] | None = None,
    batch_size: int = 32, learning_rate: float = 2e-5, words: bool = True, seed: int = 0,
    progress: Progress | None = None,
) -> TrainedEncoder:  # fmt: skip
    """Fine-tune a sentence encoder on several tasks and return it.

    Parameters
    ----------
    base
        Its weights are changed in place.
    tasks
        By name.
    steps, batch_size, learning_rate
        Of the training; the rate is the highest, in bfloat16 with float32 weights.
    weights
        Share of each task's batches; by size where None, so that a large task has more of them.
    words
        Let the token table learn, too.
    seed
        Of the orders: the same seed, data and threads give the same weights.
    progress
        Where to report.

    Raises
    ------
    UsageError
        Where a task cannot be trained on.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        tasks = {"search": Task([questions, answers], InBatchSoftmax()), "sts": Task(pairs, OrderedPairs(), scores)}
        fine_tune_tasks(TrainedEncoder.of(load_trainable("minilm")), tasks, steps=300)
    """
    base.model.transformer.embeddings.word.requires_grad_(words)
    player = Player(
        module=base.model, objective=BySource({name: task.objective for name, task in tasks.items()}),
        forward=encode_together, optimiser=Optimiser(learning_rate=learning_rate),
    )  # fmt: skip
    batches = task_batches(tasks, base, batch_size=batch_size, seed=seed, weights=weights)
    stage = Stage(batches=batches, players=[player], steps=steps, precision="bf16", name="tasks")
    base.summary = train(stage, seed=seed, progress=progress)
    return base
