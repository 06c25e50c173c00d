"""Pairs of texts and hidden words at once: a masked language model that learns sentence vectors and stays one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

from isogloss.objectives.contract import Batch, Objective
from isogloss.objectives.with_masked_words import WithMaskedWords, vectors_and_words
from isogloss.seeding import generator
from isogloss.training.autoencoding import PlainText, trained_on
from isogloss.training.batching import TextBatches
from isogloss.training.corpus_batches import Hiding, packed
from isogloss.training.masked_model import MaskedModel, hiding


class MaskedAnchors:
    """Batches of texts in columns, tokens of the first column hidden.

    Parameters
    ----------
    batches
        The texts.
    hiding
        What is hidden.
    seed
        Of the hiding.
    """

    def __init__(self, batches: TextBatches, hiding: Hiding, *, seed: int) -> None:
        self.batches, self.hiding, self.seed = batches, hiding, seed
        self.per_epoch = batches.per_epoch

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step; the targets of its first column in ``extra``."""
        batch = self.batches(step)
        anchors = batch.columns[0]
        offsets = anchors.offsets.numpy()
        hidden, targets = self.hiding(anchors.ids.numpy(), offsets, generator(self.seed, "hide", step))
        columns = (packed(hidden, offsets), *batch.columns[1:])
        return replace(batch, columns=columns, extra={**batch.extra, "targets": packed(targets, offsets)})


def contrasted(
    base: MaskedModel, columns: Sequence[Sequence[str]], objective: Objective, *, weight: float = 1.0,
    hidden: float = 0.15, seed: int = 0, **options: Unpack[PlainText],
) -> MaskedModel:  # fmt: skip
    """Tune a masked language model by an objective on the mean states of texts and by the anchors' hidden words.

    Parameters
    ----------
    base
        A masked language model with its head; its weights are changed in place.
    columns
        Anchors, positives ...
    objective
        On the vectors of the columns.
    weight
        Of the hidden words' loss.
    hidden
        Share of the anchors' tokens.
    seed
        Of order and hiding.
    options
        ``steps``, ``batch_size``, ``learning_rate``, ``table``: see
        :class:`~isogloss.training.autoencoding.PlainText`; texts are cut at the model's window.

    Examples
    --------
    With a masked base model of the Lab::

        encoder = contrasted(base.fresh(), anchor_spans(texts, 500).columns, Composed(inner=nt_xent()), steps=100)
    """
    texts = TextBatches(columns, base.tokenizer, batch_size=options.get("batch_size", 8), seed=seed)
    batches = MaskedAnchors(texts, hiding(base.tokenizer.tokenizer, share=hidden), seed=seed)
    both = WithMaskedWords(vectors=objective, weight=weight)
    return trained_on(base, base.predictor, both, vectors_and_words, batches, seed, options)
