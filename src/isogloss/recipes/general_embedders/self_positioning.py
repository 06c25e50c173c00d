"""Improving General Text Embedding Model: Tackling Task Conflict and Data Imbalance through Model Merging (Li, 2024).

Copies of a base are tuned on a task each. The merged model lies at the base plus a scale times a weighted mean of what
each tuning added; scale and weights, which sum to 1, are found by gradient descent on a small probe of all tasks alike.
"""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.corpus.examples import ScoredPairs
from isogloss.evaluation.mean_correlation import spearman_over
from isogloss.evaluation.mixed_score import mixed
from isogloss.evaluation.neighbours import cosines, known_item
from isogloss.evaluation.sample import Sample
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.objectives.pairs import OrderedPairs
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.self_positioning import self_positioned
from isogloss.training.several_tasks import Task, fine_tune_tasks
from isogloss.training.trained_encoder import TrainedEncoder

CARD = Card(
    slug="self-positioning", seed=169, year=2024, url="https://arxiv.org/abs/2410.15035",
    title="Improving General Text Embedding Model: Tackling Task Conflict and Data Imbalance through Model Merging",
    family="general-embedders", sort="method", claim="Copies tuned on a task each, merged where a small probe set "
    "costs least, serve the tasks better together than one copy tuned on all of them.",
    regime="Tasks whose data differ in size; one base; a few examples of every task for the probe.",
    baseline="one copy, tuned for as many steps on the tasks' data joined",
    placebo="the same merging and search on a probe whose partners and scores are permuted", fidelity="same kind",
    needs={"base": "minilm-3", "pairs": "scitldr", "sts": "sts-b"}, margin=0.007, minutes=5,
    deviations=(
        "two tasks: titles to the beginnings of their abstracts (1,992 pairs), likeness of sentences (480 pairs)",
        "16 steps of 48 a task, 32 of both joined, the token table at rest; a probe of 300 examples a task",
        "the mean of nDCG@10 and Spearman as they are, instead of MTEB; no SLERP, TIES, Fisher or grid beside"),
)  # fmt: skip
_LONGEST, _STEPS = 120, 16
_TRAINING: Any = {"batch_size": 48, "learning_rate": 2e-4, "words": False}


def make(base: TrainedEncoder, tuned: Sequence[TrainedEncoder], probe: Mapping[str, Task], *, steps: int = 40,
         learning_rate: float = 0.1, seed: int = 0) -> TrainedEncoder:  # fmt: skip
    """Return the encoder merged from ``tuned`` copies of ``base``; none of them is changed.

    ``probe`` has a few examples of each task, with its objective; ``steps``, ``learning_rate`` and ``seed`` are of the
    search for weights and scale on it. Without steps it is the plain mean.
    """
    return self_positioned(base, tuned, probe, steps=steps, learning_rate=learning_rate, seed=seed)[0]


def check(lab: Lab) -> Evidence:
    """Merge by a probe, by a permuted one and by the plain mean; tune jointly and on each task alone."""
    judged, sts = lab.data("pairs"), lab.data("sts")
    half = ScoredPairs(sts.left[::2], sts.right[::2], sts.scores[::2], sts.groups[::2])

    def tasks(part: str, every: tuple[int, int], order: Any = np.arange) -> dict[str, Task]:
        found, alike = lab.data("pairs", part), lab.data("sts", part)
        texts, scores = [text[:_LONGEST] for text in found.positives[:: every[0]]], alike.scores[:: every[1]]
        search = [found.queries[:: every[0]], [texts[i] for i in order(len(texts))]]
        compared = [alike.left[:: every[1]], alike.right[:: every[1]]]
        return {"search": Task(search, InBatchSoftmax(temperature=0.05)),
                "compare": Task(compared, OrderedPairs(), scores[order(len(scores))])}  # fmt: skip

    @cache
    def tuned(run: Run, names: tuple[str, ...]) -> Any:
        chosen = {name: task for name, task in tasks("train", (1, 12)).items() if name in names}
        base, steps = lab.model("base", run).fresh(), _STEPS * len(names)
        return fine_tune_tasks(base, chosen, steps=steps, seed=run.seed, **_TRAINING)

    def merged(run: Run, permuted: bool = False, steps: int = _STEPS) -> Any:
        order = lab.rng(run, "probe").permutation if permuted else np.arange
        copies = [tuned(run, names=(name,)) for name in ("search", "compare")]
        return make(lab.model("base", run), copies, tasks("dev", (2, 5), order), steps=steps, seed=run.seed)

    def judge(encoder: Any) -> Sample:
        texts = encoder.encode([text[:_LONGEST] for text in judged.positives], role="document")
        titles = encoder.encode(judged.queries, role="query")
        return mixed(known_item(cosines(titles, texts), np.arange(len(titles))), spearman_over([encoder], half))

    search, compare, joint = (partial(tuned, names=one) for one in (("search",), ("compare",), ("search", "compare")))
    mixed_up, plain = partial(merged, permuted=True), partial(merged, steps=0)
    return lab.evidence(
        lab.better(merged, joint, mixed_up, judge=judge, name="merged over joint tuning"),
        [lab.better(merged, search, mixed_up, judge=judge, margin=0.005, name="merged over the searching copy"),
         lab.better(merged, compare, mixed_up, judge=judge, margin=0.005, name="merged over the comparing copy"),
         lab.reported(plain, judge=judge, name="the plain mean")])  # fmt: skip
