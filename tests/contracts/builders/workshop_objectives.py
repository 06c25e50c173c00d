"""Objectives on vectors, scores and attention; those on tokens stand in a file of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from contract_parts import ObjectivePart

from isogloss.objectives import (
    adversarial,
    attention,
    classes,
    distillation,
    in_batch,
    margin,
    matryoshka,
    pairs,
    preference,
    ranking,
    regularizers,
)
from isogloss.objectives.both_ways import BothWays, nt_xent
from isogloss.objectives.combined import Combined
from isogloss.objectives.composition import Composed
from isogloss.objectives.contract import Batch
from isogloss.objectives.queue import MomentumQueue
from isogloss.objectives.sentence_transformers import FromSentenceTransformers
from isogloss.objectives.translation import Translations, UnpairedTranslation

objectives: dict[str, ObjectivePart] = {}

NO_PAIRS = {"right_is_lower": "it says nothing about which texts belong together"}
NO_ITEMS = {"weights": "its outputs have no row an item"}
DETACHED = {"finite_differences": "weights are taken without gradient on purpose; the part's own test has the gradient"}


def roll_outputs(outputs: Any, batch: Any) -> tuple[Any, Any]:
    """Pair each first column's item with the next item's other columns."""
    return (outputs[0], *(one.roll(1, 0) for one in outputs[1:])), batch


def roll_labels(outputs: Any, batch: Any) -> tuple[Any, Any]:
    """Give each item the next one's label."""
    return outputs, replace(batch, labels=batch.labels.roll(1, 0))


def roll_teacher(outputs: Any, batch: Any) -> tuple[Any, Any]:
    """Give each item what the teacher said of the next one."""
    taught = batch.extra["teacher"]
    rolled = tuple(one.roll(1, 0) for one in taught) if isinstance(taught, tuple) else taught.roll(1, 0)
    return outputs, replace(batch, extra={**batch.extra, "teacher": rolled})


def draw(seed: int, *shape: int) -> Any:
    drawn = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=drawn, dtype=torch.float64)


def leaves(*tensors: Any) -> Any:
    return tuple(one.clone().requires_grad_() for one in tensors)


def vectors(columns: int = 2, labels: Callable[..., Any] | None = None, extra: Callable[..., Any] | None = None):
    """The second column is near the first, others are anywhere."""

    def case(items: int, seed: int) -> tuple[Any, Any]:
        first = draw(seed, items, 8)
        outputs = leaves(first, *(
            (first + 0.3 * draw(seed + 1, items, 8)) if c == 1 else draw(seed + c, items, 8)
            for c in range(1, columns)
        ))  # fmt: skip
        fixed = tuple(one.detach().clone() for one in outputs)
        given = labels(*fixed) if labels else None
        return outputs, Batch(fixed, given, extra=extra(*fixed) if extra else {})

    return case


def grouped(items: int, seed: int) -> tuple[Any, Any]:
    """Items of two classes, near their class's centre."""
    kinds = (2 * torch.arange(items) >= items).long()
    outputs = leaves(3 * draw(100, 2, 8)[kinds] + draw(seed, items, 8))
    return outputs, Batch((outputs[0].detach().clone(),), kinds)


def softened(items: int, seed: int) -> tuple[Any, Any]:
    """The third column is a little less near than the second."""
    first = draw(seed, items, 8)
    outputs = leaves(first, first + 0.1 * draw(seed + 1, items, 8), first + 0.6 * draw(seed + 2, items, 8))
    return outputs, Batch(tuple(one.detach().clone() for one in outputs))


def graded(items: int, seed: int) -> tuple[Any, Any]:
    """Pairs whose label is their cosine."""
    left, mixed = draw(seed, items, 8), draw(seed + 1, items, 8)
    share = torch.linspace(0, 1, items, dtype=torch.float64)[:, None]
    right = share * left + (1 - share) * mixed
    labels = torch.nn.functional.cosine_similarity(left, right)
    return leaves(left, right), Batch((left, right), labels)


def binary(items: int, seed: int) -> tuple[Any, Any]:
    """Every other pair is near."""
    left, far = draw(seed, items, 8), draw(seed + 1, items, 8)
    kinds = torch.arange(items) % 2
    right = torch.where(kinds[:, None] == 1, left + 0.1 * far, far)
    return leaves(left, right), Batch((left, right), kinds)


