"""HPD: Compressing Sentence Representation via Homomorphic Projective Distillation (Zhao et al., 2022).

A good encoder's vectors are cut to their principal components; a student of few layers and a linear map learns them of
plain sentences by the squared error. Here its map begins at ridge regression: a few dozen steps would not find it.
"""

from functools import cache, partial
from typing import Any

from isogloss.objectives.distillation import FeatureDistillation
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.fine_tuning import fine_tune
from isogloss.training.models import keep_layers
from isogloss.training.students import regressed
from isogloss.training.trained_encoder import TrainedEncoder
from isogloss.transforms.projection import PCA
from isogloss.transforms.random_projection import RandomProjection

CARD = Card(
    slug="hpd", seed=199,
    title="Compressing Sentence Representation for Semantic Retrieval via Homomorphic Projective Distillation",
    year=2022, url="https://arxiv.org/abs/2203.07687", family="compression-and-storage", sort="method",
    claim="Two layers that learn a teacher's principal components rank pairs of sentences better than the same layers, "
    "cut to their own components.",
    regime="A good encoder of many layers, and plain sentences of any kind.",
    baseline="the same two layers' mean states, cut to their own 128 principal components",
    placebo="the same lesson with the components of other sentences", fidelity="same kind",
    needs={"teacher": "minilm", "base": "minilm-3", "sts": "sts-b", "more": "snli"}, margin=0.05, minutes=4,
    deviations=("MiniLM as teacher, two layers of it and 2,000 sentences instead of SimCSE-RoBERTa and a million",
                "40 steps of 64 sentences, from the map of ridge regression; no sentences with replaced words",
                "work is counted, not timed"))  # fmt: skip
_EACH = 1000


def make(base: Any, texts: list[str], targets: Any, *, layers: int = 2, steps: int = 40, batch_size: int = 64,
         learning_rate: float = 2e-4, seed: int = 0) -> TrainedEncoder:  # fmt: skip
    """Return a student of the first ``layers`` of ``base``, which is changed in place, with short vectors.

    ``texts`` are sentences, ``targets`` the teacher's vectors of them, cut to principal components. The rest is of the
    training; without ``steps`` the student is a map of ridge regression over untrained layers.
    """
    student = regressed(base, texts, targets, layers=layers)
    if not steps:
        return student
    how: Any = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate}
    return fine_tune(student, [texts], FeatureDistillation(), labels=targets, seed=seed, **how)


def check(lab: Lab) -> Evidence:
    """Students of principal components, of random ones and of other sentences', and the layers without a lesson."""
    teacher, sts = lab.model("teacher"), lab.judge("sts")
    found = [lab.texts(role) for role in ("sts", "more")]
    texts = [text for every in found for text in every[:: len(every) // _EACH][:_EACH]]
    vectors = cache(lambda: teacher.encode(texts))
    components = cache(lambda: PCA(dimensions=128).fit(vectors()))

    def student(run: Run, kind: str = "principal", **how: Any) -> Any:
        turn = RandomProjection(dimensions=128, seed=run.seed).fit(vectors()) if kind == "random" else components()
        targets = turn.transform(vectors())
        targets = lab.rng(run, "targets").permutation(targets) if kind == "others" else targets
        return make(lab.model("base", run).fresh(), texts, targets, seed=run.seed, **how)

    def untaught(run: Run) -> Any:
        layers = TrainedEncoder.of(keep_layers(lab.model("base", run).trainable, range(2)))
        return layers.then(PCA(dimensions=128).fit(layers.encode(texts)))

    def whole(run: Run) -> Any:
        return teacher

    def cut(run: Run) -> Any:
        return teacher.then(components())

    score = cache(lambda: sts(teacher).value())

    def share_lost(made: Any) -> float:
        return 1 - sts(made).value() / score()

    others, random, begun = partial(student, kind="others"), partial(student, kind="random"), partial(student, steps=0)
    return lab.evidence(
        primary=lab.better(student, untaught, others, judge=sts, name="taught over cut"),
        guards=[lab.cheaper(student, whole, judge=sts, cost="multiply_adds", factor=2, margin=0.08,
                            name="half the work for nine tenths of the score"),
                lab.exact(cut, invariant=share_lost, within=0.02, broken=untaught,
                          name="the teacher cut to 128 numbers"),
                lab.better(student, random, others, judge=sts, margin=0.005, name="principal over random components"),
                lab.reported(begun, judge=sts, name="the map of ridge regression alone")],
        immune={"shuffled": "the lesson is the teacher's vector of whatever stands there: mixed-up words teach, too"},
    )  # fmt: skip
