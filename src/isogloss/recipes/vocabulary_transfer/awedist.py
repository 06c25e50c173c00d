"""AweDist: Attention-aware Embedding Distillation for New Input Token Embeddings (Dobler, Elliott, de Melo, 2025).

A model gets words of a domain as tokens of their own. Their input vectors start as the mean of the old pieces' vectors
and are trained alone: in short contexts the model with the new token is drawn to the last states that it has with the
pieces, at the word and at every other token. What attention does with several pieces is so packed into one vector.
"""

from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.corpus.judgements import TestCollection
from isogloss.corpus.word_contexts import word_contexts
from isogloss.evaluation.metrics.ranking import measure
from isogloss.evaluation.ranking import rank
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.state_agreement import StateAgreement
from isogloss.protocols import Record
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.models import Trainable, load_trainable
from isogloss.training.token_distillation import distilled_words, with_new_words
from isogloss.training.trained_encoder import TrainedEncoder
from isogloss.vocabulary.added_words import split_words

CARD = Card(
    slug="awedist",
    seed=77,
    title="AweDist: Attention-aware Embedding Distillation for New Input Token Embeddings", year=2025,
    url="https://arxiv.org/abs/2505.20133",
    family="vocabulary-transfer", sort="method",
    claim="New tokens whose vectors were distilled keep a model's states better than with the mean of their pieces.",
    regime="A trained model that stays as it is, words of a domain, and some texts that hold them.",
    baseline="the mean of the old vectors of each new token's pieces",
    placebo="the same training, each token in the place of another one",
    fidelity="transposed",
    needs={"base": "minilm", "aeronautics": "cranfield", "medicine": "medline"},
    margin=0.01, minutes=4,
    deviations=(
        "a sentence encoder of six layers instead of language models; its states instead of tasks",
        "40 words of two small collections, six contexts of 30 words each instead of a hundred of 50",
        "fifty times the paper's rate, because a run has some fifteen steps; no loss on output vectors",
        "search is judged on the titles of 300 of the documents",
    ),
)  # fmt: skip
_WORDS, _CONTEXTS, _HELD, _LENGTH, _TITLES = 40, 6, 2, 30, 300


def make(
    base: Trainable, contexts: dict[str, list[str]], *, layer: int = -1, epochs: float = 1, learning_rate: float = 5e-3,
    batch_size: int = 16, seed: int = 0, shuffled: bool = False,
) -> TrainedEncoder:  # fmt: skip
    """Return the model with new tokens.

    Parameters
    ----------
    base
        Not changed.
    contexts
        For each new word texts that hold it.
    layer, epochs, learning_rate, batch_size, seed
        Whose states are aimed at; of the training.
    shuffled
        Each token learns in the place of another one: the placebo.
    """
    own: Any = {"epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size, "shuffled": shuffled}
    return TrainedEncoder.of(distilled_words(base, contexts, layer=layer, seed=seed, **own))


def check(lab: Lab) -> Evidence:
    """States in contexts that were held out: distilled vectors, means of pieces, and vectors learned elsewhere."""
    base = load_trainable(lab.name("base"))
    texts = [*lab.texts("aeronautics"), *lab.texts("medicine")]
    held, own = texts[::3], [text for number, text in enumerate(texts) if number % 3]
    found = word_contexts(held, list(split_words(own, base.tokenizer.tokenizer, rarest=10)), length=_LENGTH, most=_HELD)
    words = [word for word, some in found.items() if len(some) == _HELD][:_WORDS]
    asked, groups = [text for word in words for text in found[word]], np.repeat(np.arange(len(words)), _HELD)
    original = TrainedEncoder.of(base)
    sentences, states = original.encode(asked), StateAgreement(original, asked, groups=groups)
    data = lab.data("aeronautics")
    best = {max(row, key=lambda one: row[one]) for row in data.qrels.values()}
    titles = [Record(one.id, one.title) for one in sorted(data.documents, key=lambda one: one.id not in best)][:_TITLES]
    there = {one.id for one in titles}
    qrels = {key: {one: grade for one, grade in row.items() if one in there} for key, row in data.qrels.items()}
    asking = TestCollection(titles, data.queries, qrels)

    @cache
    def distilled(run: Run, shuffled: bool = False) -> Any:
        contexts = word_contexts(own, words, length=_LENGTH, most=_CONTEXTS, seed=run.seed)
        return {"new": make(base, contexts, seed=run.seed, shuffled=shuffled)}

    def started(run: Run, start: Any = "mean") -> Any:
        seed = 0 if start == "mean" else run.seed
        return {"new": TrainedEncoder.of(with_new_words(base, words, start=start, seed=seed))}

    def alike(made: Any) -> Sample:
        return Sample.of((made["new"].encode(asked) * sentences).sum(1), groups=groups, name="cosine to old vectors")

    def search(made: Any) -> Sample:
        return measure(rank(made["new"], asking, k=10), qrels, ["ndcg@10"])["ndcg@10"]

    def moved(made: Any) -> float:
        before, after = (one.model.state_dict() for one in (original, made["new"]))
        return max(float((after[name][: len(old)] - old).abs().max()) for name, old in before.items())

    shuffled, kept = partial(distilled, shuffled=True), lambda made: states(made["new"])
    pieces: Any = cache(lambda run: {"new": original})
    random, swapped = (partial(started, start=start) for start in ("random", "shuffled"))
    return lab.evidence(
        lab.better(distilled, started, shuffled, judge=kept, positive=pieces, name="last states in held-out contexts"),
        [lab.better(distilled, started, shuffled, judge=alike, positive=pieces, margin=0.005, name="sentence vectors"),
         lab.better(started, random, swapped, judge=kept, positive=pieces, name="means of pieces over random vectors"),
         lab.cheaper(distilled, pieces, judge=search, factor=1.02, name="fewer tokens",
                     cost=lambda made: float(made["new"].tokenizer(asked).full.sum())),
         lab.not_worse(distilled, started, judge=search, name="search not worse than with means"),
         lab.exact(distilled, invariant=moved, within=0.0, name="all old weights bit-identical")],
        immune={"shuffled": "the old model reads the same mixed-up contexts: a word's vector can be learned there too",
                "labels": "nobody labelled the contexts"},
    )  # fmt: skip
