"""Embedding And Clustering Your Data Can Improve Contrastive Pretraining (Merrick, 2024).

Passages of each source are clustered by an encoder at hand; a batch comes from one cluster: its negatives are near.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.evaluation.known_items import known_items
from isogloss.evaluation.neighbours import cosines
from isogloss.evaluation.sample import Sample
from isogloss.mining.clusters import clusters_within
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.retriever_tuning import tune_in_groups
from isogloss.training.trained_encoder import TrainedEncoder

CARD = Card(
    slug="cluster-contrast", seed=98, year=2024, url="https://arxiv.org/abs/2407.18887", family="dense-retrieval",
    title="Embedding And Clustering Your Data Can Improve Contrastive Pretraining", sort="method",
    claim="A retriever learns more from batches of one cluster of one source than from batches at random.",
    regime="Many pairs of several sources, a soft-max over the batch, an encoder at hand to cluster by.",
    baseline="as many batches, as large, drawn at random from all sources; the untuned encoder where they harm it",
    placebo="batches of one source's clusters of the same sizes, with items drawn at random",
    fidelity="same kind", margin=0.01, minutes=4,
    needs={"base": "minilm-3", "guide": "minilm", "questions": "squad-sentence-pairs", "other": "wiki-split",
           "search": "squad-dev-sentence-retrieval"},
    deviations=("three layers, 30 batches of some 25 of 1,000 pairs of two sources in 20 clusters, not BERT, batches "
                "of thousands and clusters of some 100,000; 400 sentences are searched; one size tried (seed 999)",),
)  # fmt: skip
_TRAINING: Any = {"steps": 30, "learning_rate": 3e-4, "only": "*layers.*"}  # the token table rests


def make(base: TrainedEncoder, columns: Sequence[Sequence[str]], groups: Any, *, temperature: float = 0.05,
         seed: int = 0, **training: Any) -> TrainedEncoder:  # fmt: skip
    """Return the encoder, tuned on batches that each come from one group.

    Parameters
    ----------
    base, columns
        An encoder that can be trained, changed in place; questions and their passages.
    groups
        ``(n,)`` cluster of each pair: :func:`isogloss.mining.clusters.clusters_within` of the passages' vectors.
    temperature, seed, training
        Of the soft-max, of orders, and settings of :func:`~isogloss.training.retriever_tuning.tune_in_groups`.
    """
    return tune_in_groups(base, columns, InBatchSoftmax(temperature=temperature), groups, seed=seed, **training)


def check(lab: Lab) -> Evidence:
    """Clusters, clusters of chance and random batches, as many and as large; how near negatives are at the start."""
    searched = known_items(lab.data("search"), texts=400, questions=700)
    first, other, sources = lab.data("questions", "train"), lab.data("other", "train"), np.repeat([0, 1], [700, 300])
    columns = [getattr(first, one)[::16][:700] + getattr(other, one)[::33][:300] for one in ("queries", "positives")]
    read = cache(lambda: lab.model("guide").encode(columns[1], role="document"))
    start = cache(lambda: cosines(*(lab.model("base").encode(one) for one in columns)))
    clusters = cache(lambda run: clusters_within(read(), sources, 20, least=16, seed=run.seed))

    def mixed(run: Run) -> Any:
        return clusters(run)[np.lexsort((lab.rng(run, "mixed").random(len(sources)), sources))]

    def at_random(run: Run) -> Any:
        return 0 * clusters(run)

    @cache
    def tuned(run: Run, groups: Any = clusters) -> Any:
        batches = int(np.ceil(np.bincount(clusters(run)) / 32).sum())  # all arms take as many, and as large ones
        size = 32 if groups is not at_random else -(-len(sources) // batches)
        return make(lab.model("base", run).fresh(), columns, groups(run), seed=run.seed, batch_size=size, **_TRAINING)

    def judge(encoder: Any) -> Sample:
        rows = encoder.encode(searched.texts, role="document")
        return searched.ndcg(cosines(encoder.encode(searched.questions, role="query"), rows))

    def nearness(groups: Any) -> Sample:
        others = (groups[:, None] == groups) & ~np.eye(len(groups), dtype=bool)
        return Sample.of((start() * others).sum(1) / others.sum(1), name="mean similarity of negatives")

    @cache
    def plain(run: Run) -> Any:  # wrong pairs ruin an encoder in mixed batches and hardly move it in near ones
        return max(tuned(run, at_random), lab.model("base"), key=lambda one: judge(one).value())

    chance = partial(tuned, groups=mixed)
    return lab.evidence(
        primary=lab.better(tuned, plain, chance, judge=judge, name="clusters over batches at random"),
        guards=[lab.better(clusters, at_random, mixed, judge=nearness, margin=0.05, name="nearer negatives"),
                lab.better(tuned, chance, plain, judge=judge, margin=0.005, name="clusters over clusters of chance"),
                lab.reported(lambda run: lab.model("base"), judge=judge, name="untuned")],
    )  # fmt: skip
