"""2D Matryoshka Sentence Embeddings (Li, Li, Li, Xie, Li, 2024).

One encoder for many budgets: at every step a layer and a width are drawn, and the objective counts four times: for the
whole vectors, for those of the drawn layer, for the first numbers of both. The drawn sub-models are drawn towards the
whole model's similarities. Afterwards upper layers and last numbers are cut away without any further training.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from isogloss.encoders.sub_models import sub_models
from isogloss.evaluation.sample import Sample
from isogloss.objectives.pairs import OrderedPairs
from isogloss.objectives.sub_models import DrawnCross, FixedLadder, SubModels
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.layered import fine_tune_layers
from isogloss.training.trained_encoder import TrainedEncoder

CARD = Card(
    slug="2dmse", seed=111, title="2D Matryoshka Sentence Embeddings", year=2024,
    url="https://arxiv.org/abs/2402.14776", family="compression-and-storage", sort="method",
    claim="Cut to a low layer and few numbers, a model tuned at drawn layers and widths ranks pairs of sentences "
    "better than one tuned at the same widths of its last layer alone.",
    regime="Sentence pairs with scores; a pre-trained transformer; upper layers cut away after the training.",
    baseline="Matryoshka at the last layer: all widths at every step",
    placebo="the same draws and terms, at the embeddings below all layers instead of at a layer",
    fidelity="same kind",
    needs={"base": "minilm-3", "sts": "sts-b"},
    margin=0.03, minutes=5,
    deviations=(
        "three layers; judged at layer 1 and 64 numbers (layer 3 of 6 in the proposal), at layer 2 in a guard",
        "24 steps of 48 pairs of STS-B by the order of scores (CoSENT) alone, the token table at rest",
        "the divergence is that of similarities within the batch; no arm leaves it out, and clocks are not judged",
    ),
)  # fmt: skip
_RUNGS = ((1, 64), (2, 64), (3, 384))
_WIDTHS, _WHOLE = (16, 32, 64, 128), (3, 384)
_TRAINING: Any = {"steps": 24, "batch_size": 48, "learning_rate": 2e-4, "words": False}


def make(
    base: TrainedEncoder, columns: Sequence[Sequence[str]], scores: Any, *, layers: Sequence[int] | None = None,
    widths: Sequence[int] = (8, 16, 32, 64, 128, 256), alignment: float = 1.0, seed: int = 0, **training: Any,
) -> TrainedEncoder:  # fmt: skip
    """Return the encoder, tuned to be cut; ``sub_models`` gives it at any layer and width.

    Parameters
    ----------
    base, columns, scores
        An encoder, which is changed in place; left and right texts, and how alike they are.
    layers, widths, alignment
        What is drawn from, all layers below the last one where None; weight of the divergence from the whole model.
    seed, training
        Seed, and settings of ``fine_tune_layers``: ``steps``, ``batch_size``, ``learning_rate``, ``words``.
    """
    depth = len(base.model.transformer.layers)
    drawn = DrawnCross(tuple(layers or range(1, depth)), tuple(widths), (depth, base.dimensions))
    objective = SubModels(OrderedPairs(), drawn, alignment=alignment)
    return fine_tune_layers(base, columns, objective, labels=scores, seed=seed, **training)


def check(lab: Lab) -> Evidence:
    """Tune layers and widths, widths alone, the whole alone, and the embeddings in place of layers; judge them cut."""
    pairs, sts = lab.data("sts", "train"), lab.judge("sts")
    columns = [pairs.left, pairs.right]

    def both(run: Run, layers: Sequence[int] = (1, 2)) -> Any:
        base, settings = lab.model("base", run).fresh(), {"widths": _WIDTHS, "seed": run.seed, **_TRAINING}
        return sub_models(make(base, columns, pairs.scores, layers=layers, **settings), _RUNGS)

    def last(run: Run, widths: Sequence[int]) -> Any:
        objective = SubModels(OrderedPairs(), FixedLadder(tuple((3, width) for width in widths)), alignment=0.0)
        base = lab.model("base", run).fresh()
        tuned = fine_tune_layers(base, columns, objective, labels=pairs.scores, seed=run.seed, **_TRAINING)
        return sub_models(tuned, _RUNGS)

    def at(made: Any, rung: tuple[int, int] = (1, 64)) -> Sample:
        return sts(made[rung])

    widths_alone, plain = partial(last, widths=(*_WIDTHS, 384)), partial(last, widths=(384,))
    embeddings, second, whole = partial(both, layers=(0,)), partial(at, rung=(2, 64)), partial(at, rung=_WHOLE)
    return lab.evidence(
        lab.better(both, widths_alone, embeddings, judge=at, name="layer 1, 64 numbers: over widths alone"),
        [lab.better(both, widths_alone, embeddings, judge=second, name="layer 2, 64 numbers: over widths alone"),
         lab.better(both, plain, embeddings, judge=at, margin=0.05, name="layer 1, 64 numbers: over plain tuning"),
         lab.not_worse(both, plain, judge=whole, margin=0.015, name="whole: not worse than plain tuning")],
    )  # fmt: skip
