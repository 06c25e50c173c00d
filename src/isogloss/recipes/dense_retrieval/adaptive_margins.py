"""Learning Effective Representations for Retrieval Using Self-Distillation with Adaptive Relevance Margins (2024).

Gienapp, Deckers, Potthast and Scells. The margin between a question's right and wrong document is drawn towards the
model's own similarity of the two documents, scaled to 0 ... 1: a negative that is like the positive must be left
further behind. Without teacher, without constant, with random negatives. In the best form each question's margin meets
the similarities of its negative with the positives of the whole batch.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.evaluation.known_items import known_items
from isogloss.evaluation.neighbours import cosines
from isogloss.evaluation.sample import Sample
from isogloss.objectives.adaptive_margin import AdaptiveMargin, Target
from isogloss.objectives.distillation import MarginRegression
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.fine_tuning import fine_tune
from isogloss.training.trained_encoder import TrainedEncoder

CARD = Card(
    slug="adaptive-margins",
    seed=84,
    title="Learning Effective Representations for Retrieval Using Self-Distillation with Adaptive Relevance Margins",
    year=2024,
    url="https://arxiv.org/abs/2407.21515",
    family="dense-retrieval", sort="method",
    claim="Margins that follow the model's own similarity of documents train a better retriever than constant ones.",
    regime="A pre-trained encoder; questions with their documents, random negatives, no teacher.",
    baseline="the same squared error of the margin, with the target 1",
    placebo="adaptive targets, each of another item of the batch",
    fidelity="same kind",
    needs={"base": "minilm-3", "pairs": "squad-sentence-pairs", "search": "squad-dev-sentence-retrieval",
           "teacher": "minilm"},
    margin=0.01, minutes=5,
    deviations=(
        "three layers, 512 questions once and sentences, instead of twelve layers, MS MARCO and passages",
        "distilled from the vectors of MiniLM instead of a cross-encoder; clocks are not judged, so its time is not",
        "400 sentences of unseen articles are searched",
    ),
)  # fmt: skip
_PAIRS = 512
_TRAINING: Any = {"steps": 16, "batch_size": 32, "learning_rate": 3e-4}


def make(
    base: TrainedEncoder, columns: Sequence[Sequence[str]], *, target: Target | float = "distributed",
    in_batch: bool = False, shift: int = 0, seed: int = 0, **training: Any,
) -> TrainedEncoder:  # fmt: skip
    """Return the encoder, tuned on questions, their documents and random ones.

    Parameters
    ----------
    base
        An encoder that can be trained; it is changed in place.
    columns
        Questions, right documents, wrong documents.
    target, in_batch, shift
        See :class:`~isogloss.objectives.adaptive_margin.AdaptiveMargin`.
    seed, training
        Seed, and settings of ``fine_tune`` (the paper: batches of 128, rates of 5e-7 to 5e-6, one pass).
    """
    return fine_tune(
        base, columns, AdaptiveMargin(target=target, in_batch=in_batch, shift=shift), seed=seed, **training
    )


def check(lab: Lab) -> Evidence:
    """Adaptive, constant and mixed-up targets, and a teacher's, on the same triples; judged on other articles."""
    pairs, searched = lab.data("pairs", "train"), known_items(lab.data("search"), texts=400, questions=500)
    whole = dict(zip(pairs.positives, pairs.queries, strict=True))  # one question a sentence
    kept = list(whole)[:: max(1, len(whole) // _PAIRS)][:_PAIRS]

    @cache
    def taught(role: str) -> Any:
        teacher = lab.model("teacher")
        return teacher.encode(kept if role == "document" else [whole[one] for one in kept], role=role)

    def wrong(run: Run) -> Any:
        turned, order = lab.rng(run, "turn").integers(1, len(kept)), lab.rng(run, "order").permutation(len(kept))
        other = np.empty(len(kept), np.int64)
        other[order] = np.roll(order, turned)
        return other  # each sentence once, none beside its own question

    def untuned(run: Run) -> Any:
        return lab.model("base", run)

    def triples(run: Run) -> list[list[str]]:
        return [[whole[one] for one in kept], kept, [kept[i] for i in wrong(run)]]

    def tuned(run: Run, target: Any = "distributed", shift: int = 0) -> Any:
        return make(untuned(run).fresh(), triples(run), target=target, shift=shift, seed=run.seed, **_TRAINING)

    def distilled(run: Run) -> Any:
        margins = (taught("query") * (taught("document") - taught("document")[wrong(run)])).sum(1)
        objective = MarginRegression(similarity="cosine")
        return fine_tune(
            untuned(run).fresh(), triples(run), objective, labels=margins, seed=run.seed, **_TRAINING
        )  # fmt: skip

    def judge(encoder: Any) -> Sample:
        rows = encoder.encode(searched.texts, role="document")
        return searched.ndcg(cosines(encoder.encode(searched.questions, role="query"), rows))

    one, half, mixed = partial(tuned, target=1.0), partial(tuned, target=0.5), partial(tuned, shift=1)
    return lab.evidence(
        primary=lab.better(tuned, one, mixed, judge=judge, name="adaptive targets over the target 1"),
        guards=[
            lab.better(tuned, half, mixed, judge=judge, name="adaptive targets over the target 1/2"),
            lab.better(tuned, untuned, mixed, judge=judge, margin=0.04, name="tuned over untuned"),
            lab.not_worse(tuned, distilled, judge=judge, margin=0.015, name="not worse than a teacher's margins"),
        ],
    )
