"""A memory of what was computed for each text, so that one pass through a model serves many encoders."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Arrays = tuple[NDArray[np.float32], ...]
BUDGET = 1 << 30
"""Bytes that a memory keeps."""


class TextMemory:
    """Keeps the arrays of each text up to a number of bytes; the oldest are forgotten first.

    Parameters
    ----------
    compute
        From distinct texts to one tuple of arrays a text.
    budget
        Most bytes kept. A single request may be larger: it is answered whole and kept in part.

    Examples
    --------
    >>> asked = []
    >>> def lengths(texts):
    ...     asked.extend(texts)
    ...     return [(np.array([len(text)], np.float32),) for text in texts]
    >>> memory = TextMemory(lengths)
    >>> [int(found[0][0]) for found in memory.of(["a", "bcd", "a"])], asked
    ([1, 3, 1], ['a', 'bcd'])
    """

    def __init__(self, compute: Callable[[list[str]], Sequence[Arrays]], *, budget: int = BUDGET) -> None:
        self.compute, self.budget = compute, budget
        self.size = 0
        self._kept: dict[str, Arrays] = {}

    def of(self, texts: Sequence[str]) -> list[Arrays]:
        """Return the arrays of each text; only unknown texts are computed, each once."""
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        found = dict(zip(new, self.compute(new), strict=True)) if new else {}
        answer = [found[text] if text in found else self._kept[text] for text in texts]
        for text, arrays in found.items():
            self._kept[text] = arrays
            self.size += _bytes(arrays)
        while self.size > self.budget and self._kept:
            oldest = next(iter(self._kept))
            self.size -= _bytes(self._kept.pop(oldest))
        return answer


def _bytes(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays)
