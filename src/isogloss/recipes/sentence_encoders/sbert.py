"""Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks (Reimers and Gurevych, 2019).

One transformer reads both sentences of a pair by themselves and averages its states into u and v. It is tuned by a
softmax on (u, v, |u - v|) over classes of pairs, or by how far cos(u, v) is from a score; then cosines alone compare.
"""

from functools import cache, partial
from typing import Any

from isogloss.evaluation.sample import Sample
from isogloss.objectives.pairs import CosineRegression, PairClassification
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.adapters.freezing import freeze
from isogloss.training.fine_tuning import fine_tune
from isogloss.training.head_tuning import class_scores, tune_with_head, unscaled
from isogloss.training.randomness import seeded
from isogloss.training.trained_encoder import TrainedEncoder

CARD = Card(
    slug="sbert", seed=139, title="Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks", year=2019,
    url="https://arxiv.org/abs/1908.10084", family="sentence-encoders", sort="method",
    claim="Tuned to classify inference pairs, a pre-trained transformer's mean states rank pairs of sentences better.",
    regime="A masked language model that is poor at sentences; thousands of inference pairs.",
    baseline="the mean of the states of the same model, untuned",
    placebo="the same tuning with the classes permuted over the pairs", fidelity="same kind",
    needs={"base": "minilm-3", "inference": "snli", "sts": "sts-b"}, margin=0.04, minutes=5,
    deviations=(
        "three layers whose word table rests, and 40 steps of 32 pairs of SNLI instead of BERT and a million pairs",
        "the head learns 20 steps alone, then at 25 times the encoder's rate: it would stay random in so few steps",
        "tried on seed 999: 80 and 50 steps at half the rate (STS-B .609 and .581, now .614); chosen for their time",
        "two classes, entailed or not; neither triplets nor the time that comparing takes are judged",
    ),
)  # fmt: skip


def make(base: TrainedEncoder, columns: Any, labels: Any, *, head: Any = None, **training: Any) -> TrainedEncoder:
    """Return a sentence encoder that is tuned on pairs with a class or a score each.

    Parameters
    ----------
    base
        An encoder that can be trained; it is changed in place.
    columns, labels
        Left and right texts, and a class or a score up to 1 for each pair.
    head
        A ``PairClassification`` that tells the class of a pair; without one the cosine is to be the score.
    training
        Settings of ``tune_with_head`` or ``fine_tune``; the paper has batches of 16 and a rate of 2e-5.
    """
    if head is not None:
        return tune_with_head(base, columns, head, labels=labels, **training)
    return fine_tune(unscaled(base), columns, CosineRegression(), labels=labels, **training)


def check(lab: Lab) -> Evidence:
    """Tune on inference pairs, with and without the difference, and on scores; judge by cosines on STS-B."""
    known, asked, scored = lab.data("inference", "train"), lab.data("inference", "dev"), lab.data("sts", "train")
    untuned, few = partial(lab.model, "base"), slice(500)

    def arm(run: Run, data: Any, labels: Any, **own: Any) -> Any:
        base = untuned(run).fresh()
        freeze(base.model, only="transformer.layers.*")
        return make(base, [data.left, data.right], labels, seed=run.seed, steps=40, learning_rate=2e-4, **own)

    @cache
    def tuned(run: Run, mixed: bool = False, difference: bool = True) -> Any:
        with seeded(run.seed):
            head = PairClassification(width=untuned(run).dimensions, classes=2, difference=difference)
        classes = lab.rng(run, "classes").permutation(known.labels) if mixed else known.labels
        return arm(run, known, classes, head=head, head_steps=20, head_rate=5e-3), head

    def encoder(run: Run, **how: Any) -> Any:
        return tuned(run, **how)[0]

    def accuracy(made: Any) -> Sample:
        right = class_scores(made[0], made[1], [asked.left[few], asked.right[few]]).argmax(1) == asked.labels[few]
        return Sample.of(right.astype(float), groups=asked.groups[few], name="accuracy")

    sts, mixed, plain = lab.judge("sts"), partial(encoder, mixed=True), partial(encoder, difference=False)
    regressed = partial(arm, data=scored, labels=scored.scores / scored.scores.max())
    return lab.evidence(
        primary=lab.better(encoder, untuned, mixed, judge=sts, positive=regressed, name="classes over untuned"),
        guards=[
            lab.better(encoder, plain, mixed, judge=sts, margin=0.03, positive=regressed, name="over no |u - v|"),
            lab.better(regressed, untuned, mixed, judge=sts, margin=0.08, name="scores over untuned"),
            lab.reported(tuned, judge=accuracy, name="accuracy of the head on other pairs, where .66 is one class"),
        ],
    )
