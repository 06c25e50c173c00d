"""Of candidates that the questions cannot tell apart the smallest step is taken."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from isogloss.mining.questions.decide import decide
from isogloss.mining.questions.question import Question, QuestionSet
from isogloss.workflows.adapting.fusing import smallest

QUESTIONS = 200


def _found(means: list[float], noise: float) -> tuple[Any, list[Any]]:
    """Return a bench and a candidate a mean, of sizes 1, 2, 3 ..., whose scores differ by noise of their own."""
    draw = np.random.default_rng(0)
    made = QuestionSet([Question(str(i), "t", str(i), "title", None, 0.5) for i in range(QUESTIONS)], {})
    found = []
    for number, mean in enumerate(means):
        items = draw.normal(size=QUESTIONS)
        items = mean + noise * (items - items.mean())
        found.append(SimpleNamespace(value=float(items.mean()), items=items, size=float(number + 1)))
    bench: Any = SimpleNamespace(gain=lambda one, over: decide(made, one.items, over.items).whole)
    return bench, found[::-1]


@pytest.mark.parametrize(
    ("means", "noise", "errors", "size"),
    [
        ([0.5, 0.51, 0.515], 0.2, 1.96, 1),  # nothing is sure: the smallest
        ([0.3, 0.5, 0.505], 0.05, 1.96, 2),  # the first is surely worse
        ([0.3, 0.4, 0.5], 0.01, 1.96, 3),  # all are surely worse than the best
        ([0.5, 0.4, 0.3], 0.01, 1.96, 1),  # the best is the smallest
        ([0.47, 0.5], 0.2, 1.0, 2),  # worse by one and a half standard errors
        ([0.47, 0.5], 0.2, 1.96, 1),
    ],
)
def test_smallest_that_is_not_worse(means: list[float], noise: float, errors: float, size: int) -> None:
    bench, found = _found(means, noise)
    assert smallest(bench, found, lambda one: float(one.size), errors).size == size  # type: ignore[attr-defined]
