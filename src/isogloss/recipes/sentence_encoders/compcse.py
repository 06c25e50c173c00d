"""Composition-contrastive Learning for Sentence Embeddings (Chanchani, Huang, 2023).

SimCSE tells a sentence from the rest of a batch by a second reading of it with other dropout. Here the sentence is cut
in two, and the mean of the halves' vectors is the positive. No weight is added; the projection head is left out.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.evaluation.sample import Sample
from isogloss.nn.dropout_share import set_dropout
from isogloss.objectives.composition import Composed
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.text.halves import halves
from isogloss.training.fine_tuning import fine_tune
from isogloss.training.trained_encoder import TrainedEncoder

CARD = Card(
    slug="compcse", seed=156, title="Composition-contrastive Learning for Sentence Embeddings", year=2023,
    url="https://arxiv.org/abs/2307.07380", family="sentence-encoders", sort="method",
    claim="A sentence encoder learns more from the mean of a sentence's two halves as the positive than from a second "
    "reading of the whole sentence with other dropout.",
    regime="A masked language model that is poor at sentences; raw sentences alone.",
    baseline="SimCSE: the same sentence again, with other dropout",
    placebo="the mean of the halves of another sentence as the positive", fidelity="same kind",
    needs={"base": "minilm-3", "sts": "sts-b"}, margin=0.005, minutes=6,
    deviations=("three layers, a token table at rest and 24 batches of 64 sentences of STS-B's own training part "
                "instead of a million of Wikipedia",
                "STS-B alone of the seven sets; no projection head in training",
                "cuts in the middle, not by constituents"))  # fmt: skip
_STEPS, _BATCH, _HELD_OUT = 24, 64, 300


def make(base: TrainedEncoder, texts: Sequence[str], parts: Sequence[Sequence[str]] | None = None, *,
         temperature: float = 0.05, dropout: float = 0.1, table: bool = True, seed: int = 0, **training: Any,
) -> TrainedEncoder:  # fmt: skip
    """Return a sentence encoder, tuned on sentences alone.

    Parameters
    ----------
    base, texts, parts
        An encoder, changed in place; sentences; columns whose mean is the positive (None: halves; ``[texts]``: SimCSE).
    temperature, dropout, table, seed, training
        Of the soft-max, of the states; whether the token table moves; seed and settings of ``fine_tune``.
    """
    set_dropout(base.model, dropout).transformer.embeddings.word.requires_grad_(table)
    columns = [texts, *(parts or halves(texts))]
    objective = Composed(inner=InBatchSoftmax(temperature=temperature), parts=(1, len(columns) - 1))
    return fine_tune(base, columns, objective, seed=seed, **training)


def check(lab: Lab) -> Evidence:
    """Halves of the own sentence, dropout, halves of another sentence, one half; by STS-B and by what is composed."""
    held_out = [text for text in lab.texts("sts", part="dev") if len(text.split()) >= 8][:_HELD_OUT]

    @cache
    def tuned(run: Run, kind: str = "halves") -> Any:
        drawn = [text for text in lab.texts("sts", 6000, run) if 6 <= len(text.split()) <= 16]
        texts = list({halves([text])[0][0]: text for text in drawn}.values())[: _STEPS * _BATCH]  # no half twice
        first, second = halves(texts)
        others = halves([texts[i] for i in lab.rng(run, "others").permutation(len(texts))])
        parts = {"halves": [first, second], "dropout": [texts], "others": others, "crop": [first]}[kind]
        how: Any = {"steps": _STEPS, "batch_size": _BATCH, "learning_rate": 3e-4, "table": False}
        return make(lab.model("base", run).fresh(), texts, parts, seed=run.seed, **how)

    def untuned(run: Run) -> Any:
        return lab.model("base", run)

    def made_of_halves(encoder: Any) -> Sample:
        """Say how much nearer a sentence is to the mean of its own halves than to that of the next sentence's."""
        whole, first, second = (np.asarray(encoder.encode(part), float) for part in (held_out, *halves(held_out)))
        rows = [one / np.linalg.norm(one, axis=1, keepdims=True).clip(1e-12) for one in (whole, first + second)]
        own, next_one = ((rows[0] * other).sum(1) for other in (rows[1], np.roll(rows[1], 1, axis=0)))  # (n,)
        return Sample.of(own - next_one, name="made of its halves")

    dropout, others, crop = (partial(tuned, kind=kind) for kind in ("dropout", "others", "crop"))
    sts = lab.judge("sts")
    return lab.evidence(
        primary=lab.better(tuned, dropout, others, judge=sts, name="halves over dropout"),
        guards=[lab.better(tuned, untuned, others, judge=sts, margin=0.03, name="halves over untuned"),
                lab.better(tuned, dropout, crop, judge=made_of_halves, margin=0.05,
                           name="a sentence lies at its halves")],
        immune={"shuffled": "sentences without partners: words in another order are made of their halves as well"},
    )  # fmt: skip
