"""How many mined negatives are right answers: what labels or judgements say of what each rule rejected and left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.mining.hard_negatives import LABELLED, Mined

Listed = Mapping[int, Sequence[int]]
"""Rows of the corpus by the number of a pair."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of some candidates.

    Attributes
    ----------
    name
        ``candidates``, ``rejected by RULE``, ``left by RULE`` or ``negatives``.
    total
        How many candidates these are.
    right
        ``(j,)`` of the judged ones, whether they are right answers (false negatives).
    groups
        ``(j,)`` the pair of each judged one.
    """

    name: str
    total: int
    right: NDArray[np.bool_]
    groups: NDArray[np.int64]

    @property
    def unjudged(self) -> int:
        """How many of them nobody judged."""
        return self.total - len(self.right)

    @property
    def found(self) -> int:
        """How many are right answers for certain."""
        return int(self.right.sum())

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the least and the greatest share of right answers: all unjudged ones wrong, or all right."""
        if not self.total:
            return 0.0, 0.0
        return self.found / self.total, (self.found + self.unjudged) / self.total


def judged_by_rule(mined: Mined, right: Listed, wrong: Listed, size: int, *, complete: bool = False) -> list[Judged]:
    """Return what labels say of the candidates, of what each rule rejected and left, and of the negatives.

    The rule that takes out what is labelled as right is left aside: the negatives counted here are those that would
    have been chosen without it, so that the labels measure the other rules.

    Parameters
    ----------
    mined
        What was mined.
    right, wrong
        For some pairs rows that are right answers, and rows that are not.
    size
        Number of rows of the corpus.
    complete
        Every right answer is listed, so that whatever is not listed is wrong.

    Examples
    --------
    >>> from isogloss.mining.candidates import Candidates
    >>> found = Candidates(np.zeros(3, int), np.arange(3), np.arange(3), np.ones(3), np.ones(3))
    >>> kept = np.array([False, True, True])
    >>> mined = Mined(found, ["margin"], np.array([0, -1, -1]), kept, kept)
    >>> told = judged_by_rule(mined, {0: [0, 1]}, {}, 3)
    >>> [(one.name, one.found, one.total) for one in told]
    [('candidates', 2, 3), ('rejected by margin', 1, 1), ('left by margin', 1, 2), ('negatives', 1, 2)]
    """
    codes = mined.found.pair * size + mined.found.row
    is_right = np.isin(codes, _codes(right, size))
    judged = np.ones(len(codes), bool) if complete else is_right | np.isin(codes, _codes(wrong, size))

    def of(name: str, flags: NDArray[np.bool_]) -> Judged:
        known = flags & judged
        return Judged(name, int(flags.sum()), is_right[known], mined.found.pair[known])

    told, left = [of("candidates", np.ones(len(codes), bool))], np.ones(len(codes), bool)
    for number, name in enumerate(mined.rules):
        if name != LABELLED:
            rejected = mined.reason == number
            left = left & ~rejected
            told += [of(f"rejected by {name}", rejected), of(f"left by {name}", left)]
    return [*told, of("negatives", mined.blind)]


def _codes(rows: Listed, size: int) -> NDArray[np.int64]:
    return np.array([pair * size + row for pair, some in rows.items() for row in some], np.int64)
