"""Dense Passage Retrieval for Open-Domain Question Answering (Karpukhin, Oguz, Min, Lewis and others, 2020).

One transformer reads questions, another one passages; the dot product ranks. A question's right passage stands against
those of the batch's other questions, and against one for each that BM25 finds near it and that lacks the answer.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.encoders.lexical import WordEncoder
from isogloss.encoders.router import RoutedEncoder
from isogloss.evaluation.neighbours import hits_at
from isogloss.evaluation.sample import Sample
from isogloss.mining.answer_windows import answer_windows
from isogloss.mining.candidates import WordSource
from isogloss.mining.hard_negatives import Pairs, mine_hard_negatives
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.objectives.in_groups import InGroups
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.retriever_tuning import tune_towers
from isogloss.training.trained_encoder import TrainedEncoder

CARD = Card(
    slug="dpr", seed=132, year=2020, url="https://arxiv.org/abs/2004.04906",
    title="Dense Passage Retrieval for Open-Domain Question Answering",
    claim="Two towers that also learn from one BM25 passage without the answer find more than from the batch alone.",
    regime="Thousands of questions with their passages; top 20; dense retrieval need not beat BM25 on SQuAD.",
    baseline="two towers that learn from the other passages of the batch",
    placebo="a passage at random in the place of BM25's",
    fidelity="same kind", family="dense-retrieval", sort="method",
    needs={"base": "minilm-3", "pairs": "squadshifts-train"},
    margin=0.02, minutes=5,
    deviations=(
        "three layers and the mean of their states, some 540 questions once, instead of BERT, [CLS] and 40 passes",
        "windows of three sentences of reviews, not 21 million blocks; the right one counts, not the answer's words",
        "fewer negatives are 7 others of the batch instead of 7 random passages, at the same cost",
    ),
)  # fmt: skip
_TRAINING: Any = {"batch_size": 32, "learning_rate": 5e-4, "only": "*layers.*"}  # the token table rests


def make(
    query: TrainedEncoder, document: TrainedEncoder, columns: Sequence[Sequence[str]], *, group: int | None = None,
    seed: int = 0, **training: Any,
) -> RoutedEncoder:  # fmt: skip
    """Return the two towers, tuned.

    Parameters
    ----------
    query, document
        Encoders that can be trained; they are changed in place.
    columns
        Questions, right passages, and passages that BM25 finds and that lack the answer.
    group
        Questions that are compared with each other's passages; None: all of a batch (128 in the paper).
    seed, training
        Of ``tune_towers`` (the paper: a rate of 1e-5).
    """
    whole = InBatchSoftmax(similarity="dot", temperature=1.0)
    objective: Any = InGroups(inner=whole, size=group) if group else whole
    return tune_towers(query, document, columns, objective, seed=seed, **training)


def check(lab: Lab) -> Evidence:
    """Train with a passage of BM25, one at random, none, and in smaller groups; join with BM25."""
    learnt = answer_windows(lab.data("pairs", "amazon_reviews.answers")[:3000])
    asked, words = answer_windows(lab.data("pairs", "amazon_reviews.dev.answers"), each=3), WordEncoder(language="en")

    @cache
    def near() -> list[list[int]]:
        lower, answers = [one.lower() for one in learnt.texts], [one.lower() for one in learnt.answers]
        holds = {i: [row for row, text in enumerate(lower) if one in text] for i, one in enumerate(answers)}
        pairs = Pairs(queries=learnt.questions, positives=learnt.gold, corpus=learnt.texts, labelled=holds)
        source = WordSource(words.encode(learnt.questions), words.encode(learnt.texts))
        return mine_hard_negatives(pairs, [source], per_query=1, near=None).negatives

    def third(run: Run, mined: bool) -> list[list[str]]:
        drawn = lab.rng(run, "random").integers(0, len(learnt.texts), len(learnt.gold))
        rows = [some[0] if mined and some else other for some, other in zip(near(), drawn, strict=True)]
        return [[learnt.texts[i] for i in rows]]

    def table(encoder: Any) -> NDArray[np.float32]:
        documents = encoder.encode(asked.texts, role="document")
        return np.asarray(encoder.encode(asked.questions, role="query") @ documents.T)

    untrained = cache(lambda run: table(lab.model("base", run)))

    @cache
    def dense(run: Run, mined: bool | None = None, group: int | None = None) -> NDArray[np.float32]:
        base, more = lab.model("base", run), [] if mined is None else third(run, mined)
        columns = [learnt.questions, [learnt.texts[i] for i in learnt.gold], *more]
        return table(make(base.fresh(), base.fresh(), columns, group=group, seed=run.seed, **_TRAINING))

    @cache
    def by_words(run: Run) -> NDArray[np.float64]:
        source = WordSource(words.encode(asked.questions), words.encode(asked.texts))
        rows = np.indices((len(asked.questions), len(asked.texts))).reshape(2, -1)
        return source.scores(rows[0], rows[1]).reshape(len(asked.questions), len(asked.texts))

    def joined(run: Run, trained: bool = True) -> NDArray[np.float64]:
        return by_words(run) + 1.1 * (hard(run) if trained else untrained(run))

    def top(scores: NDArray[Any]) -> Sample:
        return hits_at(scores, asked.gold, k=20, groups=asked.passages)

    hard, chance, few = partial(dense, mined=True), partial(dense, mined=False), partial(dense, group=8)
    half = partial(joined, trained=False)
    return lab.evidence(
        primary=lab.better(hard, dense, chance, judge=top, name="with a passage of BM25 over the batch alone"),
        guards=[
            lab.better(dense, few, untrained, judge=top, margin=0.05, name="the batch over 7 others of it"),
            lab.better(joined, by_words, half, judge=top, margin=0.01, name="joined with BM25 over BM25"),
            lab.better(joined, hard, half, judge=top, margin=0.01, name="joined with BM25 over the towers"),
        ],
    )
