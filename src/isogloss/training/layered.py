"""Fine-tuning of every layer of a sentence encoder at once: for models that are later cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from isogloss.nn.packing import join
from isogloss.nn.sentence import SentenceModel
from isogloss.objectives.contract import Batch, Objective
from isogloss.protocols import Progress
from isogloss.training.batching import TextBatches
from isogloss.training.loop import train
from isogloss.training.stage import Optimiser, Player, Stage
from isogloss.training.trained_encoder import TrainedEncoder


def encode_layers(module: SentenceModel, batch: Batch) -> dict[int, tuple[Tensor, ...]]:
    """Return ``{layer: vectors (size, d) of each column}`` of all layers, 0 the embeddings, from one pass."""
    sizes = [len(column) for column in batch.columns]
    packed = join(batch.columns)
    layers = range(len(module.transformer.layers) + 1)
    states = module.transformer.states(packed, layers)  # (T, width) each
    return {layer: module.finish(one, packed).split(sizes) for layer, one in zip(layers, states, strict=True)}


def fine_tune_layers(
    base: TrainedEncoder, columns: Sequence[Sequence[str]], objective: Objective, *, steps: int, labels: Any = None,
    batch_size: int = 32, learning_rate: float = 2e-5, words: bool = True, seed: int = 0,
    progress: Progress | None = None,
) -> TrainedEncoder:  # fmt: skip
    """Fine-tune a sentence encoder by an objective on the vectors of all its layers, and return it.

    Source: Li et al. 2024, "2D Matryoshka Sentence Embeddings" (https://arxiv.org/abs/2402.14776).

    Parameters
    ----------
    base
        Its weights are changed in place.
    columns
        Texts by column.
    objective
        Takes ``{layer: (column vectors ...)}``: :class:`~isogloss.objectives.sub_models.SubModels`, for instance.
    steps, batch_size, learning_rate
        Of the training; the rate is the highest, in bfloat16 with float32 weights.
    labels
        One number an item, for objectives that learn scores.
    words
        Let the token table learn, too: in a small model most of the weights and half of the time.
    seed
        Of order and draws: the same seed, data and threads give the same weights.
    progress
        Where to report.

    Raises
    ------
    UsageError
        Where the data cannot be trained on.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        rungs = FixedLadder(((2, 64), (4, 128), (6, 384)))
        fine_tune_layers(base, [left, right], SubModels(OrderedPairs(), rungs), labels=scores, steps=300)
    """
    batches = TextBatches(
        columns, base.tokenizer, batch_size=batch_size, seed=seed, labels=labels, no_duplicates=labels is None
    )
    base.model.transformer.embeddings.word.requires_grad_(words)
    player = Player(
        module=base.model, objective=objective, forward=encode_layers,  # type: ignore[arg-type]
        optimiser=Optimiser(learning_rate=learning_rate),
    )  # fmt: skip
    stage = Stage(batches=batches, players=[player], steps=steps, precision="bf16", name="layers")
    base.summary = train(stage, seed=seed, progress=progress)
    return base
