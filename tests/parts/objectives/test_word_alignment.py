"""Words in context and their targets: hand arithmetic, weights of texts, and gradients by differences."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.word_alignment import WordAlignment  # noqa: E402

TARGETS = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)


def batch(weights=None, targets=TARGETS) -> Batch:
    texts, words = pack([np.array([5, 6, 7]), np.array([8])]), pack([np.array([0, 0, -1]), np.array([1])])
    return Batch((texts,), weights=weights, extra={"words": words, "teacher": targets})


def test_each_word_has_the_mean_squared_distance_from_its_target() -> None:
    losses = WordAlignment()(torch.tensor([[3.0, 0.0], [0.0, 0.0]], dtype=torch.float64), batch())
    assert losses.values.tolist() == [2.0, 2.0]  # (2^2 + 0) / 2 and (0 + 2^2) / 2
    assert losses.unit == "token"
    assert losses.weights is None


def test_a_word_weighs_what_its_text_weighs() -> None:
    losses = WordAlignment()(TARGETS + 1, batch(weights=torch.tensor([0.0, 3.0])))
    assert losses.weights.tolist() == [0.0, 3.0]


def test_gradients_agree_with_differences() -> None:
    words = torch.tensor([[0.3, -1.0], [2.0, 0.5]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda one: WordAlignment()(one, batch()).values, (words,))


def test_words_and_targets_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(UsageError, match="do not belong together"):
        WordAlignment()(torch.zeros(3, 2), batch())
    with pytest.raises(UsageError, match="says nothing of words"):
        WordAlignment()(torch.zeros(2, 2), Batch((pack([np.array([1])]),)))
