"""Starbucks: Improved Training for 2D Matryoshka Embeddings (Zhuang, Wang, Koopman, Zuccon, 2024).

Each layer of a ladder has a width fixed in advance; every step counts the objective at all rungs and draws each towards
the whole model's similarities, where 2D Matryoshka draws one layer and one width. Masked pre-training is left out.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from isogloss.corpus.examples import ScoredPairs
from isogloss.encoders.sub_models import sub_models
from isogloss.evaluation.mean_correlation import spearman_over
from isogloss.evaluation.sample import Sample
from isogloss.objectives.pairs import OrderedPairs
from isogloss.objectives.sub_models import DrawnCross, DrawnRungs, FixedLadder, Rung, SubModels
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.layered import fine_tune_layers
from isogloss.training.trained_encoder import TrainedEncoder

CARD = Card(
    slug="starbucks", seed=59, title="Starbucks: Improved Training for 2D Matryoshka Embeddings", year=2024,
    url="https://arxiv.org/abs/2410.13230", family="compression-and-storage", sort="method",
    claim="The small models of a ladder that is trained whole at every step rank pairs of sentences better than those "
    "of a model trained at one drawn layer and width a step.",
    regime="Sentence pairs with scores; sizes that are known before the training.",
    baseline="2D Matryoshka: one layer and one width drawn at every step",
    placebo="as many rungs at every step, each of a drawn layer and a drawn width",
    fidelity="same kind",
    needs={"base": "minilm-3", "sts": "sts-b"},
    margin=0.01, minutes=5,
    deviations=(
        "three layers: rungs (1, 64), (2, 192) and (3, 384) instead of six; judged by the mean over the small two",
        "24 steps of 48 pairs of STS-B by the order of scores (CoSENT), the token table at rest; half of its test",
        "without retrieval, masked pre-training (SMAE) of the rungs, and an arm that leaves the divergence out",
    ),
)  # fmt: skip
_LADDER: tuple[Rung, ...] = ((1, 64), (2, 192), (3, 384))
_TRAINING: Any = {"steps": 24, "batch_size": 48, "learning_rate": 2e-4, "words": False}


def make(
    base: TrainedEncoder, columns: Sequence[Sequence[str]], scores: Any,
    *, ladder: Sequence[Rung] = ((2, 64), (4, 192), (6, 384)), alignment: float = 1.0, seed: int = 0, **training: Any,
) -> TrainedEncoder:  # fmt: skip
    """Return ``base``, tuned in place at all rungs of ``ladder``; ``sub_models`` gives it at each of them.

    A rung is layers and a width, the whole model last. ``columns`` are left and right texts, ``scores`` how alike they
    are; ``alignment`` weighs each rung's divergence from the whole model; the rest is for ``fine_tune_layers``.
    """
    objective = SubModels(OrderedPairs(), FixedLadder(tuple(ladder)), alignment=alignment)
    return fine_tune_layers(base, columns, objective, labels=scores, seed=seed, **training)


def check(lab: Lab) -> Evidence:
    """Train a ladder, 2D Matryoshka, as many drawn rungs, a model for each rung, and nothing; judge the small rungs."""
    pairs, judged = lab.data("sts", "train"), lab.data("sts")
    columns, small, whole = [pairs.left, pairs.right], _LADDER[:-1], _LADDER[-1:]
    half = ScoredPairs(judged.left[::2], judged.right[::2], judged.scores[::2], judged.groups[::2])
    layers, widths = (tuple(one) for one in zip(*small, strict=True))

    def fixed(run: Run, ladder: Sequence[Rung] = _LADDER) -> Any:
        base, settings = lab.model("base", run).fresh(), {"ladder": ladder, "seed": run.seed, **_TRAINING}
        return sub_models(make(base, columns, pairs.scores, **settings), _LADDER)

    def drawn(run: Run, rungs: Any) -> Any:
        base, objective = lab.model("base", run).fresh(), SubModels(OrderedPairs(), rungs)
        tuned = fine_tune_layers(base, columns, objective, labels=pairs.scores, seed=run.seed, **_TRAINING)
        return sub_models(tuned, _LADDER)

    def apart(run: Run) -> Any:
        return {rung: fixed(run, (rung,))[rung] for rung in small}

    def untrained(run: Run) -> Any:
        return sub_models(lab.model("base", run), _LADDER)

    def at(made: Any, rungs: Sequence[Rung] = small) -> Sample:
        return spearman_over([made[rung] for rung in rungs], half)

    matryoshka = partial(drawn, rungs=DrawnCross(layers, widths, whole[0]))
    as_many = partial(drawn, rungs=DrawnRungs(layers, widths, len(small), whole[0]))
    return lab.evidence(
        lab.better(fixed, matryoshka, as_many, judge=at, name="small rungs: ladder over 2D Matryoshka"),
        [lab.not_worse(fixed, apart, judge=at, margin=0.02, name="small rungs: not worse than own models"),
         lab.reported(untrained, judge=at, name="small rungs, untrained"),
         lab.reported(fixed, judge=partial(at, rungs=whole), name="whole"),
         lab.reported(matryoshka, judge=partial(at, rungs=whole), name="whole, 2D Matryoshka")],
    )  # fmt: skip
