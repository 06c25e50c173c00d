"""Universal Text Representation from BERT: An Empirical Study (Ma et al., 2019).

Every layer of a pre-trained encoder, pooled and frozen, under linear probes and cosine: which layer knows what, and
whether layers together know more than the best one. Here MiniLM's layers 0 to 6; what the paper finds about tuning on
inference data and about question answering is not tested.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any, Literal

from isogloss.encoders.layers import LayerEncoder, LayerPools, Pooling
from isogloss.evaluation.probed_tasks import ProbedTask, probe_tasks, split_task
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.selection import choose
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run

CARD = Card(
    slug="bert-layerwise",
    seed=129,
    title="Universal Text Representation from BERT: An Empirical Study",
    year=2019,
    url="https://arxiv.org/abs/1910.07973",
    family="sentence-encoders",
    sort="method",
    claim="A low and a high layer side by side tell linear probes more than the best single layer.",
    regime="Frozen vectors of a pre-trained encoder; classification and probing tasks.",
    baseline="the single layer that is best on development texts",
    placebo="two neighbouring high layers side by side: as wide, without a low one",
    fidelity="same kind",
    needs={"base": "minilm", "sts": "sts-b", "questions": "trec-questions", "probing": "probing-ewt"},
    margin=0.01,
    minutes=12,
    deviations=(
        "MiniLM, whose top layer was trained for sentences, instead of BERT",
        "TREC and four probing tasks made from the English Web Treebank; at most 1,000 training texts each",
        "no tuning on inference data, no passage ranking, no cross-encoder",
    ),
)
_PROBED = ("sentence_length", "word_content", "past_present", "subj_number")


def make(
    base: Any,
    *,
    layers: Sequence[int] = (1, -1),
    pooling: Pooling = "mean",
    combine: Literal["mean", "concat"] = "concat",
) -> LayerEncoder:
    """Return an encoder of chosen layers; parameters as :class:`~isogloss.encoders.layers.LayerEncoder`."""
    return LayerEncoder(base, layers=layers, pooling=pooling, combine=combine)


def check(lab: Lab) -> Evidence:
    """Compare two layers with the best one under probes; what rises and what falls with depth; mean and first token."""
    pools = LayerPools(lab.model("base"), layers=range(7), poolings=("mean", "first", "max"))
    sts = lab.judge("sts")

    @cache
    def tasks(run: Run) -> dict[str, ProbedTask]:
        parts = {name: [lab.data("probing", f"{name}.{part}") for part in ("train", "test")] for name in _PROBED}
        parts["trec"] = [lab.data("questions", part) for part in ("train", "test")]
        return {name: split_task(*both, draw=lab.rng(run, "probe", name), most=1000) for name, both in parts.items()}

    def made(run: Run, **settings: Any) -> dict[str, Any]:
        return {"encoder": make(pools, **settings), "run": Run(run.seed, run.fold)}

    def best_single(run: Run) -> dict[str, Any]:
        singles = {layer: make(pools, layers=(layer,)) for layer in range(7)}
        found = choose(singles, lambda encoder: probe_tasks(encoder, tasks(Run(run.seed, run.fold)), on="dev"))
        return made(run, layers=(found.best,))

    def probed(artifact: dict[str, Any]) -> Sample:
        return probe_tasks(artifact["encoder"], tasks(artifact["run"]))

    def words(artifact: dict[str, Any]) -> Sample:
        return probe_tasks(artifact["encoder"], {"words": tasks(artifact["run"])["word_content"]})

    def alike(artifact: dict[str, Any]) -> Sample:
        return sts(artifact["encoder"])

    low_high, top, bottom = (partial(made, layers=layers) for layers in ((1, 6), (6,), (0,)))
    return lab.evidence(
        primary=lab.better(
            low_high, best_single, partial(made, layers=(5, 6)), judge=probed, name="layers 1 and 6 over the best layer"
        ),
        guards=[
            lab.interaction(top, bottom, here=alike, there=words, name="with depth likeness rises and words fade"),
            lab.better(
                partial(made, layers=(3,)), partial(made, layers=(3,), pooling="first"),
                partial(made, layers=(2, 3), pooling="first"), judge=alike, name="mean over first token, layer 3",
            ),
            lab.reported(partial(made, layers=(3,), pooling="max"), judge=alike, name="STS-B of max pooling, layer 3"),
            lab.reported(top, judge=probed, name="probes on the top layer"),
        ],
    )  # fmt: skip
