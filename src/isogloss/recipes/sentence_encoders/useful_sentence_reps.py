"""Discovering Useful Sentence Representations from Large Pretrained Language Models (Subramani and Suresh, 2020).

For a frozen language model and a sentence, gradient descent finds a vector that, added to what each layer reads, makes
the model write the sentence from nothing else. How many tokens come back tells how much a vector holds. The model is
a young one of two layers, and sentences are short.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from isogloss.arrays import Dense
from isogloss.evaluation.sample import Sample
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.sentence_inversion import SentenceInversion, token_accuracy

CARD = Card(
    slug="useful-sentence-reps",
    seed=38,
    title="Discovering Useful Sentence Representations from Large Pretrained Language Models",
    year=2020,
    url="https://arxiv.org/abs/2008.09049",
    family="sentence-encoders",
    sort="theory",
    claim="For sentences of several genres there are vectors from which a frozen language model writes nearly all of "
    "their tokens again.",
    regime="A vector as wide as the model, told to every layer; short sentences that the model has not seen.",
    baseline="the same model told nothing",
    placebo="the same model told the vector of another sentence",
    fidelity="transposed",
    needs={"base": "tiny-lm", "reviews": "mr", "questions": "trec-questions", "captions": "sts-b"},
    margin=0.05,
    minutes=3,
    deviations=(
        "a model of two layers and 128 components (bits per byte 2.2) instead of GPT-2",
        "150 steps from one start instead of 10,000 from several; the likeliest token instead of a beam",
        "15 sentences of 8 to 16 tokens",
    ),
)

_EACH, _SHORTEST, _LONGEST, _STEPS, _RATE = 5, 8, 16, 150, 0.3


def make(model: Any, sentences: Sequence[Any], *, steps: int = 10_000, seed: int = 0, **settings: Any) -> Dense:
    """Return the vector of each sentence, as it is told to the model, ``(n, width)``.

    Parameters
    ----------
    model
        A causal language model with ``predictor``, ``begin`` and ``end``.
    sentences
        Token ids of each.
    steps, seed
        Of the search.
    settings
        Of ``SentenceInversion``: ``dimensions``, ``where``, ``rate``.
    """
    return SentenceInversion(steps=steps, seed=seed, **settings).fit(model, sentences)


def check(lab: Lab) -> Evidence:
    """Write 15 sentences again from vectors of growing size, and from vectors that are not theirs."""
    model, rng = lab.model("base"), np.random.default_rng(0)

    def tokens(texts: Sequence[str]) -> list[Any]:
        rows = [np.array(model.tokenizer.encode(text, add_special_tokens=False).ids, np.int64) for text in texts]
        return [row for row in rows if _SHORTEST <= len(row) <= _LONGEST][:_EACH]

    sentences = [row for role in ("reviews", "questions", "captions") for row in tokens(lab.texts(role, 400))]
    mixed = [rng.permutation(row) for row in sentences]

    @cache
    def told(run: Run) -> Dense:
        return make(model, sentences, steps=_STEPS, rate=_RATE, seed=run.seed)

    def nothing(run: Run) -> Dense:
        return np.zeros_like(told(run))

    def another(run: Run) -> Dense:
        return np.roll(told(run), 1, axis=0)

    def sized(run: Run) -> Dense:
        return make(model, sentences, steps=_STEPS, rate=_RATE, seed=run.seed, dimensions=int(run.size or 0))

    def once(run: Run) -> Dense:
        return make(model, sentences, steps=_STEPS, rate=_RATE, seed=run.seed, where="embedding")

    def shuffled(run: Run) -> Dense:
        return make(model, mixed, steps=_STEPS, rate=_RATE, seed=run.seed)

    def written(vectors: Dense, meant: Any = None, where: Any = "layers") -> Sample:
        found = SentenceInversion(where=where).decode(model, np.asarray(vectors, np.float32), _LONGEST)
        return Sample.of(token_accuracy(found, sentences if meant is None else meant), name="token accuracy")

    return lab.evidence(
        primary=lab.recovers(told, nothing, truth=written, at_least=0.85, placebo=another, name="tokens written again"),
        guards=[
            lab.trend(sized, (16, 48, 128), judge=written, direction="rising", name="larger vectors hold more"),
            lab.reported(once, judge=lambda one: written(one, where="embedding"), name="told to the embeddings alone"),
            lab.reported(shuffled, judge=lambda one: written(one, mixed), name="the same tokens in mixed-up order"),
        ],
        immune={"shuffled": "each vector is fitted to one sentence", "labels": "nobody labelled the sentences"},
    )  # fmt: skip
