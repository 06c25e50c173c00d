"""Losses on lists, and preferences: by hand and by brute force."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.preference import DirectPreference  # noqa: E402
from isogloss.objectives.ranking import CandidateScores, ListWise, Pairwise, Pointwise  # noqa: E402

SCORES = torch.tensor([[0.2, -1.0, 0.7, 5.0]], dtype=torch.float64)
LABELS = torch.tensor([[2.0, 0.0, 1.0, -1.0]], dtype=torch.float64)  # the last one is not there


def mean(objective, scores=SCORES, labels=LABELS):
    return float(objective(scores, Batch((scores,), labels)).mean())


def test_pointwise_by_hand():
    labels = torch.tensor([[1.0, 0.0, 1.0, -1.0]])
    expected = [3 * math.log1p(math.exp(-0.2)), math.log1p(math.exp(-1.0)), 3 * math.log1p(math.exp(-0.7))]
    assert mean(Pointwise(positive_weight=3.0), labels=labels) == pytest.approx(sum(expected) / 3)
    with pytest.raises(UsageError, match=r"one is 2\.0"):
        mean(Pointwise())


def test_pairs_by_hand():
    pairs = [0.2 - -1.0, 0.2 - 0.7, 0.7 - -1.0]
    assert mean(Pairwise(sigma=2.0)) == pytest.approx(sum(math.log1p(math.exp(-2 * d)) for d in pairs) / 3)
    assert mean(Pairwise(kind="hinge", margin=1.5)) == pytest.approx(sum(max(0, 1.5 - d) for d in pairs) / 3)


@given(st.lists(st.tuples(st.integers(-40, 40), st.integers(0, 3)), min_size=2, max_size=6, unique_by=lambda x: x[0]))
@settings(max_examples=40, deadline=None)
def test_lambda_weighs_by_the_swap(rows):
    def ndcg(scores):
        order = sorted(range(len(rows)), key=lambda i: -scores[i])
        gain = sum((2 ** rows[i][1] - 1) / math.log2(rank + 2) for rank, i in enumerate(order))
        best = sum((2**label - 1) / math.log2(rank + 2) for rank, label in
                   enumerate(sorted((label for _, label in rows), reverse=True)))  # fmt: skip
        return gain / best if best else 0.0

    scores = [score / 10 for score, _ in rows]
    expected = 0.0
    for i, (_, high) in enumerate(rows):
        for j, (_, low) in enumerate(rows):
            if high > low:
                swapped = [*scores]
                swapped[i], swapped[j] = scores[j], scores[i]
                expected += abs(ndcg(scores) - ndcg(swapped)) * math.log1p(math.exp(scores[j] - scores[i]))
    tensor = torch.tensor([scores], dtype=torch.float64)
    labels = torch.tensor([[label for _, label in rows]], dtype=torch.float64)
    losses = Pairwise(kind="lambda")(tensor, Batch((tensor,), labels))
    assert float(losses.totals()[0]) == pytest.approx(expected, abs=1e-9)


def test_lists_by_hand():
    logs = SCORES[0, :3].log_softmax(0)
    assert mean(ListWise()) == pytest.approx(float(-(2 * logs[0] + logs[2]) / 3))
    target = LABELS[0, :3].softmax(0)
    assert mean(ListWise(kind="listnet")) == pytest.approx(float(-(target * logs).sum()))
    order = SCORES[0, [0, 2, 1]]
    drawn = sum(float(order[i:].logsumexp(0) - order[i]) for i in range(3))
    assert mean(ListWise(kind="listmle")) == pytest.approx(drawn)
    colder = (SCORES[0, :3] / 0.5).log_softmax(0)
    assert mean(ListWise(temperature=0.5)) == pytest.approx(float(-(2 * colder[0] + colder[2]) / 3))


def test_one_relevant_candidate_is_cross_entropy():
    scores = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    right = torch.arange(5)
    labels = torch.nn.functional.one_hot(right, 7)
    expected = torch.nn.functional.cross_entropy(scores, right, reduction="none")
    torch.testing.assert_close(ListWise()(scores, Batch((scores,), labels)).values, expected)


def test_empty_lists_do_not_count():
    scores = torch.cat([SCORES, SCORES])
    for gone in (-1.0, 0.0):
        labels = torch.cat([LABELS, torch.full_like(LABELS, gone)])
        assert mean(ListWise(), scores, labels) == pytest.approx(mean(ListWise()))
    labels = torch.cat([LABELS, torch.full_like(LABELS, -1.0)])
    for kind in ("listnet", "listmle"):
        assert mean(ListWise(kind=kind), scores, labels) == pytest.approx(mean(ListWise(kind=kind)))


def test_vectors_as_scores():
    q, a, b = (torch.randn(3, 4, generator=torch.Generator().manual_seed(i)) for i in range(3))
    labels = torch.tensor([[1.0, 0.0]]).repeat(3, 1)
    cosine = torch.nn.functional.cosine_similarity
    expected = ListWise()(20 * torch.stack([cosine(q, a), cosine(q, b)], 1), Batch((q,), labels)).values
    torch.testing.assert_close(CandidateScores(inner=ListWise())((q, a, b), Batch((q, a, b), labels)).values, expected)


def test_clear_errors():
    with pytest.raises(UsageError, match="score and a label"):
        mean(ListWise(), labels=LABELS[:, :3])
    with pytest.raises(UsageError, match="needs labels"):
        mean(ListWise(), labels=None)


def test_preferences_by_hand():
    chosen, rejected, before, other = (torch.tensor([x], dtype=torch.float64) for x in (-1.0, -2.0, -1.5, -1.0))
    gain = (-1.0 + 1.5) - (-2.0 + 1.0)
    batch = Batch((chosen,))
    outputs = (chosen, rejected, before, other)
    assert float(DirectPreference(beta=0.5)(outputs, batch).mean()) == pytest.approx(math.log1p(math.exp(-0.5 * gain)))
    squared = DirectPreference(beta=0.5, kind="squared")(outputs, batch)
    assert float(squared.mean()) == pytest.approx((gain - 1) ** 2)
    smooth = DirectPreference(beta=0.5, smoothing=0.2)(outputs, batch)
    both = 0.8 * math.log1p(math.exp(-0.5 * gain)) + 0.2 * math.log1p(math.exp(0.5 * gain))
    assert float(smooth.mean()) == pytest.approx(both)
