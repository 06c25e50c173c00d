"""NV-Retriever: Improving text embedding models with effective hard-negative mining (Moreira and others, 2024).

What scores nearly as high as the right answer is likely right: negatives score at most a share (95 %) of its score.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.evaluation.neighbours import cosines
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.several_right import ndcg_of_several
from isogloss.mining.answer_windows import answer_windows
from isogloss.mining.candidates import Source, VectorSource
from isogloss.mining.hard_negatives import Pairs, mine_hard_negatives
from isogloss.mining.rules import Limits
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.retriever_tuning import tune_in_groups

CARD = Card(
    slug="nv-retriever", seed=191, year=2024, url="https://arxiv.org/abs/2407.15831", family="data-curation",
    title="NV-Retriever: Improving text embedding models with effective hard-negative mining", sort="method",
    claim="Negatives that score at most 95 % of the positive train a better retriever than the nearest texts.",
    regime="A corpus with right answers that nobody labelled, a teacher that finds them.", fidelity="same kind",
    baseline="the nearest texts beside the labelled answer", placebo="as many texts of the corpus at random",
    needs={"base": "minilm-3", "teacher": "minilm", "pairs": "squadshifts-train"}, margin=0.02, minutes=5,
    deviations=("MiniLM teaches three of its layers 250 questions on reviews, once; one size was tried (seed 999)",
                "windows of three sentences, two copies of each planted; chance fills up where under four are left"),
)  # fmt: skip
_TRAINING: Any = {"batch_size": 16, "learning_rate": 3e-4, "only": "*layers.*"}  # the token table rests


def make(questions: Sequence[str], gold: Any, corpus: Sequence[str], source: Source, *, percent: float | None = 0.95,
         margin: float | None = None, k: int = 4, depth: int = 300) -> list[list[int]]:  # fmt: skip
    """Return the rows of each question's negatives in the corpus, the hardest first.

    Parameters
    ----------
    questions, gold, corpus, source
        Questions, the row ``(q,)`` of each one's right answer, texts, and the teacher, which ranks and scores them.
    percent, margin, k, depth
        At most this share of the positive's score (None: any), or less by this; how many, and of how many nearest.
    """
    limits = Limits(last=depth, margin=margin, relative=None if percent is None else 1 - percent)
    pairs = Pairs(queries=questions, positives=gold, corpus=corpus)
    return mine_hard_negatives(pairs, [source], limits=limits, per_query=k, near=None).negatives


def check(lab: Lab) -> Evidence:
    """Mine below a share of the positive's score, anywhere and at random; train a student on each; count copies."""
    world = answer_windows(lab.data("pairs", "amazon_reviews.answers")[:1700], copies=True)
    unseen = answer_windows(lab.data("pairs", "amazon_reviews.dev.answers"), each=3, copies=True)
    source = cache(lambda: VectorSource(*(lab.model("teacher").encode(one) for one in (world.questions, world.texts))))
    chance = cache(lambda run: lab.rng(run, "random").integers(0, len(world.texts), (len(world.gold), 4)))

    def mined(run: Run, percent: float | None = 0.95) -> Any:
        found = zip(make(world.questions, world.gold, world.texts, source(), percent=percent), chance(run), strict=True)
        return np.array([[*some, *rest][:4] for some, rest in found])

    @cache
    def student(run: Run, negatives: Any = mined) -> Any:
        base, rows = lab.model("base", run).fresh(), [world.gold, *negatives(run).T]
        columns = [world.questions, *([world.texts[i] for i in one] for one in rows)]
        return tune_in_groups(base, columns, InBatchSoftmax(), 0 * world.gold, seed=run.seed, **_TRAINING)

    def judge(encoder: Any) -> Sample:
        table = cosines(encoder.encode(unseen.questions, role="query"), encoder.encode(unseen.texts, role="document"))
        return ndcg_of_several(table, unseen.right, groups=unseen.passages)

    def wrong(negatives: Any) -> Sample:
        shares = [1 - np.isin(some, right).mean() for some, right in zip(negatives, world.right, strict=True)]
        return Sample.of(shares, groups=world.passages, name="share of negatives that are wrong")

    def hardness(rows: Any) -> Sample:
        own, hard = (source().scores(np.arange(len(rows)).repeat(4), one.ravel()) for one in (rows, naive(Run(0))))
        return Sample.of(own.reshape(-1, 4).mean(1) / hard.mean(), groups=world.passages, name="share of the nearest's")

    naive = partial(mined, percent=None)
    nearest, random = partial(student, negatives=naive), partial(student, negatives=chance)
    return lab.evidence(
        primary=lab.better(student, nearest, random, judge=judge, name="below 95 % over the nearest"),
        guards=[lab.recovers(mined, naive, truth=wrong, at_least=0.85, name="few copies among those below 95 %"),
                lab.recovers(mined, chance, truth=hardness, at_least=0.75, name="still hard for the teacher"),
                lab.reported(lambda run: lab.model("base"), judge=judge, name="untrained student")],
    )  # fmt: skip
