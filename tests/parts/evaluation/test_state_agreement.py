"""The share of a reference's states: 1 for itself, 0 for nothing, by hand between, over tokens that end together."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.arrays import Ragged
from isogloss.errors import UsageError
from isogloss.evaluation.state_agreement import StateAgreement

SPANS = [np.array([[0, 2], [2, 5]]), np.array([[0, 1]])]
STATES = [np.array([[3.0, 4.0], [0.0, 1.0]]), np.array([[2.0, 0.0]])]


class States:
    """An encoder of given states."""

    def __init__(self, states=STATES, spans=SPANS):
        self.given, self.spans, self.asked = states, spans, []

    def states(self, inputs, layers):
        self.asked.append(layers)
        return Ragged.from_list([one[:, None].astype(np.float32) for one in self.given]), Ragged.from_list(self.spans)


def test_itself_nothing_and_by_hand():
    agreement = StateAgreement(States(), ["ab cd", "e"], groups=np.array([4, 4]), layer=2)
    assert agreement(States()).items.tolist() == [1, 1]
    assert agreement(States([one * 0 for one in STATES])).items.tolist() == [0, 0]
    moved = [np.array([[3.0, 4.0], [0.0, 3.0]]), np.array([[0.0, 1.0]])]
    sample = agreement(other := States(moved))
    assert sample.items.tolist() == [pytest.approx(1 - 4 / 26), pytest.approx(1 - 5 / 4)]
    assert sample.groups.tolist() == [4, 4]
    assert other.asked == [[2]]


def test_a_merged_token_is_compared_with_the_last_of_its_pieces():
    merged = States([np.array([[0.0, 1.0]]), STATES[1]], [np.array([[0, 5]]), SPANS[1]])
    assert StateAgreement(States(), ["ab cd", "e"])(merged).items.tolist() == [1, 1]


def test_what_cannot_be_compared_is_said():
    agreement = StateAgreement(States(), ["ab cd", "e"])
    with pytest.raises(UsageError, match="3 and 2"):
        agreement(States([np.ones((2, 3)), np.ones((1, 3))]))
    with pytest.raises(UsageError, match="text 0: 0 paired"):
        agreement(States(spans=[np.array([[0, 1], [1, 4]]), SPANS[1]]))
    with pytest.raises(UsageError, match="no texts"):
        StateAgreement(States(), [])
