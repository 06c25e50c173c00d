"""Losses on pairs: by hand and as sentence-transformers has them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.combined import Combined  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.pairs import (  # noqa: E402
    ContrastivePairs,
    CosineRegression,
    OrderedPairs,
    PairClassification,
    order_loss,
    pair_features,
)

DRAWN = torch.Generator().manual_seed(0)
U, V = (torch.randn(12, 7, generator=DRAWN, dtype=torch.float64) for _ in range(2))
SCORES = torch.rand(12, generator=DRAWN, dtype=torch.float64).round(decimals=1)
KINDS = torch.arange(12) % 2


def theirs(name, labels, **options):
    losses = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    return float(getattr(losses, name)(None, **options).compute_loss_from_embeddings([U, V], labels))


def ours(objective, labels):
    return objective((U, V), Batch((U, V), labels))


def test_by_hand():
    one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8]])
    batch = Batch((one, other), torch.tensor([1.0]))
    values = {error: float(CosineRegression(error=error)((one, other), batch).mean()) for error in
              ("squared", "absolute", "huber")}  # fmt: skip
    assert values == pytest.approx({"squared": 0.16, "absolute": 0.4, "huber": 0.08})
    scores = torch.tensor([0.1, 0.5, 0.3])
    labels = torch.tensor([2.0, 1.0, 1.0])  # 0 is above 1 and 2
    assert float(order_loss(scores, labels)) == pytest.approx(math.log(1 + math.exp(0.4) + math.exp(0.2)), abs=1e-6)
    apart = ContrastivePairs(distance="euclidean", margin=1.0)
    far = apart((one, other), Batch((one, other), torch.tensor([1])))
    near = apart((one, other), Batch((one, other), torch.tensor([0])))
    distance = math.sqrt(0.4**2 + 0.8**2)
    assert float(far.values[0]) == pytest.approx(distance**2 / 2)
    assert float(near.values[0]) == pytest.approx((1 - distance) ** 2 / 2)


def test_as_sentence_transformers():
    assert float(ours(CosineRegression(), SCORES).mean()) == pytest.approx(theirs("CosineSimilarityLoss", SCORES), 1e-6)
    assert float(ours(OrderedPairs(), SCORES).mean()) == pytest.approx(theirs("CoSENTLoss", SCORES))
    assert float(ours(OrderedPairs(similarity="angle"), SCORES).mean()) == pytest.approx(theirs("AnglELoss", SCORES))
    assert float(ours(ContrastivePairs(), KINDS).mean()) == pytest.approx(theirs("ContrastiveLoss", KINDS), 1e-6)
    for labels in (KINDS, torch.ones_like(KINDS), torch.zeros_like(KINDS)):
        total = float(ours(ContrastivePairs(online=True, margin=1.2), labels).totals()[0])
        assert total == pytest.approx(theirs("OnlineContrastiveLoss", labels, margin=1.2), 1e-6)


def test_a_head_of_pairs_is_theirs():
    torch.manual_seed(0)
    objective = PairClassification(width=7, classes=3, product=True).double()
    classes = torch.arange(12) % 3
    features = torch.cat([U, V, (U - V).abs(), U * V], 1)
    expected = torch.nn.functional.cross_entropy(objective.head(features), classes, reduction="none")
    torch.testing.assert_close(ours(objective, classes).values, expected)
    smooth = PairClassification(width=7, classes=3, smoothing=0.3).double()
    logs = smooth.head(torch.cat([U, V, (U - V).abs()], 1)).log_softmax(1)
    by_hand = -(0.7 * logs.gather(1, classes[:, None])[:, 0] + 0.1 * logs.sum(1))
    torch.testing.assert_close(ours(smooth, classes).values, by_hand)
    blind = PairClassification(width=7, classes=3, difference=False).double()  # sees u and v, not how far apart
    expected = torch.nn.functional.cross_entropy(blind.head(torch.cat([U, V], 1)), classes, reduction="none")
    torch.testing.assert_close(ours(blind, classes).values, expected)
    seen = [pair_features(U, V, difference=a, product=b).shape[1] for a in (True, False) for b in (True, False)]
    assert seen == [4 * 7, 3 * 7, 3 * 7, 2 * 7]


def test_a_head_learns():
    torch.manual_seed(0)
    objective = PairClassification(width=7, classes=2).double()
    kinds = (torch.nn.functional.cosine_similarity(U, V) > 0).long()
    mover = torch.optim.Adam(objective.parameters(), lr=0.05)
    first = float(ours(objective, kinds).mean().detach())
    for _ in range(100):
        mover.zero_grad()
        ours(objective, kinds).mean().backward()
        mover.step()
    assert float(ours(objective, kinds).mean().detach()) < first / 2


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 3)), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_an_order_is_all_its_pairs(rows):
    scores = torch.tensor([score for score, _ in rows], dtype=torch.float64)
    labels = torch.tensor([label for _, label in rows])
    brute = sum(math.exp(b - a) for a, i in rows for b, j in rows if i > j)
    assert float(order_loss(scores, labels)) == pytest.approx(math.log1p(brute), abs=1e-9)


def test_a_combination_is_the_sum_of_its_parts():
    both = Combined({"cosine": (1.0, OrderedPairs()), "angle": (0.5, OrderedPairs(similarity="angle"))})
    parts = [float(ours(one, SCORES).mean()) for one in (OrderedPairs(), OrderedPairs(similarity="angle"))]
    assert float(ours(both, SCORES).mean()) == pytest.approx(parts[0] + 0.5 * parts[1])
    head = Combined({"head": (1.0, PairClassification(width=7, classes=2))})
    assert len(list(head.parameters())) == 2
    with pytest.raises(UsageError, match="at least one part"):
        Combined({})


def test_clear_errors():
    with pytest.raises(UsageError, match="needs labels"):
        ours(OrderedPairs(), None)
    with pytest.raises(UsageError, match="11 labels, 12 items"):
        ours(CosineRegression(), SCORES[:-1])
    with pytest.raises(UsageError, match="1 of 12 are NaN"):
        ours(CosineRegression(), SCORES.index_fill(0, torch.tensor([4]), torch.nan))
    with pytest.raises(UsageError, match="labels 0 and 1"):
        ours(ContrastivePairs(), KINDS + 1)
    with pytest.raises(UsageError, match="knows 2 classes"):
        ours(PairClassification(width=7, classes=2), KINDS + 1)
    with pytest.raises(UsageError, match="whole numbers"):
        ours(PairClassification(width=7, classes=2), SCORES)
    with pytest.raises(UsageError, match="one length"):
        OrderedPairs()((U, V[:3]), Batch((U, V), SCORES))
    assert float(ours(OrderedPairs(), torch.ones(12)).mean()) == 0.0
