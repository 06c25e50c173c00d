"""Scalable Attentive Sentence-Pair Modeling via Distilled Sentence Embedding (Barkan et al., 2019).

The logits of a slow model that reads both texts of a pair teach an encoder that reads each by itself, with a head on
(u, v, |u - v|, u * v), over pairs that nobody need have labelled. A pair costs the head alone, once it has vectors.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.arrays import counting
from isogloss.evaluation.sample import Sample
from isogloss.objectives.pair_heads import HeadClasses, HeadRegression, PairHead
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.body_encoder import BodyEncoder
from isogloss.training.body_tuning import recurrent_encoder, tune_body
from isogloss.training.models import load_trainable
from isogloss.training.pair_models import TwinModel, train_pair_model
from isogloss.training.randomness import seeded
from isogloss.training.trained_encoder import TrainedEncoder

CARD = Card(
    slug="dse",
    seed=121,
    title="Scalable Attentive Sentence-Pair Modeling via Distilled Sentence Embedding", year=2019,
    url="https://arxiv.org/abs/1908.05161",
    family="sentence-encoders", sort="method",
    claim="An encoder of single texts classifies pairs better when it is taught the logits of a model that reads both, "
    "also of pairs without labels, than when taught the labels.",
    regime="A good pair model, few labels for the student, thousands of pairs without.",
    baseline="the same encoder and head, taught the labels of 500 pairs",
    placebo="the same distillation with the logits permuted over the pairs",
    fidelity="transposed",
    needs={"teacher": "minilm", "words": "minilm-3", "pairs": "snli"},
    margin=0.03, minutes=6,
    deviations=(
        "a recurrent student of 128 units a way over words at rest instead of BERT: it learns in seconds",
        "six layers of MiniLM after 80 steps, the same for all seeds, instead of BERT-large for a teacher",
        "SNLI in two classes instead of five tasks of GLUE; costs in multiply-adds, not seconds",
    ),
)  # fmt: skip
_KNOWN, _GOLD, _PAIRS, _ASKED, _STEPS, _TAUGHT, _PRICED = 4000, 500, 8500, 2000, 150, 80, 100


def make(
    encoder: BodyEncoder, columns: Sequence[Sequence[str]], logits: Any, *, hidden: int = 512, steps: int = 1000,
    batch_size: int = 32, learning_rate: float = 3e-3, seed: int = 0,
) -> TwinModel:  # fmt: skip
    """Return a student that reads each text by itself.

    Parameters
    ----------
    encoder
        To begin from; it is not changed.
    columns, logits
        Left and right texts, and what the teacher gives each pair, ``(n, k)``; or a class of each pair, ``(n,)``.
    hidden
        Units of the head.
    steps, batch_size, learning_rate, seed
        Of the training.
    """
    classes = np.ndim(logits) == 1
    with seeded(seed):
        head = PairHead(encoder.dimensions, int(np.max(logits)) + 1 if classes else logits.shape[1], hidden=hidden)
    own: Any = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed}
    objective: Any = HeadClasses(head) if classes else HeadRegression(head)
    return TwinModel(tune_body(encoder, columns, objective, labels=logits, **own), head)


def check(lab: Lab) -> Evidence:
    """Teach students by labels of few pairs, by logits of the same ones, and by logits of many."""
    found, asked = lab.data("pairs", "train"), lab.data("pairs", "dev")
    few, many = np.arange(_GOLD), np.r_[:_GOLD, _KNOWN:_PAIRS]

    def pairs(rows: Any) -> list[list[str]]:
        return [[texts[i] for i in rows] for texts in (found.left, found.right)]

    @cache
    def teacher() -> Any:
        base = TrainedEncoder.of(load_trainable(lab.name("teacher")))
        return train_pair_model(base, pairs(range(_KNOWN)), found.labels[:_KNOWN], steps=_TAUGHT, learning_rate=3e-4)

    said = cache(lambda: teacher().score(*pairs(many)))

    def student(run: Run, rows: Any, targets: Any) -> Any:
        blank = recurrent_encoder(lab.model("words", run), seed=run.seed)
        return make(blank, pairs(rows), targets, steps=_STEPS, seed=run.seed)

    def labelled(run: Run) -> Any:
        return student(run, few, found.labels[few])

    def taught(run: Run, rows: Any = many) -> Any:
        return student(run, rows, said()[: len(rows)])  # the first of the many are the few

    def mixed(run: Run) -> Any:
        return student(run, many, lab.rng(run, "logits").permutation(said()))

    def accuracy(model: Any) -> Sample:
        said = np.argmax(model.score(asked.left[:_ASKED], asked.right[:_ASKED]), 1)
        right = (said == asked.labels[:_ASKED]).astype(float)
        return Sample.of(right, groups=asked.groups[:_ASKED], name="accuracy")

    def price(model: Any) -> float:
        some = asked.left[:_PRICED], asked.right[:_PRICED]
        model.score(*some)  # what is counted is pairs whose texts were read before
        with counting() as ledger:
            model.score(*some)
        return float(ledger.multiply_adds)

    return lab.evidence(
        primary=lab.better(taught, labelled, mixed, judge=accuracy, name="logits of many pairs over labels of few"),
        guards=[
            lab.not_worse(partial(taught, rows=few), labelled, judge=accuracy, margin=0.01, name="logits of the few"),
            lab.cheaper(taught, lambda run: teacher(), judge=accuracy, cost=price, factor=100, margin=0.06,
                        name="as good as the teacher, at a hundredth"),
        ],
    )  # fmt: skip