def lists(items: int, seed: int) -> tuple[Any, Any]:
    """Scores of five candidates that follow their labels; the last candidate of the first list is not there."""
    labels = (torch.arange(5, dtype=torch.float64) / 4).repeat(items, 1).roll(seed, 1)
    scores = 4 * labels + 0.1 * draw(seed, items, 5)
    labels = labels.clone()
    labels[0, -1] = -1.0
    (outputs,) = leaves(scores)
    return outputs, Batch((scores,), labels)


def roll_candidates(outputs: Any, batch: Any) -> tuple[Any, Any]:
    return outputs.flip(1), batch


def listed(items: int, seed: int) -> tuple[Any, Any]:
    outputs, batch = vectors(4)(items, seed)
    labels = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64).repeat(items, 1)
    return outputs, replace(batch, labels=labels)


def taught(items: int, seed: int) -> tuple[Any, Any]:
    teacher = tuple(draw(seed + c, items, 2, 5, 4) for c in range(3))
    outputs = leaves(*(one + 0.1 * draw(seed + 9, items, 2, 5, 4) for one in teacher))
    lengths = torch.full((items,), 5).clamp_max(5)
    lengths[0] = 3
    return outputs, Batch((torch.zeros(items),), extra={"teacher": teacher, "lengths": lengths})


def maps(items: int, seed: int) -> tuple[Any, Any]:
    first = draw(seed, items, 3, 5, 5)
    outputs = tuple(one.softmax(-1).requires_grad_() for one in (first, first + 0.3 * draw(seed + 1, items, 3, 5, 5)))
    return outputs, Batch((torch.zeros(items),), extra={"lengths": torch.full((items,), 5)})


def scores(columns: int):
    def case(items: int, seed: int) -> tuple[Any, Any]:
        signs = [1.0, -1.0, *[0.0] * 6]
        outputs = leaves(*(2 * signs[c] + draw(seed + c, items) for c in range(columns)))
        return outputs, Batch((torch.zeros(items),))

    return case


def swap(outputs: Any, batch: Any) -> tuple[Any, Any]:
    return (outputs[1], outputs[0], *outputs[2:]), batch


def table(items: int, seed: int) -> tuple[Any, Any]:
    return (), Batch((torch.arange(items) % 3,))


def layers(items: int, seed: int) -> tuple[Any, Any]:
    (first, batch), (second, _) = vectors(2)(items, seed), vectors(2)(items, seed + 50)
    return {3: second, 6: first}, batch


def translated(items: int, seed: int) -> tuple[Any, Any]:
    """Images that are near their vectors, and scores of three critics."""
    first, second = draw(seed, items, 8), draw(seed + 1, items, 8)
    near = [leaves(*(one + 0.1 * draw(seed + k, items, 8) for one in (first, second))) for k in (2, 3, 4)]
    scores = leaves(*(1 + 0.1 * draw(seed + k, items) for k in (5, 6, 7)))
    made = (near[0][1], near[0][0])
    return Translations((first, second), made, near[1], near[2], scores), Batch((first, second))


def mistaken(outputs: Any, batch: Any) -> tuple[Any, Any]:
    """Give each item what was made of the next one."""
    images = {name: tuple(one.roll(1, 0) for one in getattr(outputs, name)) for name in ("made", "rebuilt", "returned")}
    return outputs._replace(**images), batch


def filled() -> Any:
    queue = MomentumQueue(size=4, width=8)
    queue.push(draw(77, 4, 8).float())
    return queue


class Theirs(torch.nn.Module):
    """A loss in the shape that sentence-transformers gives its own."""

    def compute_loss_from_embeddings(self, embeddings: Any, labels: Any) -> Any:
        """Return the mean squared difference."""
        return (embeddings[0] - embeddings[1]).square().mean()


