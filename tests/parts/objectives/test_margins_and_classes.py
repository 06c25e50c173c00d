"""Margins on triplets and on classes: by hand, brute force, and as sentence-transformers has them."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.classes import BatchTriplet, Circle, ClassMargin, MultiSimilarity  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.margin import EnergyHinge, SoftNegatives, Triplet, TwoMargins, hardest  # noqa: E402

DRAWN = torch.Generator().manual_seed(1)
A, P, N, M = (torch.randn(9, 5, generator=DRAWN, dtype=torch.float64) for _ in range(4))
CLASSES = torch.tensor([0, 0, 1, 1, 2, 2, 0, 1, 2])


def their_losses():
    return pytest.importorskip("sentence_transformers.sentence_transformer.losses")


def value(objective, columns, labels=None, **more):
    return objective(columns, Batch(columns, labels, **more))


@pytest.mark.parametrize(
    ("distance", "name"), [("euclidean", "EUCLIDEAN"), ("cosine", "COSINE"), ("manhattan", "MANHATTAN")]
)
def test_triplets_as_theirs(distance, name):
    losses = their_losses()
    metric = getattr(losses.TripletDistanceMetric, name)
    theirs = losses.TripletLoss(None, distance_metric=metric, triplet_margin=1.5)
    expected = float(theirs.compute_loss_from_embeddings([A, P, N], None))
    assert float(value(Triplet(distance=distance, margin=1.5), (A, P, N)).mean()) == pytest.approx(expected, 1e-5)


def test_triplets_by_hand():
    a, p, n = torch.tensor([[0.0]]), torch.tensor([[1.0]]), torch.tensor([[3.0]])
    assert float(value(Triplet(margin=2.5), (a, p, n, p)).mean()) == pytest.approx((0.5 + 2.5) / 2)
    soft = float(value(Triplet(margin=0.0, soft=True), (a, p, n)).mean())
    assert soft == pytest.approx(math.log1p(math.exp(-2)), abs=1e-6)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_triplets_of_a_batch_as_theirs(distance):
    losses = their_losses()
    functions = losses.BatchHardTripletLossDistanceFunction
    metric = functions.euclidean_distance if distance == "euclidean" else functions.cosine_distance
    pairs = {
        "BatchHardTripletLoss": BatchTriplet(mining="hard", distance=distance, margin=0.7),
        "BatchSemiHardTripletLoss": BatchTriplet(mining="semi_hard", distance=distance, margin=0.7),
        "BatchAllTripletLoss": BatchTriplet(mining="all", distance=distance, margin=0.7),
    }
    for name, ours in pairs.items():
        theirs = getattr(losses, name)(None, distance_metric=metric, margin=0.7)
        expected = float(theirs.compute_loss_from_embeddings([A], CLASSES))
        assert float(value(ours, (A,), CLASSES).mean()) == pytest.approx(expected, 1e-6), name
    theirs = losses.BatchHardSoftMarginTripletLoss(None, distance_metric=metric)
    soft = BatchTriplet(mining="hard", soft=True, margin=0.0, distance=distance)
    expected = float(theirs.compute_loss_from_embeddings([A], CLASSES))
    assert float(value(soft, (A,), CLASSES).mean()) == pytest.approx(expected, 1e-6)


def test_items_without_partner_do_not_count():
    x = torch.tensor([[0.0], [1.0], [3.0]])
    lone = value(BatchTriplet(margin=2.5), (x,), torch.tensor([0, 0, 1]))
    assert lone.weights.tolist() == [1.0, 1.0, 0.0]
    assert float(lone.mean()) == 1.0
    for mining in ("all", "hard", "semi_hard"):
        assert float(value(BatchTriplet(mining=mining), (x,), torch.tensor([0, 0, 0])).mean()) == 0.0
        assert float(value(BatchTriplet(mining=mining), (x,), torch.tensor([0, 1, 2])).mean()) == 0.0


def test_hardest_by_brute_force():
    cosine = torch.nn.functional.cosine_similarity
    keys = torch.arange(27).reshape(9, 3)
    keys[4, 1] = keys[0, 0]
    expected = []
    for i in range(9):
        candidates = [cosine(A[i], P[j], dim=0) for j in range(9) if j != i and not (i == 0 and j == 4)]
        expected.append(max([*candidates, *(cosine(A[i], N[j], dim=0) for j in range(9))]))
    torch.testing.assert_close(hardest((A, P, N), Batch((A, P, N), keys=keys)), torch.stack(expected))
    own = hardest((A, P, N, M), Batch((A, P, N, M)), own_only=True)
    torch.testing.assert_close(own, torch.maximum(cosine(A, N), cosine(A, M)))


def test_hinges():
    losses = their_losses()
    theirs = losses.MegaBatchMarginLoss(None, use_mini_batched_version=False)
    two = float(value(TwoMargins(), (A, P)).mean())
    assert two == pytest.approx(float(theirs.calculate_loss([[A], [P]])))
    cosine = torch.nn.functional.cosine_similarity
    by_hand = (0.2 - cosine(A, P) + hardest((A, P), Batch((A, P)))).clamp_min(0)
    torch.testing.assert_close(value(EnergyHinge(margin=0.2), (A, P)).values, by_hand)
    alone = value(EnergyHinge(), (A[:1], P[:1]))
    assert float(alone.mean()) == 0.0
    gap = cosine(A, P) - cosine(A, N)
    band = (0.1 - gap).clamp_min(0) + (gap - 0.3).clamp_min(0)
    torch.testing.assert_close(value(SoftNegatives(), (A, P, N)).values, band)


def test_circle_by_brute_force():
    m, gamma = 0.25, 6.0
    similar = torch.nn.functional.cosine_similarity(A[:, None], A[None], dim=2)
    expected = []
    for i in range(9):
        inside = sum(math.exp(-gamma * max(0, 1 + m - s) * (s - 1 + m)) for j, s in enumerate(similar[i].tolist())
                     if j != i and CLASSES[i] == CLASSES[j])  # fmt: skip
        outside = sum(math.exp(gamma * max(0, s + m) * (s - m)) for j, s in enumerate(similar[i].tolist())
                      if CLASSES[i] != CLASSES[j])  # fmt: skip
        expected.append(math.log1p(inside * outside))
    assert value(Circle(scale=gamma), (A,), CLASSES).values.tolist() == pytest.approx(expected)
    x = A.clone().requires_grad_()
    value(Circle(scale=gamma), (x,), CLASSES).mean().backward()
    pulled = x - 0.05 * x.grad
    assert float(value(Circle(scale=gamma), (pulled,), CLASSES).mean().detach()) < float(sum(expected) / 9)


def test_multi_similarity_by_brute_force():
    objective = MultiSimilarity(alpha=3.0, beta=7.0, base=0.2, epsilon=0.3)
    similar = torch.nn.functional.cosine_similarity(A[:, None], A[None], dim=2)
    expected = []
    for i in range(9):
        right = [float(similar[i, j]) for j in range(9) if j != i and CLASSES[i] == CLASSES[j]]
        wrong = [float(similar[i, j]) for j in range(9) if CLASSES[i] != CLASSES[j]]
        inside = sum(math.exp(-3 * (s - 0.2)) for s in right if s - 0.3 < max(wrong))
        outside = sum(math.exp(7 * (s - 0.2)) for s in wrong if s + 0.3 > min(right))
        expected.append(math.log1p(inside) / 3 + math.log1p(outside) / 7)
    assert value(objective, (A,), CLASSES).values.tolist() == pytest.approx(expected)


def test_class_margins_by_hand():
    torch.manual_seed(0)
    plain = ClassMargin(width=5, classes=3, angular=0.0, scale=4.0).double()
    cosines = torch.nn.functional.cosine_similarity(A[:, None], plain.centres[None], dim=2)
    whole = torch.nn.functional.cross_entropy(4 * cosines, CLASSES, reduction="none")
    torch.testing.assert_close(value(plain, (A,), CLASSES).values, whole)
    plain.angular, plain.additive, plain.multiplied = 0.3, 0.1, 1.1
    right = cosines.gather(1, CLASSES[:, None])
    turned = torch.cos((1.1 * right.acos() + 0.3).clamp_max(math.pi)) - 0.1
    logits = 4 * cosines.scatter(1, CLASSES[:, None], turned)
    expected = torch.nn.functional.cross_entropy(logits, CLASSES, reduction="none")
    torch.testing.assert_close(value(plain, (A,), CLASSES).values, expected)
    with pytest.raises(UsageError, match="3 classes"):
        value(plain, (A,), CLASSES + 1)


def test_clear_errors():
    with pytest.raises(UsageError, match="at least 3 columns"):
        value(Triplet(), (A, P))
    with pytest.raises(UsageError, match="at least 3 columns"):
        value(EnergyHinge(own_only=True), (A, P))
    with pytest.raises(UsageError, match="needs labels"):
        value(BatchTriplet(), (A,))
