"""Dense Passage Retrieval for Open-Domain Question Answering (Karpukhin, Oguz, Min, Lewis and others, 2020).

One transformer reads questions, another one passages. A question's right passage stands against those of the batch's
other questions, and against one for each that BM25 finds near it and that lacks the answer.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from isogloss.encoders.router import RoutedEncoder
from isogloss.evaluation.neighbours import hits_at
from isogloss.evaluation.sample import Sample
from isogloss.mining.answer_windows import answer_windows
from isogloss.mining.lexical_negatives import answerless_negatives, bm25_table
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.objectives.in_groups import InGroups
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.retriever_tuning import tune_towers
from isogloss.training.trained_encoder import TrainedEncoder

CARD = Card(
    slug="dpr", seed=132, year=2020, url="https://arxiv.org/abs/2004.04906", family="dense-retrieval", sort="method",
    title="Dense Passage Retrieval for Open-Domain Question Answering",
    claim="Two towers that also learn from one BM25 passage without the answer find more than from the batch alone.",
    regime="Thousands of questions with their passages; top 20; dense retrieval need not beat BM25 on SQuAD.",
    baseline="two towers that learn from the other passages of the batch",
    placebo="a passage at random in the place of BM25's", fidelity="same kind", margin=0.02, minutes=5,
    needs={"base": "minilm-3", "pairs": "squadshifts-train"},
    deviations=("three layers, the mean of their states, 780 questions once instead of BERT, [CLS] and 40 passes",
                "vectors of length 1 at the temperature 0.05 (at 1 they hardly learned, seed 999), not of any length",
                "windows of three sentences of reviews, not 21 million blocks; the right one counts, not the answer",
                "fewer negatives are 7 others of the batch instead of 7 random passages, at the same cost"),
)  # fmt: skip
_TRAINING: Any = {"batch_size": 32, "learning_rate": 5e-4, "only": "*layers.*"}  # the token table rests


def make(query: TrainedEncoder, document: TrainedEncoder, columns: Sequence[Sequence[str]], *, group: int | None = None,
         temperature: float = 0.05, seed: int = 0, **training: Any) -> RoutedEncoder:  # fmt: skip
    """Return the two towers, tuned.

    Parameters
    ----------
    query, document, columns
        Encoders, which are changed in place; questions, right passages, and passages of BM25 that lack the answer.
    group, temperature
        Questions compared with each other's passages (None: a whole batch, 128 in the paper); of the soft-max.
    seed, training
        Of ``tune_towers`` (the paper: a rate of 1e-5).
    """
    whole = InBatchSoftmax(similarity="dot", temperature=temperature)
    objective = InGroups(inner=whole, size=group or len(columns[0]))
    return tune_towers(query, document, columns, objective, seed=seed, **training)


def check(lab: Lab) -> Evidence:
    """Train with a passage of BM25, one at random, none, and in smaller groups; join with BM25."""
    made = answer_windows(lab.data("pairs", "amazon_reviews.answers")[:3000], each=2)
    asked = answer_windows(lab.data("pairs", "amazon_reviews.dev.answers"), each=3)
    near = cache(lambda: answerless_negatives(made.questions, made.answers, made.texts, made.gold))
    words = cache(lambda: bm25_table(asked.questions, asked.texts))

    def table(encoder: Any) -> Any:
        return 20 * encoder.encode(asked.questions, role="query") @ encoder.encode(asked.texts, role="document").T

    @cache
    def dense(run: Run, third: str = "", group: int | None = None) -> Any:
        base, drawn = lab.model("base", run), lab.rng(run, "random").integers(0, len(made.texts), len(made.gold))
        mined = [[*some, other][0] for some, other in zip(near(), drawn, strict=True)]
        rows: Any = {"": [made.gold], "random": [made.gold, drawn], "near": [made.gold, mined]}[third]
        columns = [made.questions, *([made.texts[i] for i in one] for one in rows)]
        return table(make(base.fresh(), base.fresh(), columns, group=group, seed=run.seed, **_TRAINING))

    def joined(run: Run, dense: Any = None) -> Any:
        return words() + (1.1 * dense(run) if dense else 0)

    def top(scores: Any) -> Sample:
        return hits_at(scores, asked.gold, k=20, groups=asked.passages)

    untrained = cache(lambda run: table(lab.model("base", run)))
    hard, chance, few = partial(dense, third="near"), partial(dense, third="random"), partial(dense, group=8)
    both, half = partial(joined, dense=hard), partial(joined, dense=untrained)
    return lab.evidence(
        primary=lab.better(hard, dense, chance, judge=top, name="with a passage of BM25 over the batch alone"),
        guards=[lab.better(dense, few, untrained, judge=top, margin=0.05, name="the batch over 7 others of it"),
                lab.better(both, joined, half, judge=top, margin=0.01, name="joined with BM25 over BM25"),
                lab.better(both, hard, half, judge=top, margin=0.01, name="joined with BM25 over the towers")],
    )  # fmt: skip
