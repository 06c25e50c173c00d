"""Embedding And Clustering Your Data Can Improve Contrastive Pretraining (Merrick, 2024).

Only the filling of batches changes. Training passages are embedded by an encoder that is at hand and clustered within
each source of data; then every batch comes from one cluster of one source, so that the negatives of a batch are about
the same things. The loss stays a soft-max over the batch.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    slug="cluster-contrast",
    seed=98,
    title="Embedding And Clustering Your Data Can Improve Contrastive Pretraining",
    year=2024,
    url="https://arxiv.org/abs/2407.18887",
    family="dense-retrieval", sort="method",
    claim="A retriever learns more from batches of one cluster of one source than from batches at random.",
    regime="Many pairs of several sources, a soft-max over the batch, an encoder at hand to cluster by.",
    baseline="as many batches, as large, drawn at random from all sources",
    placebo="batches of one source's clusters of the same sizes, with items drawn at random",
    fidelity="same kind",
    needs={"base": "minilm-3", "guide": "minilm", "questions": "squad-sentence-pairs", "other": "wiki-split",
           "search": "squad-dev-sentence-retrieval"},
    margin=0.01, minutes=4,
    deviations=(
        "three layers, 20 batches of at most 32 out of 1,400 pairs instead of BERT, millions and batches of thousands",
        "two sources, 28 clusters of about 50 instead of clusters of some 100,000",
        "400 sentences of unseen articles are searched",
    ),
)  # fmt: skip
_EACH, _CLUSTERS, _BATCH, _STEPS = (980, 420), 28, 32, 20
_TRAINING: Any = {"steps": _STEPS, "learning_rate": 3e-4, "only": "*layers.*"}  # the token table rests


def make(
    base: TrainedEncoder, columns: Sequence[Sequence[str]], groups: NDArray[np.int64], *, temperature: float = 0.05,
    seed: int = 0, **training: Any,
) -> TrainedEncoder:  # fmt: skip
    """Return the encoder, tuned on batches that each come from one group.

    Parameters
    ----------
    base
        An encoder that can be trained; it is changed in place.
    columns
        Questions and their passages.
    groups
        Cluster of each pair: :func:`isogloss.mining.clusters.clusters_within` of the passages' vectors.
    temperature, seed, training
        Of the soft-max, of orders, and settings of :func:`~isogloss.training.retriever_tuning.tune_in_groups`.
    """
    return tune_in_groups(base, columns, InBatchSoftmax(temperature=temperature), groups, seed=seed, **training)


def check(lab: Lab) -> Evidence:
    """Clusters, clusters of chance and random batches, as many and as large; how near negatives are at the start."""
    searched = known_items(lab.data("search"), texts=400, questions=700)
    parts = [(lab.data(role, "train"), count) for role, count in zip(("questions", "other"), _EACH, strict=True)]
    picked = [range(0, len(one.queries), len(one.queries) // count)[:count] for one, count in parts]
    columns = [
        [getattr(one, name)[i] for (one, _), rows in zip(parts, picked, strict=True) for i in rows]
        for name in ("queries", "positives")
    ]
    sources = np.repeat(np.arange(len(_EACH)), _EACH)
    read = cache(lambda: lab.model("guide").encode(columns[1], role="document"))

    @cache
    def clusters(run: Run) -> NDArray[np.int64]:
        return clusters_within(read(), sources, _CLUSTERS, least=_BATCH // 2, seed=run.seed)

    def mixed(run: Run) -> NDArray[np.int64]:
        order = np.concatenate([lab.rng(run, "mixed", s).permutation(np.flatnonzero(sources == s)) for s in (0, 1)])
        return np.asarray(clusters(run)[order])

    def at_random(run: Run) -> NDArray[np.int64]:
        return np.zeros(len(sources), np.int64)

    def tuned(run: Run, groups: Any = clusters) -> Any:
        parts = -(-np.bincount(clusters(run)) // _BATCH)  # batches of each cluster: the arms take as many steps
        size = _BATCH if groups is not at_random else -(-len(sources) // int(parts.sum()))
        base = lab.model("base", run).fresh()
        return make(base, columns, groups(run), seed=run.seed, batch_size=size, **_TRAINING)

    def judge(encoder: Any) -> Sample:
        rows = encoder.encode(searched.texts, role="document")
        return searched.ndcg(cosines(encoder.encode(searched.questions, role="query"), rows))

    @cache
    def start() -> NDArray[np.float32]:
        base = lab.model("base")
        return cosines(*(base.encode(one) for one in columns))

    def nearness(groups: NDArray[np.int64]) -> Sample:
        other = (groups[:, None] == groups[None, :]) & ~np.eye(len(groups), dtype=bool)
        return Sample.of((start() * other).sum(1) / other.sum(1), name="mean similarity of negatives")

    chance, plain = partial(tuned, groups=mixed), partial(tuned, groups=at_random)
    return lab.evidence(
        primary=lab.better(tuned, plain, chance, judge=judge, name="clusters over batches at random"),
        guards=[
            lab.better(clusters, at_random, mixed, judge=nearness, margin=0.05, name="nearer negatives at the start"),
            lab.better(tuned, chance, plain, judge=judge, margin=0.005, name="clusters over clusters of chance"),
            lab.reported(lambda run: lab.model("base", run), judge=judge, name="untuned"),
        ],
    )
