"""What a decoder may write next: a trie of the allowed sequences, as arrays that many outputs walk at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Ragged
from isogloss.errors import UsageError

Numbers = NDArray[np.int64]


class Constraint(Protocol):
    """Says which tokens may follow. A place is a number that stands for what was written so far; 0 for nothing."""

    def allowed(self, places: Numbers) -> Ragged:
        """Return the tokens that may follow each place; none where the output is complete."""
        ...

    def follow(self, places: Numbers, tokens: Numbers) -> Numbers:
        """Return the places after one more allowed token each."""
        ...


class Trie:
    """A finite set of token sequences, none of which begins another one.

    De Cao et al. 2021, "Autoregressive Entity Retrieval" (https://arxiv.org/abs/2010.00904), constrains beams by such a
    tree.

    Parameters
    ----------
    sequences
        ``(length,)`` token numbers each, all different.

    Raises
    ------
    UsageError
        Where there are none, one is empty, negative, occurs twice, or begins another one; the message names it.

    Examples
    --------
    >>> trie = Trie([[3, 1], [3, 2], [5]])
    >>> trie.allowed(np.array([0])).values.tolist(), trie.number(trie.walk([3, 2])), trie.number(trie.walk([3]))
    ([3, 5], 1, -1)
    """

    def __init__(self, sequences: Sequence[Sequence[int] | Numbers]) -> None:
        rows = [tuple(int(token) for token in row) for row in sequences]
        _check(rows)
        self.sequences: list[tuple[int, ...]] = rows
        self.width: int = 1 + max(token for row in rows for token in row)
        children: list[dict[int, int]] = [{}]
        ends: list[int] = [-1]
        for number, row in enumerate(rows):
            place = 0
            for token in row:
                if token not in children[place]:
                    children[place][token] = len(children)
                    children.append({})
                    ends.append(-1)
                place = children[place][token]
            ends[place] = number
        ordered = [sorted(after.items()) for after in children]
        self._offsets = np.cumsum([0, *(len(after) for after in ordered)])  # (places + 1,)
        self._tokens = np.array([token for after in ordered for token, _ in after], np.int64)
        self._places = np.array([place for after in ordered for _, place in after], np.int64)
        self._keys = np.repeat(np.arange(len(ordered)), np.diff(self._offsets)) * self.width + self._tokens  # ascending
        self._ends = np.array(ends, np.int64)

    def __len__(self) -> int:
        return len(self.sequences)

    def allowed(self, places: Numbers) -> Ragged:
        """Return the tokens that may follow each place, ascending; none where a sequence is complete."""
        starts, counts = self._offsets[places], np.diff(self._offsets)[places]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        at = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], counts)
        return Ragged(self._tokens[at], offsets)

    def follow(self, places: Numbers, tokens: Numbers) -> Numbers:
        """Return the places after one more token each.

        Raises
        ------
        UsageError
            Where a token is not allowed.
        """
        keys = places * self.width + tokens
        at = np.minimum(np.searchsorted(self._keys, keys), max(0, len(self._keys) - 1))
        wrong = (self._keys[at] != keys) | (tokens < 0) | (tokens >= self.width)
        if wrong.any():
            one = int(np.flatnonzero(wrong)[0])
            raise UsageError(f"the token {int(tokens[one])} is not allowed here", f"after place {int(places[one])}")
        return self._places[at]

    def walk(self, sequence: Sequence[int]) -> int:
        """Return the place after a whole sequence; errors as :meth:`follow`."""
        place = np.zeros(1, np.int64)
        for token in sequence:
            place = self.follow(place, np.array([token], np.int64))
        return int(place[0])

    def number(self, place: int) -> int:
        """Return the number of the sequence that is complete at a place, or -1."""
        return int(self._ends[place])

    def find(self, sequence: Sequence[int]) -> int:
        """Return the number of a sequence, or -1 where it is not one of the set.

        Examples
        --------
        >>> Trie([[3, 1], [5]]).find([5]), Trie([[3, 1], [5]]).find([3])
        (1, -1)
        """
        try:
            return self.number(self.walk(sequence))
        except UsageError:
            return -1


def _check(rows: list[tuple[int, ...]]) -> None:
    if not rows:
        raise UsageError("there is nothing to allow", "no sequence was given")
    bad = sum(not row or min(row) < 0 for row in rows)
    if bad:
        raise UsageError("a sequence has no token, or a negative one", f"{bad} of {len(rows)}")
    ordered = sorted(rows)
    for one, other in pairwise(ordered):
        if other[: len(one)] == one:
            what = "occurs twice" if other == one else f"begins {list(other)}"
            raise UsageError(
                f"the sequence {list(one)} {what}",
                f"{len(rows)} sequences",
                "let each end with an end token of its own",
            )
