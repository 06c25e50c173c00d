"""Losses of written tokens: by hand, against torch's own cross-entropy, by finite differences, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.sequence import RelevanceToken, TeacherForcing  # noqa: E402


def batch_of(targets, **more):
    column = pack([np.array(row, np.int64) for row in targets])
    return Batch((column, column), **more)


def test_teacher_forcing_by_hand():
    logits = torch.tensor([[0.0, math.log(3.0)], [0.0, 0.0], [math.log(4.0), 0.0]])
    losses = TeacherForcing()(logits, batch_of([[1, 0], [0]]))
    assert losses.values.tolist() == pytest.approx([-math.log(3 / 4), math.log(2), -math.log(4 / 5)])
    assert losses.unit == "token"
    assert float(losses.parts["accuracy"]) == 1.0


def test_smoothing_is_a_mixture_of_the_right_token_and_all():
    logits = torch.tensor([[0.0, 2.0, -1.0]])
    logs = torch.log_softmax(logits, 1)[0]
    losses = TeacherForcing(smoothing=0.3)(logits, batch_of([[1]]))
    assert float(losses.values[0]) == pytest.approx(float(-0.7 * logs[1] - 0.1 * logs.sum()), abs=1e-6)


def test_an_items_weight_counts_for_all_its_tokens():
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    batch = batch_of([[1, 0], [3]], weights=torch.tensor([0.0, 2.0]))
    losses = TeacherForcing()(logits, batch)
    assert losses.weights.tolist() == [0.0, 0.0, 2.0]
    assert float(losses.mean()) == pytest.approx(float(losses.values[2]))


def test_a_batch_in_pieces_has_the_totals_of_the_whole():
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(2))
    whole = batch_of([[1, 0], [3], [4, 4, 2]])
    objective = TeacherForcing()
    one, two = objective(logits[:2], whole.take(0, 1)), objective(logits[2:], whole.take(1, 3))
    total, weight = objective(logits, whole).totals()
    assert float(total) == pytest.approx(float(one.totals()[0] + two.totals()[0]), rel=1e-6)
    assert float(weight) == 6


def test_relevance_by_hand_over_all_words_and_over_two():
    logits = torch.tensor([[math.log(2.0), 0.0, math.log(5.0)]])  # false, something else, true
    over_all = RelevanceToken(true=2, false=0)(logits, Batch((torch.zeros(1, 1),), torch.tensor([1])))
    of_two = RelevanceToken(true=2, false=0, two_way=True)(logits, Batch((torch.zeros(1, 1),), torch.tensor([0])))
    assert float(over_all.values[0]) == pytest.approx(-math.log(5 / 8))
    assert float(of_two.values[0]) == pytest.approx(-math.log(2 / 7))
    assert [float(one.parts["accuracy"]) for one in (over_all, of_two)] == [1.0, 0.0]


def _objectives():
    labels = torch.tensor([1, 0, 1])
    return [
        (TeacherForcing(smoothing=0.1), batch_of([[1, 0], [3]])),
        (RelevanceToken(true=3, false=1), Batch((torch.zeros(3, 1),), labels)),
        (RelevanceToken(true=3, false=1, two_way=True), Batch((torch.zeros(3, 1),), labels)),
    ]


@pytest.mark.parametrize(("objective", "batch"), _objectives(), ids=["tokens", "relevance", "two-way"])
def test_gradients_are_those_of_finite_differences(objective, batch):
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(3), requires_grad=True)
    objective(logits, batch).mean().backward()
    step = 1e-2
    for place in [(0, 1), (1, 3), (2, 0)]:
        moved = logits.detach().clone()
        moved[place] += step
        up = float(objective(moved, batch).mean())
        moved[place] -= 2 * step
        assert float(logits.grad[place]) == pytest.approx(
            (up - float(objective(moved, batch).mean())) / 2 / step, abs=2e-3
        )


def test_right_targets_cost_less_than_shuffled_ones():
    right = torch.eye(4) * 5
    objective = TeacherForcing()
    assert float(objective(right, batch_of([[0, 1], [2, 3]])).mean()) < 0.1
    assert float(objective(right, batch_of([[2, 3], [0, 1]])).mean()) > 4


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: TeacherForcing()(torch.zeros(2, 3), batch_of([[1]])), "1 tokens, 2 rows"),
        (lambda: TeacherForcing()(torch.zeros(1, 3), batch_of([[3]])), "target 3"),
        (lambda: _relevance(None), "labels"),
        (lambda: _relevance(torch.tensor([0.5, 1.0])), "1 of 2"),
        (lambda: _relevance(torch.tensor([0, 1]), true=0), "rows 0 and 0"),
        (lambda: _relevance(torch.tensor([0, 1]), true=9), "rows 9 and 0"),
    ],
)
def test_what_makes_no_sense_is_refused_with_counts(call, says):
    with pytest.raises(UsageError, match=says):
        call()


def _relevance(labels, true=1):
    return RelevanceToken(true=true, false=0)(torch.zeros(2, 3), Batch((torch.zeros(2, 1),), labels))
