"""NV-Retriever: Improving text embedding models with effective hard-negative mining (Moreira and others, 2024).

A teacher scores texts for each question. What scores nearly as high as the right one is likely right itself, so the
negatives are the highest below a share (best: 95 %) of the positive's score. Here each answer is there three times.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.evaluation.neighbours import cosines
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.several_right import ndcg_of_several
from isogloss.mining.answer_windows import answer_windows
from isogloss.mining.candidates import Source, VectorSource
from isogloss.mining.hard_negatives import Mined, Pairs, mine_hard_negatives
from isogloss.mining.rules import Limits
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.fine_tuning import fine_tune

CARD = Card(
    slug="nv-retriever", seed=191, year=2024, url="https://arxiv.org/abs/2407.15831",
    title="NV-Retriever: Improving text embedding models with effective hard-negative mining",
    claim="Negatives that score at most 95 % of the positive train a better retriever than the nearest texts.",
    regime="A corpus with right answers that nobody labelled, a teacher that finds them.",
    baseline="the nearest texts beside the labelled answer",
    placebo="as many texts of the corpus at random",
    fidelity="same kind", family="data-curation", sort="method",
    needs={"base": "minilm-3", "teacher": "minilm", "pairs": "squadshifts-train"},
    margin=0.02, minutes=5,
    deviations=(
        "MiniLM teaches three of its layers instead of Mistral; 256 questions once, at the temperature 0.05",
        "right answers among the negatives are planted: two copies of each passage of up to three sentences",
        "one stage, on questions about reviews; no tasks of other kinds",
    ),
)  # fmt: skip
_TAKEN, _NEGATIVES = 256, 4


def make(
    questions: Sequence[str], positives: NDArray[np.int64], corpus: Sequence[str], source: Source, *,
    percent: float | None = 0.95, margin: float | None = None, most: float | None = None, first: int = 1, k: int = 4,
    depth: int = 300,
) -> Mined:  # fmt: skip
    """Return the negatives of each question.

    Parameters
    ----------
    questions, positives, corpus
        The row of each question's right answer in the corpus.
    source
        The teacher: ranks and scores the corpus.
    percent, margin, most, first
        Scores at most this share of the positive's (TopK-PercPos; None: any), less by this (TopK-MarginPos), at most
        this (TopK-Abs), and ranks from this one on (TopK-shifted).
    k, depth
        Negatives a question, and how many of the nearest are looked at.
    """
    relative = None if percent is None else 1 - percent
    limits = Limits(first=first, last=depth, most=most, margin=margin, relative=relative)
    pairs = Pairs(queries=questions, positives=positives, corpus=corpus)
    return mine_hard_negatives(pairs, [source], limits=limits, per_query=k, near=None)


def check(lab: Lab) -> Evidence:
    """Mine below a share of the positive's score, anywhere and at random; train a student on each; count copies."""
    teacher, world = (
        lab.model("teacher"),
        answer_windows(lab.data("pairs", "amazon_reviews.answers")[:2200], copies=True),
    )
    unseen = answer_windows(lab.data("pairs", "amazon_reviews.dev.answers"), each=3, copies=True)

    read = cache(lambda role: teacher.encode(world.questions if role == "query" else world.texts, role=role))
    source = cache(lambda: VectorSource(read("query"), read("document")))

    def mined(run: Run, **limits: Any) -> NDArray[np.int64]:
        found = make(world.questions, world.gold, world.texts, source(), k=_NEGATIVES, **limits).negatives
        drawn = at_random(run)  # where the limits leave too few
        return np.array([[*some, *rest][:_NEGATIVES] for some, rest in zip(found, drawn, strict=True)])

    def at_random(run: Run) -> Any:
        return lab.rng(run, "random").integers(0, len(world.texts), (len(world.gold), _NEGATIVES))

    def student(run: Run, negatives: Any) -> Any:
        kept = lab.rng(run, "kept").permutation(len(world.gold))[:_TAKEN]
        chosen = np.column_stack([world.gold, negatives(run)])[kept]
        columns = [[world.questions[i] for i in kept], *([world.texts[i] for i in one] for one in chosen.T)]
        base = lab.model("base", run).fresh()
        return fine_tune(base, columns, InBatchSoftmax(), seed=run.seed, batch_size=16, learning_rate=3e-4)

    def judge(encoder: Any) -> Sample:
        asked = encoder.encode(unseen.questions, role="query")
        table = cosines(asked, encoder.encode(unseen.texts, role="document"))
        return ndcg_of_several(table, unseen.right, groups=unseen.passages)

    def wrong(negatives: NDArray[np.int64]) -> Sample:
        shares = [1 - np.isin(some, right).mean() for some, right in zip(negatives, world.right, strict=True)]
        return Sample.of(shares, groups=world.passages, name="share of negatives that are wrong")

    def too_easy(negatives: NDArray[np.int64]) -> float:
        of = np.repeat(np.arange(len(world.gold)), _NEGATIVES)
        hard, own = (source().scores(of, np.ravel(one)).mean() for one in (naive(Run(seed=0)), negatives))
        return max(0.0, 0.75 - float(own / hard))

    naive, share, less = partial(mined, percent=None), mined, partial(mined, percent=None, margin=0.05)
    by_share, by_none, by_chance = (partial(student, negatives=one) for one in (share, naive, at_random))
    return lab.evidence(
        primary=lab.better(by_share, by_none, by_chance, judge=judge, name="below 95 % over the nearest"),
        guards=[
            lab.recovers(share, naive, truth=wrong, at_least=0.85, name="few copies below 95 %"),
            lab.recovers(less, naive, truth=wrong, at_least=0.85, name="few copies below the positive less 0.05"),
            lab.exact(share, invariant=too_easy, within=0.0, broken=at_random, name="still hard for the teacher"),
            lab.reported(lambda run: lab.model("base", run), judge=judge, name="untrained student"),
        ],
    )
