"""Vectors of words that no file has: from words of like spelling, and from a direction that the letters decide.

Source: Patel et al. 2018, "Magnitude: A Fast, Efficient Universal Vector Embedding Utility Package"
(https://arxiv.org/abs/1810.11190). A misspelt word lies near the word that was meant; one without any like word has a
direction of its own, the same in every process, which it shares in part with words that share its letters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, normalise
from isogloss.text.letter_hashes import hashes_of

SHORTEST, LONGEST = 3, 6
MATCHES, OWN_SHARE = 3, 0.3
_TRIED = 30
_COMMON = 20_000
Spelled = Callable[[NDArray[np.int64]], tuple[list[str], Dense]]


def random_direction(word: str, dimensions: int) -> Dense:
    """Return a unit vector ``(d,)`` that the letters of a word decide: the mean of one draw for each of its n-grams.

    Examples
    --------
    >>> one, other, far = (random_direction(word, 300) for word in ("unfathomable", "unfathomably", "quartz"))
    >>> bool(one @ other > 0.5 > abs(one @ far))
    True
    """
    total = np.zeros(dimensions)
    for gram in hashes_of(word, SHORTEST, LONGEST) or [0]:
        total += np.random.Generator(np.random.PCG64(gram)).uniform(-1, 1, dimensions)
    length = np.linalg.norm(total)
    return np.asarray(total / length if length else total, np.float32)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Which words have an n-gram.

    Attributes
    ----------
    keys
        ``(G,)`` int64 hashes of n-grams, ascending.
    offsets, rows
        ``rows[offsets[g] : offsets[g + 1]]`` are the words of n-gram ``g``, ascending.
    words
        Size of the vocabulary.
    """

    keys: NDArray[np.int64]
    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]
    words: int

    def like(self, word: str, k: int = _TRIED) -> NDArray[np.int64]:
        """Return the rows of up to ``k`` words that share most n-grams with a word, rare ones counting more.

        N-grams of more than 20,000 words say next to nothing and are passed over while there are rarer ones.
        """
        grams = np.unique(np.array(hashes_of(word.lower(), SHORTEST, LONGEST), np.int64))
        places = np.searchsorted(self.keys, grams)
        inside = places < len(self.keys)
        places = places[inside][self.keys[places[inside]] == grams[inside]]
        if not len(places):
            return np.zeros(0, np.int64)
        sizes = self.offsets[places + 1] - self.offsets[places]
        rare = sizes <= max(_COMMON, int(sizes.min()))
        lists = [self.rows[self.offsets[place] : self.offsets[place + 1]] for place in places[rare]]
        weights = np.log(1 + self.words / sizes[rare])
        found, where = np.unique(np.concatenate(lists), return_inverse=True)
        scores = np.bincount(where, np.repeat(weights, sizes[rare]), len(found))
        return found[np.argsort(-scores, kind="stable")[:k]].astype(np.int64)


def edits(one: str, other: str) -> int:
    """Return the letters to add, drop or change, and neighbours to swap, that turn one word into the other.

    Examples
    --------
    >>> edits("isogloss", "isolgos"), edits("", "ab")
    (2, 2)
    """
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        row = [i]
        for j, right in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def from_letters(word: str, candidates: Candidates, spelled: Spelled, dimensions: int) -> Dense:
    """Return a unit vector ``(d,)`` of an unknown word: 0.3 of its own direction and 0.7 of its spelling neighbours.

    The neighbours are the three words at the fewest edits, letters' case apart, among those that share most n-grams;
    equal ones by how much they share. Without any the own direction stands alone.

    Parameters
    ----------
    word
        Outside the vocabulary.
    candidates
        Words by n-gram.
    spelled
        Gives words and vectors of rows.
    dimensions
        Components of a vector.
    """
    own = random_direction(word, dimensions)
    rows = candidates.like(word)
    if not len(rows):
        return own
    words, vectors = spelled(rows)
    far = np.array([edits(word.lower(), other.lower()) for other in words])
    chosen: NDArray[Any] = np.argsort(far, kind="stable")[:MATCHES]
    near = normalise(normalise(vectors[chosen]).mean(0)[None])[0]
    return np.asarray(normalise((OWN_SHARE * own + (1 - OWN_SHARE) * near)[None])[0], np.float32)
