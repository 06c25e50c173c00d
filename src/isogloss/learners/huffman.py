"""Huffman's tree over words: frequent words have short paths of yes-no questions."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isogloss.learners.logistic_steps import Answers


@dataclass(frozen=True, slots=True)
class Paths:
    """For each word the inner nodes from the root on, and the turn at each.

    Attributes
    ----------
    offsets
        ``(V + 1,)`` int64.
    nodes
        ``(N,)`` int32 inner nodes, numbered from 0 (``V - 1`` of them).
    turns
        ``(N,)`` float32: 1 for the first child, 0 for the second.
    """

    offsets: NDArray[np.int64]
    nodes: NDArray[np.int32]
    turns: NDArray[np.float32]

    def answers(self, words: NDArray[np.int32]) -> Answers:
        """Return the questions and right answers of each word ``(n,)``."""
        lengths = np.diff(self.offsets)[words]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        places = np.arange(offsets[-1]) + np.repeat(self.offsets[words] - offsets[:-1], lengths)
        return Answers(offsets, self.nodes[places], self.turns[places])


def huffman_paths(counts: NDArray[np.int64]) -> Paths:
    """Return the paths of Huffman's code for words with these counts.

    Source: Huffman 1952, "A Method for the Construction of Minimum-Redundancy Codes"; for hierarchical soft-max
    Morin and Bengio 2005, "Hierarchical Probabilistic Neural Network Language Model"
    (https://proceedings.mlr.press/r5/morin05a.html).

    Examples
    --------
    >>> paths = huffman_paths(np.array([4, 2, 1]))
    >>> np.diff(paths.offsets).tolist()
    [1, 2, 2]
    """
    words = len(counts)
    heap = [(int(count), number) for number, count in enumerate(counts)]
    heapq.heapify(heap)
    above, turn = np.full(2 * words - 1, -1, np.int64), np.zeros(2 * words - 1, np.float32)
    for number in range(words, 2 * words - 1):
        (low, first), (high, second) = heapq.heappop(heap), heapq.heappop(heap)
        above[[first, second]] = number
        turn[first] = 1
        heapq.heappush(heap, (low + high, number))
    nodes: list[int] = []
    turns: list[float] = []
    offsets = [0]
    for word in range(words):
        path, node = [], word
        while above[node] >= 0:
            path.append((int(above[node]) - words, float(turn[node])))
            node = int(above[node])
        nodes += [number for number, _ in reversed(path)]
        turns += [answer for _, answer in reversed(path)]
        offsets.append(len(nodes))
    return Paths(np.array(offsets, np.int64), np.array(nodes, np.int32), np.array(turns, np.float32))