soft = in_batch.InBatchSoftmax
teacher = {"extra": lambda first, *_: {"teacher": first}}
nearest = {"labels": lambda q, *d: 5 * torch.stack([(q * one).sum(1) for one in d], 1)}
built: dict[str, tuple[Any, ...]] = {
    "in_batch.InBatchSoftmax": (soft, vectors(), roll_outputs),
    "in_batch.InBatchSoftmax all ways": (
        lambda: soft(directions=in_batch.DIRECTIONS, joint=True), vectors(4), roll_outputs
    ),
    "in_batch.InBatchSoftmax each way": (
        lambda: soft(directions=in_batch.DIRECTIONS, angular_margin=0.2, margin=0.1), vectors(3), roll_outputs
    ),
    "in_batch.InBatchSoftmax focal queue": (lambda: soft(focal=2.0, queue=filled()), vectors(), roll_outputs),
    "in_batch.InBatchSoftmax hardness": (
        lambda: soft(hardness=3.0, hardness_on="all"), vectors(3), roll_outputs, DETACHED
    ),
    "in_batch.InBatchSoftmax guided": (
        soft, vectors(3, extra=lambda *all_: {"guide": torch.stack(all_, 1)}), roll_outputs
    ),
    "in_batch.LearnedTemperature": (lambda: in_batch.LearnedTemperature(soft()), vectors(3), roll_outputs),
    "pairs.CosineRegression": (pairs.CosineRegression, graded, roll_labels),
    "pairs.OrderedPairs": (pairs.OrderedPairs, graded, roll_labels),
    "pairs.OrderedPairs angle": (lambda: pairs.OrderedPairs(similarity="angle"), graded, None, NO_PAIRS),
    "pairs.PairClassification": (lambda: pairs.PairClassification(width=8, classes=2, product=True), binary, None, {
        "right_is_lower": "its head is drawn at random: nothing is right before it has learned"
    }),
    "pairs.ContrastivePairs": (pairs.ContrastivePairs, binary, roll_labels),
    "pairs.ContrastivePairs online": (lambda: pairs.ContrastivePairs(online=True), binary, roll_labels),
    "margin.Triplet": (margin.Triplet, vectors(4), roll_outputs),
    "margin.Triplet soft": (lambda: margin.Triplet(soft=True, distance="cosine"), vectors(3), roll_outputs),
    "margin.EnergyHinge": (lambda: margin.EnergyHinge(margin=0.6), vectors(3), roll_outputs),
    "margin.TwoMargins": (lambda: margin.TwoMargins(above=0.99, below=0.1), vectors(2), roll_outputs),
    "margin.SoftNegatives": (margin.SoftNegatives, softened, roll_outputs),
    "classes.BatchTriplet": (classes.BatchTriplet, grouped, None),
    "classes.BatchTriplet semi-hard": (lambda: classes.BatchTriplet(mining="semi_hard"), grouped, None),
    "classes.BatchTriplet all": (lambda: classes.BatchTriplet(mining="all", soft=True), grouped, None),
    "classes.Circle": (lambda: classes.Circle(scale=5.0), grouped, None, DETACHED),
    "classes.MultiSimilarity": (classes.MultiSimilarity, grouped, None),
    "classes.ClassMargin": (lambda: classes.ClassMargin(width=8, classes=2, scale=8.0), grouped, None, {
        "right_is_lower": "its class vectors are drawn at random: nothing is right before they have learned"
    }),
    "combined.Combined": (lambda: Combined({"a": (1.0, soft()), "b": (0.5, in_batch.LearnedTemperature(soft()))}),
                          vectors(), roll_outputs),
    "both_ways.BothWays": (lambda: BothWays(inner=soft()), vectors(), roll_outputs),
    "both_ways.BothWays NT-Xent": (nt_xent, vectors(), roll_outputs),
    "composition.Composed": (Composed, vectors(3), roll_outputs),
    "matryoshka.Matryoshka": (lambda: matryoshka.Matryoshka(soft(), widths=(2, 4, 8)), vectors(3), roll_outputs),
    "matryoshka.LayerMatryoshka": (lambda: matryoshka.LayerMatryoshka(soft()), layers,
                                   lambda o, b: ({k: roll_outputs(v, b)[0] for k, v in o.items()}, b), DETACHED),
    "distillation.ScoreDivergence": (distillation.ScoreDivergence, vectors(4, **nearest), roll_labels),
    "distillation.MarginRegression": (distillation.MarginRegression, vectors(4, **nearest), roll_labels),
    "distillation.FeatureDistillation": (distillation.FeatureDistillation, vectors(2, **teacher), roll_teacher),
    "distillation.FeatureDistillation projected": (
        lambda: distillation.FeatureDistillation(error="cosine", width=8, teacher_width=3),
        vectors(2, extra=lambda first, *_: {"teacher": first[:, :3]}), None,
        {"right_is_lower": "its projection is drawn at random: nothing is right before it has learned"},
    ),
    "distillation.RelationalDistillation": (
        distillation.RelationalDistillation, vectors(1, **teacher), roll_teacher
    ),
    "distillation.TableRegression": (
        lambda: distillation.TableRegression(draw(1, 3, 8), draw(2, 3, 8)), table, None, {
            **NO_PAIRS, **NO_ITEMS,
            "finite_differences": "no outputs; its table is trained in the part's own test",
            "extremes": "no outputs", "permutation": "no outputs",
        },
    ),
    "ranking.CandidateScores": (
        lambda: ranking.CandidateScores(inner=ranking.ListWise()), listed,
        lambda o, b: (o, replace(b, labels=b.labels.flip(1))),
    ),
    "ranking.Pointwise": (ranking.Pointwise, lists, roll_candidates),
    "ranking.Pairwise": (ranking.Pairwise, lists, roll_candidates),
    "ranking.Pairwise lambda": (lambda: ranking.Pairwise(kind="lambda"), lists, roll_candidates),
    "ranking.Pairwise hinge": (lambda: ranking.Pairwise(kind="hinge"), lists, roll_candidates),
    "ranking.ListWise": (ranking.ListWise, lists, roll_candidates),
    "ranking.ListWise listnet": (lambda: ranking.ListWise(kind="listnet"), lists, roll_candidates),
    "ranking.ListWise listmle": (lambda: ranking.ListWise(kind="listmle"), lists, roll_candidates),
    "regularizers.AlignmentUniformity": (regularizers.AlignmentUniformity, vectors(), roll_outputs),
    "regularizers.BarlowTwins": (regularizers.BarlowTwins, vectors(), roll_outputs),
    "regularizers.VICReg": (regularizers.VICReg, vectors(), roll_outputs),
    "regularizers.Sparsity": (regularizers.Sparsity, vectors(), None, NO_PAIRS),
    "regularizers.Sparsity l0": (lambda: regularizers.Sparsity(kind="l0"), vectors(), None, NO_PAIRS),
    "regularizers.Sparsity l1": (lambda: regularizers.Sparsity(kind="l1"), vectors(), None, NO_PAIRS),
    "regularizers.Spread": (regularizers.Spread, vectors(), None, NO_PAIRS),
    "sentence_transformers.FromSentenceTransformers": (
        lambda: FromSentenceTransformers(Theirs()), vectors(), roll_outputs
    ),
    "attention.AttentionTransfer": (attention.AttentionTransfer, taught, roll_teacher),
    "attention.AttentionMutualInformation": (attention.AttentionMutualInformation, maps, roll_outputs, {
        "extremes": "its outputs are probabilities; the part's own test has constant and equal maps"
    }),
    "adversarial.DiscriminatorLoss": (adversarial.DiscriminatorLoss, scores(2), swap),
    "adversarial.DiscriminatorLoss logistic": (
        lambda: adversarial.DiscriminatorLoss(game="nonsaturating", penalty=1.0), scores(3), swap
    ),
    "adversarial.GeneratorLoss": (adversarial.GeneratorLoss, scores(2), None, NO_PAIRS),
    "translation.UnpairedTranslation": (UnpairedTranslation, translated, mistaken),
    "preference.DirectPreference": (preference.DirectPreference, scores(4), swap),
    "preference.DirectPreference squared": (
        lambda: preference.DirectPreference(kind="squared"), scores(4), swap
    ),
}  # fmt: skip
free = {
    "in_batch",
    "both_ways",
    "classes.ClassMargin",
    "pairs.CosineRegression",
    "pairs.OrderedPairs",
    "matryoshka.Matryoshka",
}
for name, (make, case, wrong, *rest) in built.items():
    shuffled = roll_labels if wrong is None and case is grouped else wrong
    scale_free = name.split(" ")[0] in free or name.split(".")[0] in free
    objectives[f"objectives.{name}"] = ObjectivePart(make, case, shuffled, scale_free, dict(*rest))
