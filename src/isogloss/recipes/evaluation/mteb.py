"""MTEB: Massive Text Embedding Benchmark (Muennighoff et al., 2022).

Eight kinds of task with one interface: retrieval, reranking, STS, pair classification, classification, clustering,
bitext mining and summarisation, each with its own protocol and main metric. The benchmark's finding is that no method
is best at everything. Here three kinds with one data set each are asked of words, static vectors and MiniLM, and
the benchmark itself is asked known answers: a ladder of planted noise in order, copies not told apart, and a published
score that must come back.
"""

from typing import Any

import numpy as np

from isogloss.evaluation.results import TaskResult
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Judge, Lab, Run
from isogloss.recipes._worlds import copy, ladder
from isogloss.transforms.projection import PCA

CARD = Card(
    slug="mteb",
    seed=170,
    title="MTEB: Massive Text Embedding Benchmark",
    year=2022,
    url="https://arxiv.org/abs/2210.07316",
    family="evaluation",
    sort="protocol",
    claim="No method dominates: of two encoders one is better at retrieval and the other at sentence similarity.",
    regime="Encoders of different families on tasks of different kinds.",
    baseline="the same two encoders on the other kind of task",
    placebo="the static encoder reduced to 64 dimensions: another encoder, of the same family",
    fidelity="same data",
    needs={
        "words": "words",
        "static": "static",
        "base": "minilm",
        "retrieval": "scifact",
        "sts": "sts-b",
        "intents": "banking77",
    },
    margin=0.01,
    minutes=10,
    deviations=("three kinds with one data set each instead of 58 data sets", "three encoders instead of 33 models"),
)
_PUBLISHED = 0.8203
"""Spearman of all-MiniLM-L6-v2 on the test part of STS-B, as MTEB's leaderboard has it."""


def make(encoder: Any, tasks: dict[str, Any]) -> dict[str, TaskResult]:
    """Run an encoder on tasks: one result a data set, each with its own protocol and main metric.

    Parameters
    ----------
    encoder
        Anything with ``encode`` and ``similarity``.
    tasks
        ``name: (run, data)``, where ``run`` is the function of a module of ``isogloss.evaluation.tasks``.

    Examples
    --------
    With data at hand::

        from isogloss.evaluation.tasks import sts
        make(load_encoder("static"), {"sts-b": (sts.run, load("sts-b"))})["sts-b"].scores()
    """
    return {name: run(encoder, data, name=name) for name, (run, data) in tasks.items()}


def check(lab: Lab) -> Evidence:
    """Words against static vectors in retrieval and similarity; then what any benchmark must know."""
    retrieval, sts = lab.judge("retrieval"), lab.judge("sts")

    def encoder(role: str) -> Any:
        return lambda run: lab.model(role)

    def reduced(run: Run) -> Any:
        static: Any = lab.model("static")
        return static.then(PCA(dimensions=64).fit(static.encode(lab.texts("sts", 2000))))

    def gap(judge: Judge) -> Any:
        return lambda encoder: float(abs(judge(encoder).value() - _PUBLISHED))

    def twice(run: Run) -> Any:
        first, again = (sts(lab.model("static")).items for _ in range(2))
        return np.asarray(first) - np.asarray(again)

    return lab.evidence(
        primary=lab.interaction(
            encoder("words"), encoder("static"), here=retrieval, there=sts, placebo=reduced,
            name="words are better at retrieval, not at similarity",
        ),
        guards=[
            lab.trend(ladder(encoder("static")), (0.0, 0.3, 0.6, 0.9), judge=sts, direction="falling",
                      name="planted noise comes out in order"),
            lab.same(copy(encoder("static")), encoder("static"), judge=sts, name="copies are not told apart"),
            lab.exact(encoder("base"), invariant=gap(sts), within=0.005, name="the published score of MiniLM returns"),
            lab.exact(twice, invariant=lambda found: float(np.abs(found).max()), within=0.0, name="twice the same"),
            *(lab.reported(encoder(one), judge=retrieval, name=f"retrieval, {one}") for one in ("words", "static")),
            *(lab.reported(encoder(one), judge=sts, name=f"sts, {one}") for one in ("words", "static", "base")),
            lab.reported(encoder("static"), judge=lab.judge("intents"), name="intents, static"),
        ],
        immune={"shuffled": "nothing is fitted but the probe on intents, which is only reported"},
    )  # fmt: skip
