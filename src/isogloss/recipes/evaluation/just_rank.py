"""Just Rank: Rethinking Evaluation with Word and Sentence Similarities (Wang et al., 2022).

EvalRank asks, of pairs that people find alike, at which rank the one text finds the other among thousands. As in the
paper the metric is tested over many models: does it order them as their downstream use does, better than correlation?
"""

from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.encoders.layers import LayerEncoder, LayerPools, Pooling
from isogloss.evaluation.metric_validity import metric_validity
from isogloss.evaluation.probed_tasks import probe_tasks, split_task
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.eval_rank import RankedPositives, ranked_positives
from isogloss.evaluation.tasks.eval_rank import run as eval_rank
from isogloss.evaluation.tasks.sts import run as similarity
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.transforms.projection import PCA
from isogloss.transforms.whitening import Whitening

CARD = Card(
    slug="just-rank",
    seed=141,
    title="Just Rank: Rethinking Evaluation with Word and Sentence Similarities",
    year=2022,
    url="https://arxiv.org/abs/2203.02679",
    family="evaluation",
    sort="protocol",
    claim="Over many models, ranking known paraphrases among a background foretells downstream accuracy better than "
    "the correlation with graded similarity does.",
    regime="Sentence vectors, post-processed or not, compared by cosine; downstream tasks are linear probes.",
    baseline="Spearman correlation on the same pairs",
    placebo="the same ranking of pairs whatever their human score",
    fidelity="same kind",
    needs={
        "base": "minilm", "other": "static", "sts": "sts-b",
        "questions": "trec-questions", "films": "mr", "news": "ag-news", "intents": "banking77",
    },
    margin=0.05,
    minutes=15,
    deviations=(
        "42 models (layers and poolings of MiniLM and a static model, each raw and whitened) instead of over 60",
        "5,000 background sentences; four downstream tasks with 600 training texts each",
    ),
)  # fmt: skip
_DOWNSTREAM = ("questions", "films", "news", "intents")


def make(pairs: Any, background: Any, *, threshold: float = 4.0) -> RankedPositives:
    """Return the data of EvalRank: pairs of at least ``threshold`` and the background, cleaned."""
    return ranked_positives(pairs, background, at_least=threshold)


def _models(lab: Lab, texts: list[str]) -> Iterator[tuple[int, Any]]:
    """Yield 42 models, each with the number of the encoder that it was made of."""
    pools = LayerPools(lab.model("base"), layers=range(7))
    kinds: dict[Pooling, range] = {"mean": range(7), "max": range(7), "first": range(1, 7)}
    encoders: list[Any] = [
        LayerEncoder(pools, layers=(layer,), pooling=pooling) for pooling, layers in kinds.items() for layer in layers
    ]
    for number, raw in enumerate([*encoders, lab.model("other")]):
        yield number, raw
        yield number, raw.then(Whitening().fit(raw.encode(texts)))


def check(lab: Lab) -> Evidence:
    """Correlate three intrinsic scores of each model with its accuracy downstream; order a planted ladder."""
    test = lab.data("sts")
    models = list(_models(lab, lab.texts("sts", 3000)))
    families = [number for number, _ in models]

    @cache
    def downstream() -> NDArray[np.float64]:
        draw = lab.rng(lab.runs(1)[0], "downstream")
        parts = {role: (lab.data(role, "train"), lab.data(role, "test")) for role in _DOWNSTREAM}
        tasks = {role: split_task(*both, draw=draw, most=750, most_test=400) for role, both in parts.items()}
        return np.array([probe_tasks(model, tasks, strengths=(0.01,)).value() for _, model in models])

    def table(intrinsic: list[float]) -> NDArray[np.float64]:
        return np.stack([intrinsic, downstream()], axis=1)

    every = make(test, lab.texts("sts", 5000), threshold=0.0)
    good, few = make(test, []), make(test, lab.texts("sts", 3000))
    everything, alike = (set(zip(one.left, one.right, strict=True)) for one in (every, good))

    @cache
    def reciprocals() -> NDArray[np.float64]:
        return np.stack([eval_rank(model, every, name="pairs").samples["mrr"].items for _, model in models])

    def ranked(run: Run, of: set[tuple[str, str]] = alike) -> NDArray[np.float64]:
        rows = [i for i, pair in enumerate(zip(every.left, every.right, strict=True)) if pair in of]
        drawn = lab.rng(run, "pairs").choice(rows, len(rows))
        return table(reciprocals()[:, drawn].mean(1).tolist())

    def graded(run: Run) -> NDArray[np.float64]:
        return table([similarity(model, test, name="sts").samples["cosine_spearman"].value() for _, model in models])

    def validity(scores: NDArray[np.float64]) -> Sample:
        return metric_validity(scores[:, 0], scores[:, 1], groups=families)

    def shortened(run: Run) -> Any:
        return models[12][1].then(PCA(dimensions=int(run.size or 0)).fit(models[12][1].encode(lab.texts("sts", 3000))))

    def reciprocal_rank(encoder: Any) -> Sample:
        return eval_rank(encoder, few, name="positives").samples["mrr"]

    return lab.evidence(
        primary=lab.better(
            ranked, graded, partial(ranked, of=everything), judge=validity, name="EvalRank over Spearman"
        ),
        guards=[
            lab.trend(shortened, (2, 8, 64), judge=reciprocal_rank, direction="rising", margin=0.01,
                      name="more dimensions rank better"),
        ],
    )  # fmt: skip
