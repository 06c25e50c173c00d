"""Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks (Reimers and Gurevych, 2019).

One transformer reads both sentences of a pair apart from each other and averages its states into u and v. It is tuned
by a softmax on (u, v, |u - v|) over the classes of inference pairs, or by the distance of cos(u, v) from a score, or by
triplets. Afterwards the cosine alone compares, so that n sentences cost n readings instead of one for every pair.
"""

from collections.abc import Sequence
from typing import Any, Literal

from isogloss.objectives.margin import Triplet
from isogloss.objectives.pairs import CosineRegression, PairClassification
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.fine_tuning import fine_tune
from isogloss.training.randomness import seeded
from isogloss.training.trained_encoder import TrainedEncoder

CARD = Card(
    slug="sbert",
    seed=139,
    title="Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks",
    year=2019,
    url="https://arxiv.org/abs/1908.10084",
    family="sentence-encoders", sort="method",
    claim="Tuned to classify inference pairs, a pre-trained transformer's mean states rank pairs of sentences better.",
    regime="A masked language model that is poor at sentences; thousands of inference pairs.",
    baseline="the mean of the states of the same model, untuned",
    placebo="the same tuning with the classes permuted over the pairs",
    fidelity="same kind",
    needs={"base": "tiny-mlm", "inference": "snli", "sts": "sts-b"},
    margin=0.04, minutes=5,
    deviations=(
        "two young layers of width 128 and 80 steps of 32 of SNLI's pairs instead of BERT and a million pairs",
        "two classes, entailed or not; rate lowered once on seed 999: at 1e-3 the tuned states were far below untuned",
        "neither triplets nor the time that comparing takes are judged",
    ),
)  # fmt: skip
_TRAINING: Any = {"steps": 80, "batch_size": 32, "learning_rate": 3e-4}
_Kind = Literal["classification", "regression", "triplets"]


def make(
    base: TrainedEncoder, columns: Sequence[Sequence[str]], labels: Any = None, *, kind: _Kind = "classification",
    difference: bool = True, classes: int = 2, margin: float = 1.0, seed: int = 0, **training: Any,
) -> TrainedEncoder:  # fmt: skip
    """Return a sentence encoder, tuned on pairs with a class or a score each, or on triplets.

    Parameters
    ----------
    base
        An encoder that can be trained; it is changed in place.
    columns
        Left and right texts; for triplets anchors, right and wrong texts.
    labels
        A class or a score between 0 and 1 for each pair.
    kind
        ``classification``, ``regression`` or ``triplets``.
    difference
        Show ``|u - v|`` to the softmax.
    classes, margin
        Of the softmax, of the triplets.
    seed, training
        Seed, and settings of ``fine_tune``: ``steps``, ``epochs``, ``batch_size`` (16 in the paper), ``learning_rate``.
    """
    objective: Any = CosineRegression() if kind == "regression" else Triplet(margin=margin)
    if kind == "classification":
        with seeded(seed):
            objective = PairClassification(width=base.dimensions, classes=classes, difference=difference)
    return fine_tune(base, columns, objective, labels=labels, seed=seed, **training)


def check(lab: Lab) -> Evidence:
    """Tune on inference pairs, with and without the difference, and on scores; judge by cosines on STS-B."""
    inference, scored, sts = lab.data("inference", "train"), lab.data("sts", "train"), lab.judge("sts")
    classes, scores = inference.labels, scored.scores / scored.scores.max()

    def untuned(run: Run) -> Any:
        return lab.model("base", run)

    def arm(run: Run, data: Any, labels: Any, **settings: Any) -> Any:
        base = lab.model("base", run).fresh()
        return make(base, [data.left, data.right], labels, seed=run.seed, **settings, **_TRAINING)

    def classified(run: Run) -> Any:
        return arm(run, inference, classes)

    def mixed(run: Run) -> Any:
        return arm(run, inference, lab.rng(run, "labels").permutation(classes))

    def plain(run: Run) -> Any:
        return arm(run, inference, classes, difference=False)

    def regressed(run: Run) -> Any:
        return arm(run, scored, scores, kind="regression")

    return lab.evidence(
        primary=lab.better(classified, untuned, mixed, judge=sts, positive=regressed, name="classes over untuned"),
        guards=[
            lab.better(classified, plain, mixed, judge=sts, margin=0.03, name="with |u - v| over without"),
            lab.better(regressed, untuned, mixed, judge=sts, margin=0.08, name="scores over untuned"),
        ],
    )
